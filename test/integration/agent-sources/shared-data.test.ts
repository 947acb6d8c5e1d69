import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CapturePool } from '../../../agent/pipeline/capture-pool.ts';
import type { UndatedFragment } from '../../../agent/report/fragments.ts';
import type { Verdict } from '../../../common/domain/verdict.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { eventually } from '../../support/eventually.ts';

const shared = process.env['CAMFLEET_SHARED'] ?? resolve(import.meta.dirname, '../../../../shared');
const PICTURES = [
  'jpegs/corrupt',
  'jpegs/odd',
  'cameras/helios',
  'cameras/sydney',
  'cameras/oneday',
  'cameras/placeholders',
];
const MULTIPART = 'multipart-no-content-length.mjpg';
const ROUNDS = 6;
/** Until buffers have the size that they keep. */
const WARM_ROUNDS = 2;
// The rounds after that decode to 380 MB of pixels: whoever keeps a third of them shows.
const MOST_GROWTH = 120e6;
/** Open files and sockets of this process: the pipeline's threads live in it. A few come and go with timers and the test's server. */
const MOST_MORE_HANDLES = 8;
const handles = (): number => (existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0);

/** Files of a folder, each a camera; `.mjpg` and `.mjpeg` are answers of streams. */
const filesOf = (folder: string): string[] =>
  readdirSync(join(shared, folder))
    .sort()
    .map((name) => `${folder}/${name}`);

