import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RtspReader, writeMessage } from '../../../../../agent/sources/rtsp-messages.ts';
import { SimulatedClock } from '../../../../../common/runtime/clock.ts';
import { HostRests } from '../../../../../agent/sources/host-rests.ts';
import { Manners } from '../../../../../agent/sources/manners.ts';
import type { RtspOptions } from '../../../../../agent/sources/rtsp-relay.ts';
import { RtspDialogue, rtspAlias, senderReportTime } from '../../../../../agent/sources/rtsp-relay.ts';
import { parseRelayTarget } from '../../../../../agent/sources/relay-target.ts';

const PORT = 40_000;

/** Both ends of a dialogue as text. */
function dialogue(
  url = 'rtsp://camera:554/live/1?x=y',
  login?: { user: string; password: string },
  onStatus?: RtspOptions['onStatus'],
) {
  const camera: string[] = [];
  const ffmpeg: string[] = [];
  const target = parseRelayTarget(url, 'rtsp', login);
  const ends = {
    camera: (bytes: Buffer) => void camera.push(bytes.toString('latin1')),
    ffmpeg: (bytes: Buffer) => void ffmpeg.push(bytes.toString('latin1')),
  };
  const enough = (): void => {};
  const options = { target, userAgent: 'camfleet-test', ends: { ...ends, enough }, port: PORT };
  const between = new RtspDialogue({ ...options, ...(onStatus && { onStatus }) });
  return {
    camera,
    ffmpeg,
    ask: (text: string) => between.toCamera(Buffer.from(text)),
    answer: (text: string) => between.toFfmpeg(Buffer.from(text)),
  };
}

const describeRequest = `DESCRIBE ${rtspAlias(PORT)} RTSP/1.0\r\nCSeq: 7\r\nUser-Agent: Lavf\r\n\r\n`;

test('the camera sees its own URL and our name, whatever ffmpeg appends', () => {
  const { camera, ask } = dialogue();
  ask(describeRequest);
  ask(`SETUP ${rtspAlias(PORT)}/trackID=1 RTSP/1.0\r\nCSeq: 8\r\n\r\n`);
  ask('SETUP rtsp://10.0.0.9/inside/trackID=1 RTSP/1.0\r\nCSeq: 9\r\n\r\n');
  expect(camera.map((text) => text.split('\r\n')[0])).toEqual([
    'DESCRIBE rtsp://camera/live/1?x=y RTSP/1.0',
    'SETUP rtsp://camera/live/1?x=y/trackID=1 RTSP/1.0',
    // The camera's own words (Content-Base, control) go back to the camera, over the same connection.
    'SETUP rtsp://10.0.0.9/inside/trackID=1 RTSP/1.0',
  ]);
  expect(camera[0]).toContain('User-Agent: camfleet-test');
  expect(camera.join('')).not.toContain('127.0.0.1');
});

describe('redirections', () => {
  test.each([
    ['301', 'RTSP/1.0 301 Moved\r\nCSeq: 1\r\nLocation: rtsp://127.0.0.1:22/\r\n\r\n'],
    ['302', 'RTSP/1.0 302 Found\r\nCSeq: 1\r\nLocation: http://169.254.169.254/\r\n\r\n'],
    ['305', 'RTSP/1.0 305 Use Proxy\r\nCSeq: 1\r\n\r\n'],
    ['REDIRECT', 'REDIRECT rtsp://camera/ RTSP/1.0\r\nCSeq: 1\r\nLocation: rtsp://10.0.0.1/\r\n\r\n'],
  ])('%s is an error, and ffmpeg does not see it', (_, text) => {
    const { ask, answer, ffmpeg } = dialogue();
    ask(describeRequest);
    expect(() => answer(text)).toThrow(expect.objectContaining({ code: 'SOURCE_REDIRECTS' }));
    expect(ffmpeg).toEqual([]);
  });
});

test('a camera that asks for rest by 429 or 503 gets it, for as long as it says', async () => {
  const asked: [string, number][] = [];
  const clock = new SimulatedClock();
  const rests = new HostRests({ clock, onRest: (host, ms) => asked.push([host, ms]) });
  const manners = new Manners({ rests, clock });
  for (const status of ['503 Service Unavailable', '429 Too Many Requests']) {
    const { ask, answer } = dialogue(undefined, undefined, (code, headers) =>
      manners.answered('camera', code, headers),
    );
    ask(describeRequest);
    expect(() => answer(`RTSP/1.0 ${status}\r\nCSeq: 1\r\nRetry-After: 120\r\n\r\n`)).toThrow(
      expect.objectContaining({ code: 'SOURCE_HTTP_ERROR' }),
    );
    expect(rests.waitMs('camera')).toBe(120_000);
    await clock.advance(120_000);
  }
  expect(asked).toEqual([
    ['camera', 120_000],
    ['camera', 120_000],
  ]);
});

