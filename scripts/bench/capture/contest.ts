import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../../common/runtime/errors.ts';
import { Pinned } from '../pinned.ts';
import type { Usage } from '../pinned.ts';
import type { ThreadProfile } from './profiling.ts';
import type { FarmPlace, Scenario, Turn } from './scenario.ts';

/** Each camera has been fetched so many times and the code is compiled: what comes later repeats itself. */
const WARM_UP_FETCHES = 3;
const WARM_UP_AT_MOST_MS = 60_000;
/** After a pause: connections that were closed meanwhile are open again. */
const RESUME_MS = 500;
/** Attempts without a frame: on this machine there is no reason for any but a few at the beginning. */
const MOST_FAILED = 0.01;

/** A contestant that can be measured for a while. */
export interface Contestant {
  /** Frames per CPU second, and the share of its core that the farm needed meanwhile. */
  turn(ms: number): Promise<{ rate: number; wallRate: number; farmBusy: number }>;
  stop(): Promise<void>;
}

const program = (name: string): URL => new URL(`./${name}.ts`, import.meta.url);

export const startFarmProcess = (cores: string): Pinned => new Pinned(program('farm-process'), cores);

export interface AgentOptions {
  place: FarmPlace;
  scenario: Scenario;
  workers: number;
  /** A process for each, with its part of the cameras. */
  cores: readonly string[];
}

/** One agent, or several that share the cameras and are measured together. */
export async function startAgents(
  farm: Pinned,
  { place, scenario, workers, cores }: AgentOptions,
): Promise<Contestant & { profile(ms: number): Promise<ThreadProfile[]> }> {
  const agents = cores.map((core) => new Pinned(program('agent-process'), core, [String(workers)]));
  const all = <T>(question: string): Promise<T[]> => Promise.all(agents.map((agent) => agent.ask<T>(question)));
  const [first] = agents as [Pinned];
  for (const [index, agent] of agents.entries()) {
    const part = partOf(place, index, agents.length);
    await agent.ask('prepare', { place: part, scenario });
    await warmUp(agent, part.cameras.length);
  }
  return {
    turn: async (ms) => {
      for (const agent of agents) agent.resume();
      await sleep(RESUME_MS);
      await all('begin');
      const busy = await farmBusyDuring(farm, ms);
      const turn = summed(await all<Turn>('end'));
      for (const agent of agents) agent.pause();
      return rated(checked(turn, scenario), busy);
    },
    profile: async (ms) => {
      first.resume();
      await first.ask('startProfile');
      await sleep(ms);
      const profiles = await first.ask<ThreadProfile[]>('endProfile');
      first.pause();
      return profiles;
    },
    stop: async () => void (await Promise.all(agents.map((agent) => agent.stop()))),
  };
}

/** Cameras of one host stay together, as with shards. */
function partOf(place: FarmPlace, index: number, parts: number): FarmPlace {
  const hosts = [...new Set(place.cameras.map(({ host }) => host))];
  const mine = new Set(hosts.filter((_, position) => position % parts === index));
  return { ...place, cameras: place.cameras.filter(({ host }) => mine.has(host)) };
}

/** CPU time of all of them; wall time of the longest. */
function summed(turns: readonly Turn[]): Turn {
  return turns.reduce((sum, turn) => ({
    frames: sum.frames + turn.frames,
    unchanged: sum.unchanged + turn.unchanged,
    failed: sum.failed + turn.failed,
    lastFailure: turn.lastFailure || sum.lastFailure,
    bytes: sum.bytes + turn.bytes,
    cpuMs: sum.cpuMs + turn.cpuMs,
    wallMs: Math.max(sum.wallMs, turn.wallMs),
  }));
}

async function warmUp(agent: Pinned, cameras: number): Promise<void> {
  const until = performance.now() + WARM_UP_AT_MOST_MS;
  await agent.ask('begin');
  let frames = 0;
  while (frames < cameras * WARM_UP_FETCHES && performance.now() < until) {
    await sleep(1_000);
    ({ frames } = await agent.ask<Turn>('end'));
  }
  agent.pause();
}

export async function startLoop(farm: Pinned, place: FarmPlace, cores: string): Promise<Contestant> {
  const loop = new Pinned(program('loop-process'), cores);
  await loop.ask('prepare', place);
  return {
    turn: async (ms) => {
      const [turn, busy] = await Promise.all([loop.ask<Turn>('run', ms), farmBusyDuring(farm, ms)]);
      return rated(turn, busy);
    },
    stop: () => loop.stop(),
  };
}

async function farmBusyDuring(farm: Pinned, ms: number): Promise<number> {
  const began = await farm.ask<Usage>('usage');
  await sleep(ms);
  const ended = await farm.ask<Usage>('usage');
  return (ended.cpuMs - began.cpuMs) / (ended.at - began.at);
}

const rated = ({ frames, cpuMs, wallMs }: Turn, farmBusy: number) => ({
  rate: (frames * 1_000) / cpuMs,
  wallRate: (frames * 1_000) / wallMs,
  farmBusy,
});

/** A benchmark of frames that are not what it says would measure nothing. */
function checked(turn: Turn, { name, mode }: Scenario): Turn {
  const { frames, unchanged, failed, lastFailure } = turn;
  const share = unchanged / Math.max(1, frames);
  const fits = mode === 'changed' ? share < 0.05 : share > 0.95;
  if (frames > 0 && fits && failed <= frames * MOST_FAILED) return turn;
  throw new AppError(
    'BENCH_FRAMES',
    `${name}: of ${frames + failed} attempts ${failed} failed (the last: ${lastFailure}), and ${unchanged} of ${frames} frames were unchanged. ` +
      'The farm did not serve what this part measures; is the machine out of memory or sockets?',
  );
}
