import { loadavg } from 'node:os';
import { ShutdownStack } from '../../common/runtime/service.ts';
import { messageOf } from '../../common/runtime/errors.ts';
import { startAgents, startFarmProcess, startLoop } from './capture/contest.ts';
import type { Contestant } from './capture/contest.ts';
import type { ThreadProfile } from './capture/profiling.ts';
import { CHANGED_352, CHANGED_720, FAILING_352, FAILING_SHARES, failingBeside, UNCHANGED_352 } from './capture/scenario.ts'; // prettier-ignore
import type { FarmPlace, Scenario } from './capture/scenario.ts';
import type { Pinned } from './pinned.ts';
import { benchOptions, machine, median, pairedRatio, printResult } from './report.ts';

const USAGE = `bench:capture: frames that a CPU second of the agent fetches, cleans and reports, against a plain loop of undici's fetch and
sharp that fetches, decodes and resizes (224x224) the same frames from the same cameras, 32 at a time.

2,000 farm cameras on 200 addresses answer from memory on core 1; agent and loop take turns on core 0. The agent is its own
capture threads, fragments, reports and outbox in one process; a sink in the farm's process takes its batches and answers with
receipts. What is missing of a whole agent is the link to a coordinator (one renewal in 5 s) and the classifier. The cameras are
asked as fast as the core can: politeness allows 2 requests at a time to a host and no pause between them, connections are
therefore kept, and a fragment holds several attempts; a fleet that asks once a minute pays for a connection and a fragment each time.

CPU time is that of the whole process with all threads, user and system. A run in which the farm's core is more than 80 % busy
is void (exit 1): the agent would be waiting for the farm. Busy is the CPU time of the farm's own process by wall time, so that
an agent beside it on core 1 (parts scale and agents) does not count as the farm; there more than 80 % means that too little of the
core was left for the agent. In part scale a second agent with two capture threads on both
cores shares core 1 with the farm; it therefore compares CPU time, not frames a second of wall time: scaleTwoCores is two times the frames per
CPU second with two threads, divided by those with one; 2 means that a second core adds as much as the first one has.
Part agents is the same with two agent processes that share the cameras, on a core each: scaleTwoAgents.

Part failing asks the 2,000 healthy cameras alone, and with failing ones beside them that are 1 % and 20 % of all (on hosts of
their own, in ten ways: some hang, stall or break off, some refuse, redirect or ask for rest), by three agents that take turns
on core 0. failing1 and failing20 are the frames of the healthy ones a second of wall time, divided by those without failing
cameras; failing1PerCpu and failing20PerCpu the same by CPU second. Run it on a quiet machine: the core is to be the agent's.

  --profile      where the CPU time of the agent goes, by function, after each part
  --part NAME    only this part: changed352, unchanged352, changed720, scale, agents or failing`;

const ROUNDS = 3;
const MOST_BUSY = 0.8;
const PROFILE_MS = 5_000;

interface Rates {
  rates: Record<string, number[]>;
  wall: Record<string, number[]>;
  farmBusy: number;
}

const say = (text: string): void => console.error(text);

/** Frames per CPU second, round by round; the order turns, so that a noisy machine disturbs both alike. */
async function contest(contestants: Record<string, Contestant>, seconds: number): Promise<Rates> {
  const names = Object.keys(contestants);
  const result: Rates = { rates: {}, wall: {}, farmBusy: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length] as string;
      const { rate, wallRate, farmBusy } = await (contestants[name] as Contestant).turn((seconds * 1_000) / ROUNDS);
      (result.rates[name] ??= []).push(rate);
      (result.wall[name] ??= []).push(wallRate);
      result.farmBusy = Math.max(result.farmBusy, farmBusy);
      say(
        `  ${name.padEnd(12)} ${rate.toFixed(0).padStart(6)} frames per CPU second, ${wallRate.toFixed(0).padStart(6)} a second, ` +
          `farm ${(farmBusy * 100).toFixed(0)} % busy, load ${loadavg()[0]?.toFixed(1)}`,
      );
    }
  }
  return result;
}

interface PartOptions {
  farm: Pinned;
  seconds: number;
  profile: boolean;
}

async function withFarm<T>(
  { farm }: PartOptions,
  scenario: Scenario,
  work: (place: FarmPlace, shutdown: ShutdownStack) => Promise<T>,
): Promise<T> {
  say(`${scenario.name}: encoding frames of ${scenario.width}x${scenario.height} …`);
  const place = await farm.ask<FarmPlace>('open', scenario);
  const shutdown = new ShutdownStack();
  try {
    return await work(place, shutdown);
  } finally {
    await shutdown.stop();
  }
}

/** The agent against the loop. */
function measurePart(options: PartOptions, scenario: Scenario): Promise<Rates> {
  return withFarm(options, scenario, async (place, shutdown) => {
    const agent = await startAgents(options.farm, { place, scenario, workers: 1, cores: ['0'] });
    shutdown.defer('agent', () => agent.stop());
    const loop = await startLoop(options.farm, place, '0');
    shutdown.defer('loop', () => loop.stop());
    const rates = await contest({ agent, loop }, options.seconds);
    if (options.profile) (await agent.profile(PROFILE_MS)).forEach(sayProfile);
    return rates;
  });
}

