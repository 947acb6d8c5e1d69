import { cpus, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../common/runtime/errors.ts';
import { confusion, confusionTable, figuresOf } from './hostile/confusion.ts';
import { stateFigures, stateRows, stateTable } from './hostile/states.ts';
import { leaksIn } from './hostile/vitals.ts';
import type { HostilePlace, HostileScenario, HostileTurn, Vitals } from './hostile/scenario.ts';
import { Pinned } from './pinned.ts';
import type { Usage } from './pinned.ts';
import { benchOptions, machine, printResult } from './report.ts';

const USAGE = `bench:hostile: what an agent makes of cameras with every fault that the camera farm knows, all at once, and whether
well-behaved cameras beside them lose a frame.

The farm's cameras stand on loopback addresses, four to a host, three of ten stream MJPEG; faults are dealt out in turn. Some of
the well-behaved offer live HLS, which ffmpeg decodes, where there is an ffmpeg. The
agent is its own capture threads, fragments, reports and outbox in one process, as bench:capture builds it. First all cameras
are well for four intervals; then every hostile camera takes its fault, and every attempt from then on is counted.

Printed are two tables with a row a fault: the verdicts of all attempts, and the cameras by the state that the coordinator's own
rules give them after their last attempt. A state is wrong where a camera ends in another than its fault's, or was in one on the
way that is neither its fault's nor the one before; undecided are cameras whose fault showed fewer than three times, as where a
host asks for rest. wrongTransportStates counts wrong cameras, wrongContentShare is their share among faults of content; the
figures of verdicts count attempts. healthyLostFrames counts turns of well-behaved cameras that failed or did not take place.
Memory, descriptors and children of the agent are printed ten times; the figures are those of two intervals after the faults
began and of the end, and residentGrowth is their ratio. The exit code is 1 where a transport fault led to a wrong state, more
than 1 % of content faults did, a frame was lost, or what the agent holds was not flat: at the end more than 1.15 times the memory
of the start and 24 MB, or more than 1.1 times its descriptors and 32, or ever more children than streams.

  --cameras N    hostile cameras (default 1000); one well-behaved for every ten of them, at least ten
  --streams N    well-behaved cameras with HLS among them (default one for every hundred hostile ones, at least four)
  --interval N   seconds between two attempts of a camera (default 10)`;

const HEALTHY_SHARE = 0.1;
const STREAM_SHARE = 0.01;
const MOST_WRONG_CONTENT = 0.01;
/** Attempts that began before the faults have ended. */
const SETTLE_MS = 2_000;
const VITALS_LINES = 9;

const say = (text: string): void => console.error(text);
const program = (name: string): URL => new URL(`./hostile/${name}-process.ts`, import.meta.url);

function sayVitals(ms: number, { residentMb, descriptors, children }: Vitals): void {
  const after = `${(ms / 1_000).toFixed(0)} s`.padStart(7);
  say(`${after}: ${residentMb.toFixed(1)} MB resident, ${descriptors} descriptors, ${children} children`);
}

interface Run {
  place: HostilePlace;
  turn: HostileTurn;
  /** Before the faults began. */
  before: Vitals;
  /** From two intervals after they began, to the end. */
  vitals: Vitals[];
  cores: number;
}

async function run(farm: Pinned, agent: Pinned, scenario: HostileScenario, seconds: number): Promise<Run> {
  const place = await farm.ask<HostilePlace>('open', scenario);
  await agent.ask('prepare', { place, scenario });
  say(`${place.cameras.length} cameras answer well for ${(4 * scenario.intervalMs) / 1_000} s …`);
  await sleep(4 * scenario.intervalMs);
  const before = await agent.ask<Vitals>('vitals');
  await farm.ask('misbehave');
  await sleep(SETTLE_MS);
  await agent.ask('begin');
  const used = await agent.ask<Usage>('usage');
  say(`every hostile camera has its fault now; ${seconds} s are counted …`);
  const warm = Math.min((seconds * 1_000) / 2, 2 * scenario.intervalMs);
  await sleep(warm);
  const rest = seconds * 1_000 - warm;
  const vitals: Vitals[] = [];
  for (let part = 0; part <= VITALS_LINES; part++) {
    if (part > 0) await sleep(rest / VITALS_LINES);
    vitals.push(await agent.ask<Vitals>('vitals'));
    sayVitals(warm + (part * rest) / VITALS_LINES, vitals[part] as Vitals);
  }
  const turn = await agent.ask<HostileTurn>('end');
  const usedSince = await agent.ask<Usage>('usage');
  return {
    place,
    turn,
    before,
    vitals: [...vitals, turn.vitals],
    cores: (usedSince.cpuMs - used.cpuMs) / (usedSince.at - used.at),
  };
}

function figuresAt(name: 'Start' | 'End', { residentMb, descriptors, children }: Vitals): Record<string, number> {
  return { [`residentMb${name}`]: residentMb, [`descriptors${name}`]: descriptors, [`children${name}`]: children };
}

const isFine = (
  figures: Record<'wrongTransportStates' | 'wrongContentShare' | 'healthyLostFrames' | 'leaks', number>,
): boolean =>
  figures.wrongTransportStates === 0 &&
  figures.wrongContentShare <= MOST_WRONG_CONTENT &&
  figures.healthyLostFrames === 0 &&
  figures.leaks === 0;

function scenarioOf(flags: Readonly<Record<string, string | boolean>>): HostileScenario | undefined {
  const hostile = Number(flags['cameras'] || 1_000);
  const intervalMs = Number(flags['interval'] || 10) * 1_000;
  const streams = Number(flags['streams'] || Math.max(4, Math.round(hostile * STREAM_SHARE)));
  if (!(hostile >= 1 && hostile <= 5_000) || !(streams >= 0 && streams <= 100) || !(intervalMs >= 1_000))
    return undefined;
  return { hostile, healthy: Math.max(10, Math.round(hostile * HEALTHY_SHARE)), streams, intervalMs };
}

async function main(): Promise<number> {
  const { json, seconds, flags } = benchOptions(USAGE, {
    seconds: 600,
    flags: { cameras: 'string', streams: 'string', interval: 'string' },
  });
  const scenario = scenarioOf(flags);
  if (!scenario) {
    say('--cameras must be a number from 1 to 5000, --streams from 0 to 100, --interval at least 1 second.');
    return 2;
  }
  const cores = `0-${cpus().length - 1}`;
  const farm = new Pinned(program('farm'), cores);
  const agent = new Pinned(program('agent'), cores, ['2']);
  try {
    const { place, turn, before, vitals, cores: used } = await run(farm, agent, scenario, seconds);
    const start = vitals[0] as Vitals;
    const rows = confusion(place.cameras, turn);
    const states = stateRows(place.cameras, turn);
    say(`\n${confusionTable(rows)}\n\n${stateTable(states)}\n`);
    const leaks = leaksIn(vitals, before, place.cameras.filter(({ transport }) => transport === 'hls').length);
    for (const leak of leaks) say(`not flat: ${leak}`);
    const figures = {
      ...stateFigures(states),
      ...figuresOf(rows, place.cameras, turn, scenario.intervalMs),
      ...figuresAt('Start', start),
      ...figuresAt('End', turn.vitals),
      childrenMost: Math.max(...vitals.map(({ children }) => children)),
      leaks: leaks.length,
      residentGrowth: turn.vitals.residentMb / start.residentMb,
      agentCores: used,
      load: loadavg()[0] as number,
    };
    printResult({ bench: 'hostile', ratios: {}, figures, machine: machine() }, json);
    return isFine(figures) ? 0 : 1;
  } finally {
    await agent.stop();
    await farm.stop();
  }
}

process.exitCode = await main().catch((error: unknown) => {
  say(messageOf(error));
  return 1;
});
