import { execFile } from 'node:child_process';
import { createCipheriv, randomBytes } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import jpegTurbo from '@julusian/jpeg-turbo';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EncodedFrame } from '../../../common/domain/frame.ts';
import { eventually } from '../../support/eventually.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { missingForStreams } from '../../support/streams/servers.ts';
import { playlist, serving, tcpServer, world } from '../../support/streams/worlds.ts';
import type { Answer } from '../../support/streams/worlds.ts';

const missing = missingForStreams();
let folder = '';

const widthOf = ({ bytes }: EncodedFrame): number =>
  jpegTurbo.decompressSync(bytes!, { format: jpegTurbo.FORMAT_GRAY }).width;

/** Real segments: one of MPEG-TS, and a fragmented MP4 as initialisation and fragment. */
async function makeSegments(): Promise<void> {
  folder = await makeTestFolder('segments');
  const make = (...args: string[]) =>
    promisify(execFile)(
      'ffmpeg',
      [
        '-nostdin',
        '-loglevel',
        'error',
        '-f',
        'lavfi',
        '-i',
        'testsrc2=size=192x144:rate=10:duration=2',
        '-c:v',
        'libx264',
        '-preset',
        'ultrafast',
        '-g',
        '10',
        ...args,
      ],
      { cwd: folder },
    );
  await mkdir(join(folder, 'mp4'));
  await make('-f', 'mpegts', 'a.ts');
  await make(
    '-f',
    'hls',
    '-hls_segment_type',
    'fmp4',
    '-hls_time',
    '2',
    '-hls_fmp4_init_filename',
    'init.mp4',
    '-hls_segment_filename',
    'mp4/f%d.m4s',
    'mp4/x.m3u8',
  );
}

const file = (name: string): Promise<Buffer> => readFile(join(folder, name));

