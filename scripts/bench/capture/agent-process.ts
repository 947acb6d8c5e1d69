import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CoordinatorTime } from '../../../agent/leases/time.ts';
import type { Lease } from '../../../agent/leases/keeper.ts';
import { CoordinatorHttp } from '../../../agent/link/coordinator-http.ts';
import { CapturePool } from '../../../agent/pipeline/capture-pool.ts';
import { threadClock } from '../../../agent/pipeline/clocks.ts';
import type { UndatedFragment } from '../../../agent/report/fragments.ts';
import { Outbox } from '../../../agent/report/outbox.ts';
import { Reporter } from '../../../agent/report/reporter.ts';
import { OUTCOME } from '../../../common/domain/fragment.ts';
import type { Grant } from '../../../common/protocol/agent-link.ts';
import { createLogger } from '../../../common/runtime/logger.ts';
import { answerQuestions, usage } from '../pinned.ts';
import type { Usage } from '../pinned.ts';
import { Profiling } from './profiling.ts';
import type { FarmPlace, Scenario, Turn } from './scenario.ts';

// The agent's own parts, put together as agent.ts does: capture threads, fragments, outbox, reports. Without a coordinator there
// is no link, so the one grant is made up here.

const workers = Number(process.argv[2] ?? 1);
const logger = createLogger({ level: 'warn', base: { app: 'bench agent' } });
const session = randomUUID();
const dataFolder = await mkdtemp(join(tmpdir(), 'camfleet-bench-agent-'));
const time = new CoordinatorTime();
const profiling = new Profiling();

// As agent/main.ts sets them by default, but for the loopback addresses.
const pool = new CapturePool({
  workers,
  logger,
  settings: {
    session,
    attemptHeader: false,
    egressAllow: ['127.0.0.0/8'],
    userAgent: 'camfleet/0.1 (public camera observation)',
    timeoutMs: 10_000,
    maxBytes: 8_000_000,
    maxPixels: 40_000_000,
    gate: { threshold: 4, maxAgeMs: 600_000, auditShare: 0.02 },
    concurrency: 256,
    pictureBytes: 64_000_000,
    fileRoots: [],
  },
});

const counted = { frames: 0, unchanged: 0, failed: 0, bytes: 0 };
let lastFailure = '';
let outbox: Outbox;
let reporter: Reporter;
let began: { usage: Usage; counted: typeof counted };

async function prepare({ place, scenario }: { place: FarmPlace; scenario: Scenario }): Promise<void> {
  outbox = new Outbox({
    folder: join(dataFolder, 'outbox'),
    session,
    maxBytes: 2_000_000_000,
    sender: new CoordinatorHttp({ url: place.sink }),
    clock: threadClock,
    logger,
    onReceipt: ({ reportMs }) => reporter.setPeriod(reportMs),
  });
  reporter = new Reporter({
    collect: async () => count(await pool.collect()),
    date: (instant) => time.date(instant),
    outbox,
    clock: threadClock,
    logger,
    onFull: (reason) => logger.error({ reason }, 'outbox full'),
    onRoom: () => undefined,
  });
  await outbox.start();
  reporter.start();
  anchor();
  const lease: Lease = { shardId: 1, token: 1, signal: new AbortController().signal };
  pool.take(lease, grantOf(place, scenario));
}

/** What a renewal's answer does every 5 s. */
function anchor(): void {
  const monotonic = threadClock.monotonic();
  const instant = { monotonic, skew: threadClock.now() - monotonic };
  time.addAnchor(instant, instant, threadClock.now());
  pool.setTime(time.offset(instant) as number);
}

function grantOf({ cameras }: FarmPlace, { intervalMs }: Scenario): Grant {
  return {
    shardId: 1,
    token: 1,
    revision: 1,
    from: Date.now(),
    cameras: cameras.map(({ url, host, name }, index) => ({
      ...{ cameraId: index + 1, name, host, intervalMs, priority: 0, memory: null },
      source: { transport: 'snapshot', url },
    })),
    hosts: [...new Set(cameras.map(({ host }) => host))].map((host) => ({ host, concurrency: 2, minDelayMs: 0 })),
  };
}

function count(fragments: UndatedFragment[]): UndatedFragment[] {
  for (const { outcomes, bytes, verdict, evidence } of fragments) {
    for (const outcome of outcomes) {
      if (outcome & OUTCOME.frame) counted.frames++;
      else {
        counted.failed++;
        lastFailure = `${verdict} ${JSON.stringify(evidence)}`;
      }
      if (outcome & OUTCOME.unchanged) counted.unchanged++;
    }
    counted.bytes += bytes;
  }
  return fragments;
}

/** Everything that was captured is counted, written and delivered: reports are part of what is measured. */
async function deliver(): Promise<void> {
  await reporter.flush();
  await outbox.flushed(AbortSignal.timeout(30_000));
}

async function begin(): Promise<void> {
  anchor();
  await deliver();
  began = { usage: usage(), counted: { ...counted } };
}

async function end(): Promise<Turn> {
  await deliver();
  const ended = usage();
  const since = (name: keyof typeof counted): number => counted[name] - began.counted[name];
  return {
    ...{ frames: since('frames'), unchanged: since('unchanged'), failed: since('failed'), bytes: since('bytes') },
    lastFailure,
    cpuMs: ended.cpuMs - began.usage.cpuMs,
    wallMs: ended.at - began.usage.at,
  };
}

answerQuestions(
  { prepare, begin, end, startProfile: () => profiling.start(), endProfile: () => profiling.end() },
  async () => {
    reporter?.stop();
    outbox?.stop();
    await pool.close();
    await rm(dataFolder, { recursive: true, force: true });
  },
);