describe('challenges', () => {
  const login = { user: 'me', password: 'pass"word' };
  const challenge = (value: string, number: number) =>
    `RTSP/1.0 401 Unauthorized\r\nCSeq: ${number}\r\n${value}\r\n\r\n`;

  test('are answered here; ffmpeg sees neither them nor the password', () => {
    const { ask, answer, camera, ffmpeg } = dialogue(undefined, login);
    ask(describeRequest);
    answer(challenge('WWW-Authenticate: Basic realm="x"\r\nWWW-Authenticate: Digest realm="r", nonce="n"', 1));
    const h = (text: string) => createHash('md5').update(text).digest('hex');
    const uri = 'rtsp://camera/live/1?x=y';
    expect(camera[1]).toContain(`response="${h(`${h('me:r:pass"word')}:n:${h(`DESCRIBE:${uri}`)}`)}"`);
    answer('RTSP/1.0 200 OK\r\nCSeq: 2\r\n\r\n');
    expect(ffmpeg).toEqual(['RTSP/1.0 200 OK\r\nCSeq: 7\r\n\r\n']);
  });

  test('that were answered wrongly end it; one for an old nonce is answered once more', () => {
    const { ask, answer, camera } = dialogue(undefined, login);
    ask(describeRequest);
    answer(challenge('WWW-Authenticate: Digest realm="r", nonce="n"', 1));
    answer(challenge('WWW-Authenticate: Digest realm="r", nonce="m", stale=true', 2));
    expect(camera).toHaveLength(3);
    const refused = expect.objectContaining({ code: 'SOURCE_UNAUTHORIZED' });
    expect(() => answer(challenge('WWW-Authenticate: Digest realm="r", nonce="o", stale=true', 3))).toThrow(refused);
  });
});

test('messages and packets come out however the network cuts them', () => {
  const message = writeMessage({
    start: 'RTSP/1.0 200 OK',
    headers: [
      ['CSeq', '1'],
      ['Content-Length', '3'],
    ],
    body: Buffer.from('v=0'),
  });
  const packet = Buffer.from([0x24, 0, 0, 5, 1, 0x24, 3, 4, 5]);
  const bytes = Buffer.concat([message, packet, packet, Buffer.from('\r\n'), message, packet]);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
      const reader = new RtspReader();
      let from = 0;
      const kinds = [...cuts.sort((a, b) => a - b), bytes.length].flatMap((cut) => {
        const units = reader.push(bytes.subarray(from, cut));
        from = Math.max(from, cut);
        return units.map(({ kind }) => kind);
      });
      expect(kinds).toEqual(['message', 'bytes', 'bytes', 'message', 'bytes']);
    }),
  );
});

test('garbage and announced gigabytes are errors, never memory', () => {
  const push = (text: string | Buffer) => () => new RtspReader().push(Buffer.from(text));
  expect(push('HTTP')).not.toThrow();
  expect(push(Buffer.alloc(70_000, 'A'))).toThrow(expect.objectContaining({ code: 'SOURCE_PROTOCOL' }));
  expect(push('\x00\x01')).toThrow(expect.objectContaining({ code: 'SOURCE_PROTOCOL' }));
  expect(push('RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n')).toThrow(
    expect.objectContaining({ code: 'SOURCE_TOO_LARGE' }),
  );
});

test('a sender report tells the camera’s clock', () => {
  const report = Buffer.alloc(28);
  report[0] = 0x80;
  report[1] = 200;
  report.writeUInt32BE(2_208_988_800 + 1_700_000_000, 8);
  report.writeUInt32BE(0x80000000, 12);
  expect(senderReportTime(report)).toBe(1_700_000_000_500);
  expect(senderReportTime(report.subarray(0, 8))).toBeUndefined();
});

test.each([
  ['rtsp://u:p@Camera.EXAMPLE/live', 'camera.example', 554, 'rtsp://camera.example/live'],
  ['rtsp://0x7f000001:80/', '127.0.0.1', 80, 'rtsp://127.0.0.1:80/'],
  ['rtsp://[::1]:8554/a?b', '::1', 8554, 'rtsp://[::1]:8554/a?b'],
])('%s is taken apart, in one spelling and without credentials', (text, host, port, url) => {
  expect(parseRelayTarget(text, 'rtsp')).toMatchObject({ host, port, url });
  expect(() => parseRelayTarget(text, 'rtmp')).toThrow(expect.objectContaining({ code: 'SOURCE_URL_INVALID' }));
});
