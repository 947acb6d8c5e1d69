import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { CapturePool } from '../../../agent/pipeline/capture-pool.ts';
import { threadClock } from '../../../agent/pipeline/clocks.ts';
import type { UndatedFragment } from '../../../agent/report/fragments.ts';
import type { Assignment } from '../../../common/protocol/agent-link.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { eventually } from '../../support/eventually.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { missingForStreams, publish, startNginx, startRtspServer } from '../../support/streams/servers.ts';

const missing = missingForStreams();

function startPool(): CapturePool {
  const pool = new CapturePool({
    workers: 1,
    logger: silentLogger,
    settings: {
      session: '11111111-1111-4111-8111-111111111111',
      attemptHeader: false,
      egressAllow: ['127.0.0.0/8'],
      userAgent: 'camfleet-test',
      timeoutMs: 5_000,
      maxBytes: 1e6,
      maxPixels: 1e6,
      gate: { threshold: 4, maxAgeMs: 60_000, auditShare: 0 },
      concurrency: 16,
      pictureBytes: 1e7,
      fileRoots: [],
    },
  });
  onTestFinished(() => pool.close());
  pool.setTime(Date.now() - threadClock.monotonic());
  return pool;
}

const camera = (
  cameraId: number,
  transport: Assignment['source']['transport'],
  url: string,
  intervalMs: number,
): Assignment => ({
  cameraId,
  name: url,
  source: { transport, url },
  host: '127.0.0.1',
  intervalMs,
  priority: 5,
  memory: null,
});

test.skipIf(missing !== undefined)(
  `the capture threads take streams like other cameras (${missing ?? 'all installed'})`,
  async () => {
    const folder = await makeTestFolder('capture');
    const nginx = await startNginx(folder);
    const publisher = publish(`rtmp://127.0.0.1:${nginx.rtmpPort}/live/camera`);
    const rtsp = await startRtspServer({ size: [640, 480] });
    const dead = createServer();
    await new Promise<void>((done) => dead.listen(0, '127.0.0.1', done));
    const { port } = dead.address() as AddressInfo;
    await new Promise((done) => dead.close(done));
    onTestFinished(async () => {
      await Promise.all([publisher.end(), rtsp.process.end(), nginx.process.end()]);
      await rm(folder, { recursive: true, force: true });
    });

    const pool = startPool();
    const cameras = [
      camera(1, 'rtmp', `rtmp://127.0.0.1:${nginx.rtmpPort}/live/camera`, 12_000), // connects, takes one, leaves
      camera(2, 'rtsp', `rtsp://127.0.0.1:${rtsp.port}/camera`, 1_000), // stays
      camera(3, 'hls', `http://127.0.0.1:${nginx.httpPort}/hls/camera.m3u8`, 2_000),
      camera(4, 'rtsp', `rtsp://127.0.0.1:${port}/camera`, 20_000),
    ];
    const lease = new AbortController();
    const hosts = [{ host: '127.0.0.1', concurrency: 16, minDelayMs: 0 }];
    pool.take(
      { shardId: 1, token: 7, signal: lease.signal },
      { shardId: 1, token: 7, revision: 1, from: 0, cameras, hosts },
    );

    const all: UndatedFragment[] = [];
    const verdictsOf = (id: number): string[] =>
      all.filter(({ cameraId }) => cameraId === id).map(({ verdict }) => verdict);
    await eventually(
      async () => {
        all.push(...(await pool.collect()));
        return [1, 2, 3].every((id) => verdictsOf(id).includes('good')) && verdictsOf(4).length > 0;
      },
      { withinMs: 25_000, everyMs: 250, what: 'a good picture from each stream' },
    );
    expect(new Set(verdictsOf(4))).toEqual(new Set(['refused']));
    lease.abort(new Error('the test is over'));
  },
);
