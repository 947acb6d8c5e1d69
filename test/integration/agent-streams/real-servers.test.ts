import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import jpegTurbo from '@julusian/jpeg-turbo';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { EncodedFrame } from '../../../common/domain/frame.ts';
import { eventually } from '../../support/eventually.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { missingForStreams, publish, startNginx, startRtspServer } from '../../support/streams/servers.ts';
import type { NginxServer, RtspOptions } from '../../support/streams/servers.ts';
import { streamWorld } from '../../support/streams/sources.ts';

const missing = missingForStreams();
const ended: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const end of ended.reverse()) await end();
});

function world(options: Parameters<typeof streamWorld>[0] = {}) {
  const made = streamWorld(options);
  onTestFinished(() => made.close());
  return made;
}

const sizeOf = ({ bytes }: EncodedFrame): string => {
  const { width, height } = jpegTurbo.decompressSync(bytes!, { format: jpegTurbo.FORMAT_GRAY });
  return `${width}x${height}`;
};

const nobodyIsLeft = ({ decoders, limiter }: ReturnType<typeof world>) =>
  eventually(() => decoders.running === 0 && limiter.size === 0, {
    withinMs: 5_000,
    what: 'no process and no slot held',
  });

async function rtspServer(options: RtspOptions = {}): Promise<string> {
  const { port, process } = await startRtspServer(options);
  onTestFinished(() => process.end());
  return `rtsp://127.0.0.1:${port}/camera`;
}

