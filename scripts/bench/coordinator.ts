import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, messageOf } from '../../common/runtime/errors.ts';
import { ShutdownStack } from '../../common/runtime/service.ts';
import { startHost } from './coordinator/host.ts';
import type { Host } from './coordinator/host.ts';
import type { Measured } from './coordinator/fleet-process.ts';
import { memoryOf, spentBy } from './coordinator/processes.ts';
import { Pinned } from './pinned.ts';
import { benchOptions, machine, printResult } from './report.ts';

const USAGE = `bench:coordinator: what a fleet costs its coordinator, by the number of cameras; each is asked once a minute.

The real coordinator process (coordinator/main.ts with its own PostgreSQL and Redis, defaults, a new data folder) runs on core 0.
Simulated agents, one for 100 cameras, live in one process on core 1; they join by invitation, keep a socket, hold
leases and hand in batches by HTTP with the agent's own link, keeper and clock. What their attempts come to is made up: a frame
with label, scores and gate memory each; 1 % fail, 2 % change the label, 0.1 % show something that the coordinator keeps a picture of.

Measured for a while after all cameras are held: CPU time of the coordinator and of PostgreSQL with all of its processes (cores), p99 of
renewals and batches as the agents see them, resident memory. Then a tenth of the agents die at once, and the time counts until
others have accepted all of their cameras (releaseSeconds; 15 s of it is the TTL). Figures without a size are those of the largest fleet.

  --cameras LIST  sizes of the fleet (default 1000,10000,100000)`;

/** One report of everybody, and the database's statistics settle. */
const SETTLE_MS = 15_000;
const HELD_WITHIN_MS = 600_000;
const RELEASED_WITHIN_MS = 120_000;
const CAMERAS_PER_HOST = 3;
/** A fleet whose attempts do not count measures something else. */
const MOST_UNCOUNTED = 0.01;

const say = (text: string): void => console.error(text);

/** What a fleet of one size costs while nothing happens. */
interface Level {
  cores: number;
  coordinatorCores: number;
  databaseCores: number;
  memoryMb: number;
  coordinatorMb: number;
  databaseMb: number;
  acceptSeconds: number;
  seen: Measured;
  agentCores: number;
}

async function measure(cameras: number, seconds: number): Promise<Level & { releaseSeconds: number }> {
  const shutdown = new ShutdownStack();
  const interrupted = (): void => void shutdown.stop().then(() => process.exit(1));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupted);
  try {
    const host = await startHost('0', shutdown);
    const fleet = new Pinned(new URL('./coordinator/fleet-process.ts', import.meta.url), '1');
    shutdown.defer('agents', () => fleet.stop());
    const acceptSeconds = await settle(host, fleet, cameras);
    const before = spentBy(host.pid);
    await fleet.ask('reset');
    const idle = await fleet.ask<Measured>('read');
    await sleep(seconds * 1_000);
    const seen = await fleet.ask<Measured>('read');
    const after = spentBy(host.pid);
    const memory = memoryOf(host.pid);
    checkCounted(seen, cameras);
    const wall = after.at - before.at;
    const coordinatorCores = (after.coordinatorMs - before.coordinatorMs) / wall;
    const databaseCores = (after.databaseMs - before.databaseMs) / wall;
    const level: Level = {
      ...{ cores: coordinatorCores + databaseCores, coordinatorCores, databaseCores },
      memoryMb: memory.coordinatorMb + memory.databaseMb + memory.redisMb,
      ...{ coordinatorMb: memory.coordinatorMb, databaseMb: memory.databaseMb },
      ...{ acceptSeconds, seen, agentCores: (seen.cpuMs - idle.cpuMs) / (seen.at - idle.at) },
    };
    // Told before the agents die: a fleet that does not recover has a cost all the same.
    sayLevel(cameras, level);
    return { ...level, releaseSeconds: await release(fleet, Math.ceil(agentsFor(cameras) / 10)) };
  } finally {
    await shutdown.stop();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, interrupted);
  }
}

const agentsFor = (cameras: number): number => Math.max(2, Math.ceil(cameras / 100));

/** Agents first, then cameras: one plan deals all of them out. Returns the seconds from import to the last acceptance. */
async function settle(host: Host, fleet: Pinned, cameras: number): Promise<number> {
  const count = agentsFor(cameras);
  for (let from = 0; from < count; from += 1_000) {
    const uses = Math.min(1_000, count - from);
    const { invitation } = await host.api.post<{ invitation: string }>('/agents/invitations', { uses });
    await fleet.ask('connect', { url: host.api.url, invitation, count: uses });
  }
  say(`  ${count} agents are connected`);
  const began = performance.now();
  await host.api.upload('/cameras/import?format=csv', Buffer.from(registryOf(cameras)));
  await host.rememberPictures();
  say(`  imported after ${((performance.now() - began) / 1_000).toFixed(1)} s`);
  for (let held = 0; held < cameras;) {
    if (performance.now() - began > HELD_WITHIN_MS)
      throw new AppError(
        'BENCH_NOT_HELD',
        `Only ${held} of ${cameras} cameras were accepted in ${HELD_WITHIN_MS / 1_000} s.`,
      );
    await sleep(250);
    held = await fleet.ask<number>('held');
  }
  const seconds = (performance.now() - began) / 1_000;
  say(`  all cameras are held after ${seconds.toFixed(1)} s`);
  await sleep(SETTLE_MS);
  return seconds;
}

