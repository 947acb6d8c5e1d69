import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Assignment, Grant } from '../../../../common/protocol/agent-link.ts';
import { OUTCOME } from '../../../../common/domain/fragment.ts';
import { silentLogger } from '../../../../common/runtime/logger.ts';
import { sha256 } from '../../../../common/storage/digest.ts';
import { CapturePool } from '../../../../agent/pipeline/capture-pool.ts';
import { threadClock } from '../../../../agent/pipeline/clocks.ts';
import type { PictureClassifier } from '../../../../agent/pipeline/contracts.ts';
import type { UndatedFragment } from '../../../../agent/report/fragments.ts';
import { eventually } from '../../../support/eventually.ts';

const SESSION = '11111111-1111-4111-8111-111111111111';

/** A real camera host: `/still` never changes and answers 304, `/moving` changes, `/gone` is 404, `/busy` 429, `/hang` never answers. */
class CameraHost {
  readonly served: { id: string; status: number }[] = [];
  /** Requests for `/busy`. */
  asked = 0;
  readonly #server: Server;
  #pictures: Buffer[] = [];
  #next = 0;

  constructor() {
    this.#server = createServer((request, response) => {
      const id = String(request.headers['x-camfleet-attempt']);
      if (request.url === '/hang') return;
      const picture = request.url === '/moving' ? this.#pictures[this.#next++ % 8]! : this.#pictures[0]!;
      if (request.url === '/busy') {
        this.asked++;
        return void response.writeHead(429, { 'retry-after': '60' }).end();
      }
      const status = request.url === '/gone' ? 404 : request.headers['if-none-match'] === '"1"' ? 304 : 200;
      response.on('finish', () => this.served.push({ id, status }));
      const still = request.url === '/still' ? { etag: '"1"' } : {};
      response.writeHead(status, { 'content-type': 'image/jpeg', ...still });
      response.end(status === 200 ? picture : undefined);
    });
  }

  /** What `/still` shows. */
  get picture(): Buffer {
    return this.#pictures[0]!;
  }

  async listen(address = '127.0.0.1'): Promise<string> {
    this.#pictures = await Promise.all([...Array(8).keys()].map((seed) => noise(seed)));
    await new Promise<void>((resolve) => this.#server.listen(0, address, resolve));
    return `http://${address}:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

function noise(seed: number): Promise<Buffer> {
  const pixels = Buffer.from(Array.from({ length: 160 * 120 }, (_, i) => ((i * 7 * (seed + 3)) ^ (i >> 5)) & 255));
  return sharp(pixels, { raw: { width: 160, height: 120, channels: 1 } })
    .jpeg()
    .toBuffer();
}

describe('the capture pool', () => {
  let host: CameraHost;
  let base: string;
  let pool: CapturePool;
  let lease: AbortController;

  let calls = 0;
  const all: UndatedFragment[] = [];
  const scores = { fused: [{ label: 'street', score: 0.9 }], m0: [{ label: 'street', score: 0.9 }] };
  const classifier: PictureClassifier = {
    modelVersion: 'v1',
    classify: () => {
      calls++;
      return Promise.resolve({ modelVersion: 'v1', scores });
    },
  };

  // One pool for all: threads take seconds to load from sources.
  beforeAll(async () => {
    host = new CameraHost();
    base = await host.listen();
    pool = new CapturePool({
      workers: 2,
      classifier,
      logger: silentLogger,
      settings: {
        session: SESSION,
        attemptHeader: true,
        egressAllow: ['127.0.0.0/8'],
        userAgent: 'test',
        timeoutMs: 800,
        maxBytes: 1e6,
        maxPixels: 1e6,
        gate: { threshold: 4, maxAgeMs: 60_000, auditShare: 0 },
        concurrency: 16,
        pictureBytes: 1e7,
        fileRoots: [],
      },
    });
    pool.setTime(Date.now() - threadClock.monotonic());
  });
  afterAll(async () => {
    await pool.close();
    host.close();
  });
  beforeEach(() => {
    lease = new AbortController();
    all.splice(0);
  });
  afterEach(() => lease.abort(new Error('the test is over')));

  const camera = (cameraId: number, path: string, intervalMs = 100): Assignment => ({
    cameraId,
    name: path,
    source: { transport: 'snapshot', url: `${base}${path}` },
    host: '127.0.0.1',
    intervalMs,
    priority: 5,
    memory: null,
  });
  const grant = (...cameras: Assignment[]): Grant => ({
    shardId: 1,
    token: 7,
    revision: 1,
    from: 0,
    cameras,
    hosts: [{ host: '127.0.0.1', concurrency: 16, minDelayMs: 0 }],
  });
  const take = (...cameras: Assignment[]) => {
    const held = { shardId: 1, token: 7, signal: lease.signal };
    pool.take(held, grant(...cameras));
    return held;
  };

  const collected = async (of: number, least: number): Promise<UndatedFragment[]> =>
    eventually(
      async () => {
        all.push(...(await pool.collect()));
        const mine = all.filter(({ cameraId }) => cameraId === of);
        return mine.reduce((sum, { monotonic }) => sum + monotonic.length, 0) >= least ? mine : undefined;
      },
      { withinMs: 15_000, what: `${least} attempts of camera ${of}` },
    );
  const idsOf = (fragments: UndatedFragment[]): string[] =>
    fragments.flatMap(({ cameraId, firstSequence, monotonic, outcomes }) =>
      monotonic.flatMap((_, i) =>
        (outcomes[i]! & OUTCOME.frame) === 0 ? [] : [`${SESSION}/${cameraId}/${firstSequence + i}`],
      ),
    );

  test('every attempt ends in one verdict, and every counted frame is one that the camera served', async () => {
    take(camera(1, '/still'), camera(2, '/moving'), camera(3, '/gone'));
    await Promise.all([collected(1, 5), collected(2, 5), collected(3, 3)]);
    const counted = idsOf(all);
    const served = host.served.filter(({ status }) => status !== 404).map(({ id }) => id);
    expect(new Set(counted).size).toBe(counted.length);
    expect(served).toEqual(expect.arrayContaining(counted));
    const still = all.filter(({ cameraId }) => cameraId === 1);
    expect(new Set(still.map(({ verdict }) => verdict))).toEqual(new Set(['good']));
    expect(still.flatMap(({ outcomes }) => outcomes).filter((bits) => bits & OUTCOME.unchanged).length).toBeGreaterThan(
      2,
    );
    expect(all.find(({ cameraId }) => cameraId === 3)).toMatchObject({ verdict: 'http_error', frameDigest: null });
  });

  test('the newest picture of a fragment can be had by its digest', async () => {
    take(camera(11, '/still'));
    const [fragment] = await collected(11, 1);
    const bytes = await pool.picture(fragment!.frameDigest!);
    expect(sha256(bytes!)).toBe(fragment!.frameDigest);
    expect(await pool.picture('0'.repeat(64))).toBeNull();
  });

  test('a camera that comes with the memory of a bad picture shows it here, although it repeats it', async () => {
    const clean = { digest: sha256(host.picture), etag: '"1"', verdict: 'placeholder', seenAt: 1 } as const;
    take({ ...camera(12, '/still'), memory: { lastAttemptAt: 1, clean } });
    const [fragment] = await collected(12, 3);
    expect(fragment!.frameDigest).toBe(sha256(host.picture));
    expect(await pool.picture(fragment!.frameDigest!)).not.toBeNull();
    const statuses = host.served.filter(({ id }) => id.includes('/12/')).map(({ status }) => status);
    expect(statuses.slice(0, 3)).toEqual([200, 304, 304]);
  });

  test('a lost lease stops its cameras, and no sequence number is ever used twice', async () => {
    take(camera(21, '/moving'));
    await collected(21, 3);
    lease.abort(new Error('taken'));
    expect(pool.cameras).toBe(0);
    lease = new AbortController();
    take(camera(21, '/moving'));
    const fragments = await collected(21, 8);
    const numbers = fragments.flatMap(({ firstSequence, monotonic }) => monotonic.map((_, i) => firstSequence + i));
    expect(new Set(numbers).size).toBe(numbers.length);
    const ids = host.served.map(({ id }) => id).filter((id) => id.includes('/21/'));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('a changed camera is replaced without its neighbours noticing', async () => {
    const held = take(camera(31, '/gone'), camera(32, '/still'));
    await collected(31, 1);
    const delta = {
      shardId: 1,
      token: 7,
      revision: 2,
      upsert: [camera(31, '/moving'), camera(33, '/still')],
      remove: [],
      hosts: [],
    };
    pool.change(held, delta);
    await eventually(async () => {
      all.push(...(await pool.collect()));
      return all.some(({ cameraId, verdict }) => cameraId === 31 && verdict === 'good');
    });
    expect(pool.cameras).toBe(2);
    pool.begin(held, delta);
    await collected(33, 1);
    const still = all.filter(({ cameraId }) => cameraId === 32).map(({ firstSequence }) => firstSequence);
    expect(still.filter((sequence) => sequence === 0)).toHaveLength(1);
  });

  test('frames are classified once and then inherit while the scene does not change', async () => {
    pool.setModel('v1');
    take(camera(41, '/still'));
    const fragments = await collected(41, 4);
    expect(calls).toBe(1);
    expect(fragments[0]).toMatchObject({ label: 'street', modelVersion: 'v1' });
    const bits = fragments.flatMap(({ outcomes }) => outcomes);
    expect(bits[0]! & OUTCOME.classified).toBeTruthy();
    expect(bits.slice(1).every((bit) => bit & OUTCOME.gated)).toBe(true);
    expect(fragments.at(-1)?.memory.gate).toMatchObject({ label: 'street', modelVersion: 'v1' });
  });

  test('an attempt that hangs becomes a timeout, and one under way at a stop becomes nothing', async () => {
    take(camera(51, '/hang', 1_000));
    expect((await collected(51, 1))[0]).toMatchObject({ verdict: 'timeout' });
  });

  test('a thread that takes the place of one that died leaves the hosts alone that asked for it', async () => {
    // Of the same thread as 127.0.0.1.
    const busyHost = '127.0.0.9';
    const busy = new CameraHost();
    const url = `${await busy.listen(busyHost)}/busy`;
    take({ ...camera(61, '/busy'), host: busyHost, source: { transport: 'snapshot', url } }, camera(62, '/still'));
    await collected(61, 1);
    await collected(62, 1);
    // No message that a thread understands.
    pool.watch(null as never, 1);
    const sinceCrash = () => all.filter(({ cameraId, firstSequence }) => cameraId === 62 && firstSequence >= 1_000_000);
    await eventually(
      async () => {
        all.push(...(await pool.collect()));
        return sinceCrash().reduce((sum, { monotonic }) => sum + monotonic.length, 0) > 5;
      },
      { withinMs: 15_000, what: 'the new thread to work' },
    );
    expect(busy.asked).toBe(1);
    busy.close();
  });
});