describe.skipIf(missing !== undefined)(`real servers (${missing ?? 'all installed'})`, () => {
  let nginx: NginxServer;

  beforeAll(async () => {
    const folder = await makeTestFolder('streams');
    ended.push(() => rm(folder, { recursive: true, force: true }));
    nginx = await startNginx(folder);
    ended.push(() => nginx.process.end());
    const publisher = publish(`rtmp://127.0.0.1:${nginx.rtmpPort}/live/camera`, { bFrames: 2 });
    ended.push(() => publisher.end());
    const playlist = join(folder, 'hls/camera.m3u8');
    await eventually(
      () =>
        readFile(playlist, 'utf8').then(
          (text) => text.includes('camera-2.ts'),
          () => false,
        ),
      {
        withinMs: 40_000,
        what: 'nginx to write segments',
      },
    );
  });

  test('RTMP: connects, takes one key frame and leaves', async () => {
    const all = world();
    const source = all.source({ transport: 'rtmp', url: `rtmp://127.0.0.1:${nginx.rtmpPort}/live/camera` });
    const frame = await source.fetchOnce({});
    expect(sizeOf(frame)).toBe('320x240');
    expect(frame).toMatchObject({ notModified: false, contentType: 'image/jpeg' });
    expect(frame.transferBytes).toBeGreaterThan(frame.bytes!.length / 10);
    await nobodyIsLeft(all);
  });

  test('RTMP: a server that refuses us is told from one that has no such stream', async () => {
    const { source } = world();
    const url = (path: string): string => `rtmp://127.0.0.1:${nginx.rtmpPort}/${path}`;
    await expect(source({ transport: 'rtmp', url: url('closed/camera') }).fetchOnce({})).rejects.toMatchObject({
      code: expect.stringMatching(/SOURCE_(UNAUTHORIZED|HTTP_ERROR|ENDED)/),
    });
    await expect(source({ transport: 'rtmp', url: url('live/nothing') }).fetchOnce({})).rejects.toMatchObject({
      code: expect.stringMatching(/SOURCE_(ENDED|HTTP_ERROR)/),
    });
  });

  test('HLS: takes the newest segment once, and says so when there is no newer one', async () => {
    const all = world();
    const source = all.source({ transport: 'hls', url: `http://127.0.0.1:${nginx.httpPort}/hls/camera.m3u8` });
    const first = await source.fetchOnce({});
    expect(sizeOf(first)).toBe('320x240');
    const seen = [first];
    await eventually(
      async () => {
        const frame = await source.fetchOnce({ etag: seen.at(-1)!.etag });
        seen.push({ ...frame, etag: frame.etag! });
        return seen.some(({ notModified }) => notModified) && seen.filter((each) => !each.notModified).length >= 2;
      },
      { withinMs: 15_000, what: 'a repeated and a new segment' },
    );
    expect(new Set(seen.filter(({ notModified }) => !notModified).map(({ etag }) => etag)).size).toBeGreaterThan(1);
    await nobodyIsLeft(all);
  });

  test('RTSP: one key frame with B frames between, as fast as the next key frame comes', async () => {
    const all = world();
    const source = all.source({ transport: 'rtsp', url: await rtspServer({ betweenFrames: 2, keyFrameEvery: 20 }) });
    expect(sizeOf(await source.fetchOnce({}))).toBe('320x240');
    await nobodyIsLeft(all);
  });

  test.each(['basic', 'digest'] as const)(
    'RTSP: the operator’s login by %s, and no picture without it',
    async (auth) => {
      const { source } = world();
      const url = await rtspServer({ auth });
      const login = { user: 'camera', password: 'secret' };
      expect(sizeOf(await source({ transport: 'rtsp', url, credentials: login }).fetchOnce({}))).toBe('320x240');
      for (const credentials of [undefined, { user: 'camera', password: 'guessed' }])
        await expect(source({ transport: 'rtsp', url, credentials }).fetchOnce({})).rejects.toMatchObject({
          code: 'SOURCE_UNAUTHORIZED',
        });
    },
  );

  test('RTSP: an unknown path is an error of the host', async () => {
    const { source } = world();
    const url = (await rtspServer()).replace('/camera', '/nothing');
    await expect(source({ transport: 'rtsp', url }).fetchOnce({})).rejects.toMatchObject({
      code: 'SOURCE_HTTP_ERROR',
      details: { rtspStatus: 404 },
    });
  });

  test('stays connected where that is asked, gives a picture an interval, and ends with the loop', async () => {
    const all = world();
    const url = await rtspServer({ keyFrameEvery: 5 });
    const source = all.source({ transport: 'rtsp', url, minIntervalMs: 1_000 });
    const frames: EncodedFrame[] = [];
    for await (const frame of source.frames(new AbortController().signal)) {
      expect(all.decoders.running).toBe(1);
      expect(all.limiter.size).toBe(0); // a running stream does not hold the host's turn
      if (frames.push(frame) === 3) break;
    }
    expect(all.decoders.running).toBe(0);
    expect(frames[2]!.fetchedAt - frames[0]!.fetchedAt).toBeGreaterThan(1_500);
  });

  test('without room to stay, it connects for each picture', async () => {
    const all = world({ maxStaying: 0 });
    const source = all.source({ transport: 'rtsp', url: await rtspServer(), minIntervalMs: 1 });
    const frames: EncodedFrame[] = [];
    for await (const frame of source.frames(new AbortController().signal)) if (frames.push(frame) === 2) break;
    expect(frames.map(sizeOf)).toEqual(['320x240', '320x240']);
    await nobodyIsLeft(all);
  });

  test('a lost lease ends ffmpeg at once', async () => {
    const all = world();
    const url = await rtspServer();
    const lease = new AbortController();
    const run = (async () => {
      for await (const frame of all.source({ transport: 'rtsp', url, minIntervalMs: 100 }).frames(lease.signal))
        if (frame.bytes) lease.abort(new Error('taken'));
    })();
    await expect(run).rejects.toThrow('taken');
    expect(all.decoders.running).toBe(0);
  });

  test('a camera that the egress rule forbids is not contacted, by whatever transport', async () => {
    const { source } = world({ allow: [] });
    const log = join(nginx.folder, 'access.log');
    const before = await readFile(log, 'utf8');
    const { rtmpPort, httpPort } = nginx;
    for (const [transport, url] of [
      ['rtmp', `rtmp://127.0.0.1:${rtmpPort}/live/camera`],
      ['rtsp', `rtsp://localhost:${rtmpPort}/camera`],
      ['rtsp', `rtsp://2130706433:${rtmpPort}/camera`],
      ['hls', `http://0x7f.1:${httpPort}/hls/camera.m3u8`],
    ] as const)
      await expect(source({ transport, url }).fetchOnce({}), url).rejects.toMatchObject({ code: 'SOURCE_BLOCKED' });
    expect(await readFile(log, 'utf8')).toBe(before);
  });
});