function registryOf(cameras: number): string {
  const rows = Array.from({ length: cameras }, (_, index) => {
    const host = `host-${Math.floor(index / CAMERAS_PER_HOST)}.example.net`;
    const [latitude, longitude] = [((index * 7919) % 12_000) / 100 - 60, ((index * 104_729) % 36_000) / 100 - 180];
    return `bench,${index},ip,http,${host},80,/camera/${index}.jpg,Camera ${index},${latitude},${longitude},US,60`;
  });
  const header =
    'source,source_camera_id,kind,scheme,host,port,snapshot_path,name,latitude,longitude,country,interval_seconds';
  return [header, ...rows].join('\n');
}

function checkCounted({ attempts, uncounted, errors }: Measured, cameras: number): void {
  if (attempts > 0 && uncounted <= attempts * MOST_UNCOUNTED) return;
  throw new AppError(
    'BENCH_UNCOUNTED',
    `${cameras} cameras: of ${attempts} attempts ${uncounted} did not count, ${errors} requests failed; the machine is too slow for this size.`,
  );
}

async function release(fleet: Pinned, agents: number): Promise<number> {
  const killed = fleet.ask<{ cameras: number; seconds: number }>('kill', agents);
  const timeout = new AbortController();
  const late = sleep(RELEASED_WITHIN_MS, undefined, { signal: timeout.signal }).then(async () => {
    const waiting = await fleet.ask<number>('waitingFor');
    throw new AppError(
      'BENCH_NOT_RELEASED',
      `${waiting} cameras of dead agents had no new holder after ${RELEASED_WITHIN_MS / 1_000} s.`,
    );
  });
  late.catch(() => undefined);
  const { cameras, seconds } = await Promise.race([killed, late]).finally(() => timeout.abort());
  say(`  ${agents} agents died; their ${cameras} cameras were accepted after ${seconds.toFixed(1)} s`);
  return seconds;
}

function sayLevel(cameras: number, level: Level): void {
  const { seen } = level;
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  say(
    [
      `  ${level.cores.toFixed(3)} cores (coordinator ${level.coordinatorCores.toFixed(3)}, database ${level.databaseCores.toFixed(3)}), ` +
        `${level.memoryMb.toFixed(0)} MB (coordinator ${level.coordinatorMb.toFixed(0)}, database ${level.databaseMb.toFixed(0)})`,
      `  ${seen.renewals} renewals p50 ${ms(seen.renewP50Ms)} p99 ${ms(seen.renewP99Ms)}; ${seen.batches} batches p50 ${ms(seen.intakeP50Ms)} p99 ${ms(seen.intakeP99Ms)}`,
      `  ${seen.attempts} attempts (${(seen.attempts / cameras).toFixed(2)} a camera), ${seen.uncounted} not counted, ${seen.pictures} pictures, ${seen.errors} errors`,
      `  simulated agents: ${level.agentCores.toFixed(2)} cores, timers late by p99 ${ms(seen.loopDelayP99Ms)}; load ${loadavg()[0]?.toFixed(1)}`,
    ].join('\n'),
  );
}

function sizesFrom(list: string): number[] | undefined {
  const sizes = (list === '' ? '1000,10000,100000' : list).split(',').map(Number);
  return sizes.every((size) => Number.isInteger(size) && size >= 100 && size <= 1_000_000) ? sizes : undefined;
}

const suffix = (cameras: number): string => (cameras % 1_000 === 0 ? `${cameras / 1_000}k` : String(cameras));

async function main(): Promise<number> {
  const { json, seconds, flags } = benchOptions(USAGE, { seconds: 60, flags: { cameras: 'string' } });
  const sizes = sizesFrom(flags['cameras'] as string);
  if (!sizes) {
    say(`--cameras must be numbers from 100 to 1000000 with commas between them, not ${String(flags['cameras'])}.`);
    return 2;
  }
  const figures: Record<string, number> = {};
  for (const cameras of sizes.toSorted((a, b) => a - b)) {
    say(`${cameras} cameras, ${agentsFor(cameras)} agents`);
    const level = await measure(cameras, seconds);
    figures[`coresAt${suffix(cameras)}`] = level.cores;
    figures[`releaseSecondsAt${suffix(cameras)}`] = level.releaseSeconds;
    Object.assign(figures, figuresOf(level));
  }
  printResult({ bench: 'coordinator', ratios: {}, figures, machine: machine() }, json);
  return 0;
}

/** Of the largest fleet: it is measured last. */
function figuresOf({ seen, ...level }: Level & { releaseSeconds: number }): Record<string, number> {
  const { coordinatorCores, databaseCores, memoryMb, coordinatorMb, databaseMb, acceptSeconds, releaseSeconds } = level;
  return {
    ...{ coordinatorCores, databaseCores, memoryMb, coordinatorMb, databaseMb, acceptSeconds, releaseSeconds },
    ...{ renewP50Ms: seen.renewP50Ms, renewP99Ms: seen.renewP99Ms },
    ...{ intakeP50Ms: seen.intakeP50Ms, intakeP99Ms: seen.intakeP99Ms, agentTimersLateP99Ms: seen.loopDelayP99Ms },
  };
}

process.exitCode = await main().catch((error: unknown) => {
  say(messageOf(error));
  return 1;
});