describe.skipIf(!existsSync(join(shared, 'jpegs')))(
  'the pipeline on every stored picture (needs the shared data)',
  () => {
    let server: Server;
    let pool: CapturePool;
    let residentWarm = 0;
    let handlesBefore = 0;
    /** Digests of the pictures that the pipeline offers for keeping, and those that it has no more. */
    const offered = new Map<string, string>();
    const lost: string[] = [];
    const lease = new AbortController();
    const files = existsSync(join(shared, 'jpegs')) ? [...PICTURES, 'cameras/mjpeg'].flatMap(filesOf) : [];
    const verdicts = new Map<string, Verdict[]>();
    const serve = createServer((request, response) => {
      const file = decodeURIComponent(request.url!.slice(1));
      const type = file.endsWith(MULTIPART)
        ? 'multipart/x-mixed-replace; boundary=myboundary'
        : 'application/octet-stream';
      response.writeHead(200, { 'content-type': type }).end(readFileSync(join(shared, file)));
    });

    beforeAll(async () => {
      server = serve;
      handlesBefore = handles();
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
      pool = new CapturePool({
        workers: 2,
        logger: silentLogger,
        settings: {
          session: '22222222-2222-4222-8222-222222222222',
          attemptHeader: false,
          egressAllow: ['127.0.0.0/8'],
          userAgent: 'camfleet-test',
          timeoutMs: 10_000,
          maxBytes: 8_000_000,
          maxPixels: 40_000_000,
          gate: { threshold: 4, maxAgeMs: 600_000, auditShare: 0 },
          concurrency: 32,
          pictureBytes: 64_000_000,
          fileRoots: [],
        },
      });
      const { port } = server.address() as AddressInfo;
      const cameras = files.map((file, index) => ({
        ...{ cameraId: index + 1, name: file, host: `h${index % 64}`, intervalMs: 10_000, priority: 0, memory: null },
        source: {
          transport: file.startsWith('cameras/mjpeg/') ? ('mjpeg' as const) : ('snapshot' as const),
          url: `http://127.0.0.1:${port}/${encodeURIComponent(file)}`,
        },
      }));
      const hosts = [{ host: '127.0.0.1', concurrency: 32, minDelayMs: 0 }];
      pool.setTime(Date.now() - performance.now());
      pool.take(
        { shardId: 1, token: 1, signal: lease.signal },
        { shardId: 1, token: 1, revision: 1, from: Date.now(), cameras, hosts },
      );
      for (let round = 1; round <= ROUNDS; round++) {
        await untilEveryoneWasTried(round);
        if (round === WARM_ROUNDS) residentWarm = process.memoryUsage.rss();
      }
    }, 120_000);

    async function untilEveryoneWasTried(times: number): Promise<void> {
      pool.captureNow(files.map((_, index) => index + 1));
      const tried = async (): Promise<boolean> => {
        await note(await pool.collect());
        return files.every((file) => (verdicts.get(file)?.length ?? 0) >= times);
      };
      await eventually(tried, { withinMs: 60_000, everyMs: 200, what: `attempt ${times} of every file` });
    }

    async function note(fragments: readonly UndatedFragment[]): Promise<void> {
      for (const { cameraId, verdict, monotonic, frameDigest } of fragments) {
        const file = files[cameraId - 1]!;
        verdicts.set(file, [...(verdicts.get(file) ?? []), ...monotonic.map(() => verdict)]);
        if (frameDigest === null || offered.has(file)) continue;
        offered.set(file, frameDigest);
        const kept = await pool.picture(frameDigest);
        if (!kept || createHash('sha256').update(kept).digest('hex') !== frameDigest) lost.push(file);
      }
    }

    afterAll(async () => {
      lease.abort();
      await pool?.close();
      server?.closeAllConnections();
      server?.close();
    });

    const tally = (folder: string): Partial<Record<Verdict, number>> => {
      const counts: Partial<Record<Verdict, number>> = {};
      for (const [file, [first]] of verdicts)
        if (file.startsWith(`${folder}/`)) counts[first!] = (counts[first!] ?? 0) + 1;
      return counts;
    };

    test('no file crashes or hangs a capture thread: each has a verdict in every round, and the same one', () => {
      expect(verdicts.size).toBe(files.length);
      const changing = [...verdicts].filter(([, all]) => new Set(all).size > 1);
      expect(changing).toEqual([]);
      const failed = [...verdicts].filter(([, all]) =>
        all.some((verdict) => verdict === 'failed' || verdict === 'timeout'),
      );
      expect(failed).toEqual([]);
    });

    test('every good frame is kept, and what is none is told', () => {
      expect(tally('cameras/helios')).toEqual({ good: 100 });
      expect(tally('cameras/sydney')).toEqual({ good: 107 });
      expect(tally('cameras/oneday')).toEqual({ good: 156, empty: 10, not_an_image: 3 });
      expect(tally('cameras/placeholders')).toEqual({ good: 6, black: 1 });
      expect(tally('jpegs/odd')).toMatchObject({ corrupt: 3, oversized: 1 });
      expect(Object.keys(tally('jpegs/corrupt')).sort()).toEqual(['corrupt', 'good', 'oversized']);
      // The capture of the stream begins with a picture that is black through and through.
      expect(tally('cameras/mjpeg')).toEqual({ good: 1, black: 1 });
    });

    test('every good frame can be kept: its bytes are there, just as the camera sent them', () => {
      expect(lost).toEqual([]);
      const good = [...verdicts].filter(([, [first]]) => first === 'good').map(([file]) => file);
      expect(good.filter((file) => !offered.has(file))).toEqual([]);
      const snapshots = good.filter((file) => !file.startsWith('cameras/mjpeg/'));
      const changed = snapshots.filter((file) => digestOf(file) !== offered.get(file));
      expect(changed).toEqual([]);
    });

    const digestOf = (file: string): string =>
      createHash('sha256')
        .update(readFileSync(join(shared, file)))
        .digest('hex');

    test('memory does not grow with the rounds', () => {
      expect(process.memoryUsage.rss() - residentWarm).toBeLessThan(MOST_GROWTH);
    });

    test('nothing stays open once the rounds are over', async () => {
      const connections = () => new Promise<number>((done) => server.getConnections((_error, count) => done(count)));
      // Kept connections are closed after 4 s without use.
      await eventually(async () => (await connections()) <= 64, { what: 'connections to be given back' });
      lease.abort();
      await pool.close();
      server.closeAllConnections();
      await eventually(() => handles() <= handlesBefore + MOST_MORE_HANDLES, { what: 'all handles to be closed' });
    });
  },
);