/** One capture thread on core 0 against two on both cores. */
function measureScale(options: PartOptions): Promise<Rates> {
  return withFarm(options, CHANGED_352, async (place, shutdown) => {
    const parts = { place, scenario: CHANGED_352 };
    const one = await startAgents(options.farm, { ...parts, workers: 1, cores: ['0'] });
    shutdown.defer('one', () => one.stop());
    const two = await startAgents(options.farm, { ...parts, workers: 2, cores: ['0,1'] });
    shutdown.defer('two', () => two.stop());
    return contest({ one, two }, options.seconds);
  });
}

/** One agent against two of a capture thread each, which share the cameras. */
function measureAgents(options: PartOptions): Promise<Rates> {
  return withFarm(options, CHANGED_352, async (place, shutdown) => {
    const parts = { place, scenario: CHANGED_352, workers: 1 };
    const one = await startAgents(options.farm, { ...parts, cores: ['0'] });
    shutdown.defer('one', () => one.stop());
    const two = await startAgents(options.farm, { ...parts, cores: ['0', '1'] });
    shutdown.defer('two', () => two.stop());
    return contest({ one, two }, options.seconds);
  });
}

/** The same healthy cameras without failing ones beside them, and with few and many of them. */
function measureFailing(options: PartOptions): Promise<Rates> {
  return withFarm(options, FAILING_352, async (place, shutdown) => {
    const contestants: Record<string, Contestant> = {};
    for (const [name, share] of Object.entries({ none: 0, ...FAILING_SHARES })) {
      const failing = place.failing.slice(0, failingBeside(share));
      const parts = { scenario: FAILING_352, workers: 1, cores: ['0'] };
      const agent = await startAgents(options.farm, { ...parts, place: { ...place, failing } });
      shutdown.defer(name, () => agent.stop());
      contestants[name] = agent;
    }
    return contest(contestants, options.seconds);
  });
}

function sayProfile({ thread, busyMs, top }: ThreadProfile): void {
  say(`  ${thread}: busy for ${busyMs.toFixed(0)} ms of ${PROFILE_MS}, self time by function`);
  for (const { name, where, share } of top) say(`    ${(share * 100).toFixed(1).padStart(5)} %  ${name}  ${where}`);
}

async function main(): Promise<number> {
  const { json, seconds, flags } = benchOptions(USAGE, {
    seconds: 15,
    flags: { profile: 'boolean', part: 'string' },
  });
  const part = flags['part'] as string;
  const scenarios = [CHANGED_352, UNCHANGED_352, CHANGED_720];
  const parts = [...scenarios.map(({ name }) => name), 'scale', 'agents', 'failing'];
  if (part !== '' && !parts.includes(part)) {
    say(`--part must be one of ${parts.join(', ')}, not ${part}.`);
    return 2;
  }
  const ratios: Record<string, number> = {};
  const figures: Record<string, number> = {};
  const farm = startFarmProcess('1');
  let farmBusy = 0;
  try {
    const options = { farm, seconds, profile: flags['profile'] === true };
    for (const scenario of scenarios.filter(({ name }) => part === '' || part === name)) {
      const { rates, farmBusy: busy } = await measurePart(options, scenario);
      farmBusy = Math.max(farmBusy, busy);
      ratios[scenario.name] = pairedRatio(rates, 'agent', 'loop');
      figures[FIGURE_OF[scenario.name] as string] = median(rates['agent'] ?? []);
      figures[`loop${capital(scenario.name)}`] = median(rates['loop'] ?? []);
    }
    if (part === '' || part === 'scale') {
      const { rates, wall, farmBusy: busy } = await measureScale(options);
      farmBusy = Math.max(farmBusy, busy);
      figures['scaleTwoCores'] = 2 * pairedRatio(rates, 'two', 'one');
      figures['framesPerSecondTwoWorkersBesideFarm'] = median(wall['two'] ?? []);
    }
    if (part === '' || part === 'agents') {
      const { rates, wall, farmBusy: busy } = await measureAgents(options);
      farmBusy = Math.max(farmBusy, busy);
      figures['scaleTwoAgents'] = 2 * pairedRatio(rates, 'two', 'one');
      figures['framesPerSecondTwoAgentsBesideFarm'] = median(wall['two'] ?? []);
    }
    if (part === '' || part === 'failing') {
      const { rates, wall, farmBusy: busy } = await measureFailing(options);
      farmBusy = Math.max(farmBusy, busy);
      for (const name of Object.keys(FAILING_SHARES)) {
        figures[name] = pairedRatio(wall, name, 'none');
        figures[`${name}PerCpu`] = pairedRatio(rates, name, 'none');
      }
    }
  } finally {
    await farm.stop();
  }
  figures['farmBusiest'] = farmBusy;
  printResult({ bench: 'capture', ratios, figures, machine: machine() }, json && farmBusy <= MOST_BUSY);
  if (farmBusy <= MOST_BUSY) return 0;
  say(
    `VOID: the farm's core was ${(farmBusy * 100).toFixed(0)} % busy, at most ${MOST_BUSY * 100} % is allowed; run it on a quieter machine.`,
  );
  return 1;
}

const FIGURE_OF: Record<string, string> = {
  changed352: 'framesPerCpuSecond352',
  unchanged352: 'unchangedPerCpuSecond352',
  changed720: 'framesPerCpuSecond720',
};
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

process.exitCode = await main().catch((error: unknown) => {
  say(messageOf(error));
  return 1;
});