describe.skipIf(missing !== undefined)(`HLS of all kinds (${missing ?? 'all installed'})`, () => {
  beforeAll(makeSegments);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('fragmented MP4 behind a master playlist and a redirect, behind a discontinuity, with its time', async () => {
    const init = await file('mp4/init.mp4').catch(() => file('init.mp4'));
    const { url, seen } = await serving({
      '/master.m3u8': { status: 302, headers: { location: '/deep/master.m3u8' } },
      '/deep/master.m3u8': ({ headers }) =>
        headers.authorization
          ? { body: '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=192x144\nlow.m3u8\n' }
          : { status: 401, headers: { 'www-authenticate': 'Basic realm=\"x\"' } },
      '/deep/low.m3u8': playlist(
        '#EXT-X-MAP:URI="none.mp4"',
        '#EXTINF:2,',
        'gone.m4s',
        '#EXT-X-DISCONTINUITY',
        '#EXT-X-MAP:URI="init.mp4"',
        '#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05Z',
        '#EXTINF:2,',
        'f0.m4s',
      ),
      '/deep/init.mp4': { body: init },
      '/deep/f0.m4s': { body: await file('mp4/f0.m4s') },
    });
    const { source } = world();
    const camera = source({ transport: 'hls', url: `${url}/master.m3u8`, credentials: { user: 'u', password: 'p' } });
    const frame = await camera.fetchOnce({});
    expect(widthOf(frame)).toBe(192);
    expect(frame.capturedAt).toEqual({ at: Date.parse('2026-01-02T03:04:05Z'), origin: 'stream' });
    // Asked once, the camera is signed in to at once afterwards, playlists and segments alike.
    expect(seen.filter(({ headers }) => !headers.authorization).map((each) => each.url)).toEqual([
      '/master.m3u8',
      '/deep/master.m3u8',
    ]);
    const before = seen.length;
    expect(await camera.fetchOnce({ etag: frame.etag! })).toMatchObject({
      notModified: true,
      bytes: null,
      etag: frame.etag,
    });
    expect(seen.slice(before).map((each) => each.url)).toEqual(['/deep/low.m3u8']);
  });

  test('encrypted with AES-128, and cut out of a larger file by a server that knows no ranges', async () => {
    const [key, iv, plain] = [randomBytes(16), randomBytes(16), await file('a.ts')];
    const cipher = createCipheriv('aes-128-cbc', key, iv);
    const secret = Buffer.concat([cipher.update(plain), cipher.final()]);
    const { url } = await serving({
      '/x.m3u8': playlist(
        `#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x${iv.toString('hex')}`,
        `#EXT-X-BYTERANGE:${secret.length}@1000`,
        '#EXTINF:2,',
        'all.ts',
      ),
      '/k': { body: key },
      '/all.ts': { body: Buffer.concat([randomBytes(1_000), secret, randomBytes(1_000)]) },
    });
    expect(
      widthOf(
        await world()
          .source({ transport: 'hls', url: `${url}/x.m3u8` })
          .fetchOnce({}),
      ),
    ).toBe(192);
  });

  test('the segment before the newest serves where the newest is not there yet', async () => {
    const { url } = await serving({
      '/x.m3u8': playlist('#EXTINF:2,', 'a.ts', '#EXTINF:2,', 'late.ts'),
      '/a.ts': { body: await file('a.ts') },
    });
    expect(
      widthOf(
        await world()
          .source({ transport: 'hls', url: `${url}/x.m3u8` })
          .fetchOnce({}),
      ),
    ).toBe(192);
  });

  test('a camera is not blamed for the time in which all of our decoders are busy', async () => {
    const { source } = world({ maxBrief: 1, stallMs: 1_500 });
    const { port, connections } = await tcpServer(() => {});
    const { url } = await serving({
      '/x.m3u8': playlist('#EXTINF:2,', 'a.ts'),
      '/a.ts': { body: await file('a.ts') },
    });
    const silent = [1, 2].map((path) => source({ transport: 'rtsp', url: `rtsp://127.0.0.1:${port}/${path}` }));
    const others = silent.map((camera) =>
      expect(camera.fetchOnce({})).rejects.toMatchObject({ code: 'SOURCE_TIMEOUT' }),
    );
    await eventually(() => connections() > 1);
    expect(widthOf(await source({ transport: 'hls', url: `${url}/x.m3u8` }).fetchOnce({}))).toBe(192);
    await Promise.all(others);
  });

  test('what waits for a decoder is bounded over all cameras; one that is beyond it is put off, not blamed', async () => {
    const { source } = world({ maxBrief: 1, maxWaitingBytes: 1_000, stallMs: 1_500 });
    const { port, connections } = await tcpServer(() => {});
    const { url } = await serving({
      '/x.m3u8': playlist('#EXT-X-MAP:URI="init.mp4"', '#EXTINF:2,', 'f0.m4s'),
      '/init.mp4': { body: await file('mp4/init.mp4').catch(() => file('init.mp4')) },
      '/f0.m4s': { body: await file('mp4/f0.m4s') },
    });
    const busy = expect(
      source({ transport: 'rtsp', url: `rtsp://127.0.0.1:${port}/x` }).fetchOnce({}),
    ).rejects.toMatchObject({ code: 'SOURCE_TIMEOUT' });
    await eventually(() => connections() > 0);
    const camera = source({ transport: 'hls', url: `${url}/x.m3u8` });
    await expect(camera.fetchOnce({})).rejects.toMatchObject({ code: 'SOURCE_PUT_OFF' });
    await busy;
    expect(widthOf(await camera.fetchOnce({}))).toBe(192);
  });

  const inside = { code: 'SOURCE_BLOCKED' };
  const protocol = { code: 'SOURCE_PROTOCOL' };
  test.each([
    ['a segment at a private address', () => playlist('#EXTINF:2,', 'http://10.0.0.1/a.ts'), inside],
    ['a segment at the metadata service', () => playlist('#EXTINF:2,', 'http://0xA9FEA9FE/a.ts'), inside],
    [
      'a key at a private address',
      () => playlist('#EXT-X-KEY:METHOD=AES-128,URI="http://[::ffff:10.0.0.1]/k"', '#EXTINF:2,', 'a.ts'),
      inside,
    ],
    [
      'an initialisation at a private address',
      () => playlist('#EXT-X-MAP:URI="http://192.168.1.1/i"', '#EXTINF:2,', 'a.ts'),
      inside,
    ],
    [
      'a rendition at a private address',
      () => ({ body: '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://172.16.0.1/x.m3u8\n' }),
      inside,
    ],
    ['a file', () => playlist('#EXTINF:2,', 'file:///etc/passwd'), protocol],
    [
      'a rendition that is a master playlist',
      () => ({ body: '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx.m3u8\n' }),
      protocol,
    ],
    ['a segment that is a playlist', () => playlist('#EXTINF:2,', 'x.m3u8'), protocol],
    ['a segment that is a page', () => playlist('#EXTINF:2,', 'page.ts'), protocol],
    ['no playlist', () => ({ body: '<html></html>' }), protocol],
    ['no segment', () => playlist(), { code: 'SOURCE_ENDED' }],
    ['an empty segment', () => playlist('#EXTINF:2,', 'empty.ts'), { code: 'SOURCE_ENDED' }],
    [
      'a segment without pictures',
      () => playlist('#EXTINF:2,', 'noise.ts'),
      { code: expect.stringMatching(/PROTOCOL|ENDED/) },
    ],
    ['a refusal', () => ({ status: 401 }), { code: 'SOURCE_UNAUTHORIZED' }],
    ['a missing playlist', () => ({ status: 404 }), { code: 'SOURCE_HTTP_ERROR' }],
  ] as [string, () => Answer, object][])('%s has its own code', async (_, answer, expected) => {
    const noise = Buffer.alloc(188 * 40, 0xff);
    for (let at = 0; at < noise.length; at += 188) noise.set([0x47, 0x1f, 0xff, 0x10], at);
    const { url } = await serving({
      '/x.m3u8': answer(),
      '/page.ts': { body: '<html>not today</html>' },
      '/empty.ts': {},
      '/noise.ts': { body: noise },
    });
    await expect(
      world()
        .source({ transport: 'hls', url: `${url}/x.m3u8` })
        .fetchOnce({}),
    ).rejects.toMatchObject(expected);
  });
});
