import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { EgressRule } from '../../../agent/sources/egress.ts';
import { HostLimiter } from '../../../agent/sources/host-limiter.ts';
import { HttpClient } from '../../../agent/sources/http.ts';
import { createSource } from '../../../agent/sources/kinds.ts';
import type { EncodedFrame } from '../../../common/domain/frame.ts';
import { systemClock } from '../../../common/runtime/clock.ts';

const closers: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const PICTURE = Buffer.from('ffd8ffdb0003ff00ffda000301aabbccffd9', 'hex');
const part = (serial: number, stamp = ''): Buffer =>
  Buffer.concat([
    Buffer.from(`--b\r\nContent-Type: image/jpeg\r\nX-Part-Serial: ${serial}\r\n${stamp}\r\n`),
    PICTURE,
    Buffer.from('\r\n'),
  ]);

async function setUp(
  feed: (response: ServerResponse) => void,
  extra: { stallMs?: number; minIntervalMs?: number } = {},
) {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'multipart/x-mixed-replace; boundary="b"' });
    feed(response);
  });
  const port = await new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  );
  const limiter = new HostLimiter({ clock: systemClock, concurrency: 1, minDelayMs: 0 });
  const egress = new EgressRule({ allow: ['127.0.0.0/8'] });
  const http = new HttpClient({ egress, limiter, clock: systemClock, userAgent: 'camfleet-test', deadlineMs: 2_000 });
  closers.push(
    () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))),
    () => http.close(),
  );
  const { minIntervalMs = 0, stallMs = 5_000 } = extra;
  const spec = { transport: 'mjpeg', url: `http://127.0.0.1:${port}/video`, minIntervalMs } as const;
  return { source: createSource(spec, { http, clock: systemClock, stallMs }), http, limiter, server };
}

test('pictures come with serial and time, and leaving the loop closes the connection', async () => {
  let closed = false;
  const stamp = Math.floor(Date.now() / 1_000) - 30;
  const { source, http, limiter } = await setUp((response) => {
    let serial = 0;
    const timer = setInterval(() => response.write(part(++serial, `X-Timestamp: ${stamp}.25\r\n`)), 10);
    response.on('close', () => (clearInterval(timer), (closed = true)));
  });
  const frames: EncodedFrame[] = [];
  for await (const frame of source.frames(new AbortController().signal)) {
    frames.push(frame);
    expect(limiter.size).toBe(0); // a running stream does not hold the host's turn
    if (frames.length === 3) break;
  }
  expect(frames[0]).toMatchObject({ serial: 1, capturedAt: { at: stamp * 1_000 + 250, origin: 'stream' } });
  expect(frames.every(({ bytes }) => bytes!.subarray(0, 4).equals(PICTURE.subarray(0, 4)))).toBe(true);
  await expect.poll(() => closed).toBe(true);
  expect(http.stats).toEqual({ idle: 0, busy: 0, origins: 0 });
});

test('with an interval the pictures in between are skipped', async () => {
  const { source } = await setUp(
    (response) => {
      let serial = 0;
      const timer = setInterval(() => response.write(part(++serial)), 10);
      response.on('close', () => clearInterval(timer));
    },
    { minIntervalMs: 150 },
  );
  const frames: EncodedFrame[] = [];
  for await (const frame of source.frames(new AbortController().signal)) if (frames.push(frame) === 3) break;
  expect(frames[2]!.fetchedAt - frames[0]!.fetchedAt).toBeGreaterThanOrEqual(250);
  expect(frames[1]!.serial! - frames[0]!.serial!).toBeGreaterThan(3);
});

test('the stall time is learned: a fast stream that stands still is given up long before the fifteen seconds of a slow one', async () => {
  const { source } = await setUp(
    (response) => {
      let serial = 0;
      const timer = setInterval(() => {
        response.write(part(++serial));
        if (serial === 30) clearInterval(timer);
      }, 10);
      response.on('close', () => clearInterval(timer));
    },
    { stallMs: 15_000 },
  );
  const read = async (): Promise<void> => {
    for await (const _ of source.frames(new AbortController().signal)) void _;
  };
  await expect(read()).rejects.toMatchObject({ code: 'SOURCE_TIMEOUT', details: { timeoutMs: 5_000 } });
});

test('a stream that brings no more pictures is given up after the stall time', async () => {
  const { source } = await setUp((response) => void response.write(part(1)), { stallMs: 300 });
  const seen: EncodedFrame[] = [];
  const reading = (async () => {
    for await (const frame of source.frames(new AbortController().signal)) seen.push(frame);
  })();
  await expect(reading).rejects.toMatchObject({ code: 'SOURCE_TIMEOUT' });
  expect(seen).toHaveLength(1);
});

test.each([
  ['a picture that goes on for ever', Buffer.alloc(100, 0x55), 'SOURCE_TIMEOUT'],
  ['empty lines', Buffer.from('\r\n'.repeat(1_000)), 'SOURCE_TIMEOUT'],
  ['boundaries with nothing between them', Buffer.from('\r\n--b\r\n'.repeat(100)), 'SOURCE_TIMEOUT'],
  ['a picture beyond the cap', Buffer.alloc(1_000_000, 0x55), 'SOURCE_TOO_LARGE'],
])('a stream that never stops sending %s is given up', async (_, bytes, code) => {
  const { source } = await setUp(
    (response) => {
      response.write(Buffer.concat([part(1), part(2).subarray(0, -6)]));
      const timer = setInterval(() => response.write(bytes), 20);
      response.on('close', () => clearInterval(timer));
    },
    { stallMs: code === 'SOURCE_TIMEOUT' ? 300 : 5_000 },
  );
  const seen: EncodedFrame[] = [];
  const reading = (async () => {
    for await (const frame of source.frames(new AbortController().signal)) seen.push(frame);
  })();
  await expect(reading).rejects.toMatchObject({ code });
  expect(seen.length).toBeLessThanOrEqual(2);
});

test('the end of the stream and the end of the lease end the run', async () => {
  const { source } = await setUp((response) => void response.end(part(1)));
  const ended = (async () => {
    for await (const frame of source.frames(new AbortController().signal)) expect(frame.serial).toBe(1);
  })();
  await expect(ended).rejects.toMatchObject({ code: 'SOURCE_ENDED' });
  const other = await setUp((response) => void response.write(part(1)));
  const lease = new AbortController();
  const cut = (async () => {
    for await (const { serial } of other.source.frames(lease.signal))
      lease.abort(new Error(`lease taken at ${serial}`));
  })();
  await expect(cut).rejects.toThrow('lease taken at 1');
});
