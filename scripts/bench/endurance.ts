import { cpus, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../common/runtime/errors.ts';
import { handlesOf, meanOf } from './endurance/handles.ts';
import type { EndurancePlace, EnduranceScenario, Handles, Inside, Progress } from './endurance/scenario.ts';
import { Pinned } from './pinned.ts';
import { benchOptions, machine, printResult } from './report.ts';

const USAGE = `bench:endurance: whether an agent with very many cameras on very many hosts stays as it is, for an hour.

The farm's cameras stand on loopback addresses under names of their own, which the agent asks of the farm's name server (answers
are good for a minute). One camera in five streams MJPEG; one in twenty is ill all the time, and one answer in a hundred fails.
The agent is all of it but the classifier, in one process with a capture thread for each core; the coordinator's side grants
shards of 300 cameras, takes one back each minute and grants it again, gives receipts and asks for one picture in fifty.

Printed each minute: resident memory, descriptors and sockets as means of the minute; heaps, timers and whatever else is active
in all threads at its end; answers of the name server; attempts a second. Growth is the mean of the last tenth of the run against
the mean of an equal time from minute 10 on (from a third of the run where it is shorter than half an hour). The exit code is 1
where resident memory or descriptors grew by more than 1 %. A run of a few minutes shows leaks, not endurance: memory that is
bounded is still being filled then.

  --minutes N    how long the agent is watched (default 60)
  --cameras N    default 5000
  --hosts N      default 3000
  --interval N   seconds between two attempts of a camera (default 60)
  --heaps DIR    heap snapshots of all threads after a third of the run and at its end`;

const SAMPLE_MS = 2_000;
const MINUTE_MS = 60_000;
/** The agent takes its rate over ten seconds; one look a minute would always see the same part of the minute. */
const SAMPLES_PER_RATE = 5;
const WARM_MINUTES = 10;
const MOST_GROWTH = 0.01;

const say = (text: string): void => console.error(text);
const program = (name: string): URL => new URL(`./endurance/${name}-process.ts`, import.meta.url);

interface Minute extends Handles, Inside {
  rate: number;
}

interface Watched {
  /** One each two seconds, from the beginning. */
  samples: Handles[];
  minutes: Minute[];
  lookedUp: number;
}

const COLUMNS = '  minute   RSS MB     fds  sockets  heap MB  ext MB  timers  active  names  tries/s  late  load';

function lineOf(minute: number, at: Minute, names: number, late: number): string {
  const cells: [number, number][] = [
    [minute, 8],
    [at.residentMb, 9],
    [at.descriptors, 8],
    [at.sockets, 9],
    [at.heapMb, 9],
    [at.externalMb, 8],
    [at.timers, 8],
    [at.resources, 8],
    [names, 7],
    [at.rate, 9],
    [late, 6],
    [loadavg()[0] as number, 6],
  ];
  return cells.map(([value, width]) => String(Number(value.toFixed(1))).padStart(width)).join('');
}

async function watch(
  { farm, agent }: { farm: Pinned; agent: Pinned },
  { minutes, heaps }: { minutes: number; heaps: string },
): Promise<Watched> {
  const watched: Watched = { samples: [], minutes: [], lookedUp: 0 };
  const began = performance.now();
  say(COLUMNS);
  for (let minute = 1; minute <= minutes; minute++) {
    const from = watched.samples.length;
    const rates: number[] = [];
    while (performance.now() < began + minute * MINUTE_MS) {
      watched.samples.push(handlesOf(agent.pid));
      if (watched.samples.length % SAMPLES_PER_RATE === 0) rates.push((await agent.ask<Progress>('progress')).rate);
      await sleep(Math.max(0, began + watched.samples.length * SAMPLE_MS - performance.now()));
    }
    const inside = await agent.ask<Inside>('inside');
    const { late } = await agent.ask<Progress>('progress');
    const rate = rates.reduce((sum, one) => sum + one, 0) / rates.length;
    const names = await farm.ask<number>('lookedUp');
    const at: Minute = { ...meanOf(watched.samples.slice(from)), ...inside, rate };
    watched.minutes.push(at);
    watched.lookedUp += names;
    say(lineOf(minute, at, names, late));
    if (heaps !== '' && minute === Math.max(1, Math.round(minutes / 3))) await agent.ask('heaps', `${heaps}/early`);
  }
  if (heaps !== '') await agent.ask('heaps', `${heaps}/late`);
  return watched;
}

/** See USAGE. */
function growthOf({ samples, minutes }: Watched): Record<string, number> {
  const length = Math.max(1, Math.floor(samples.length / 10));
  const warm = minutes.length >= 3 * WARM_MINUTES ? (WARM_MINUTES * MINUTE_MS) / SAMPLE_MS : samples.length / 3;
  const first = meanOf(samples.slice(Math.floor(warm), Math.floor(warm) + length));
  const last = meanOf(samples.slice(-length));
  return {
    residentGrowth: last.residentMb / first.residentMb - 1,
    descriptorsGrowth: last.descriptors / first.descriptors - 1,
    socketsGrowth: last.sockets / first.sockets - 1,
    residentMbFrom: first.residentMb,
    residentMbTo: last.residentMb,
    descriptorsFrom: first.descriptors,
    descriptorsTo: last.descriptors,
  };
}

function scenarioOf(flags: Record<string, string | boolean>): EnduranceScenario | string {
  const cameras = Number(flags['cameras'] || 5_000);
  const hosts = Number(flags['hosts'] || 3_000);
  const intervalMs = Number(flags['interval'] || 60) * 1_000;
  if (!(cameras >= 50 && cameras <= 20_000)) return '--cameras must be a number from 50 to 20000.';
  if (!(hosts >= cameras / 5 && hosts <= cameras)) return '--hosts must be between a fifth of the cameras and all.';
  if (!(intervalMs >= 1_000)) return '--interval must be at least 1 second.';
  return { cameras, hosts, intervalMs };
}

async function main(): Promise<number> {
  const { json, flags } = benchOptions(USAGE, {
    flags: { minutes: 'string', cameras: 'string', hosts: 'string', interval: 'string', heaps: 'string' },
  });
  const minutes = Number(flags['minutes'] || 60);
  const scenario = scenarioOf(flags);
  if (typeof scenario === 'string' || !(minutes >= 1)) {
    say(typeof scenario === 'string' ? scenario : '--minutes must be at least 1.');
    return 2;
  }
  const cores = `0-${cpus().length - 1}`;
  const farm = new Pinned(program('farm'), cores);
  const agent = new Pinned(program('agent'), cores);
  try {
    const place = await farm.ask<EndurancePlace>('open', scenario);
    say(`${scenario.cameras} cameras on ${scenario.hosts} hosts, ${minutes} minutes …`);
    await agent.ask('start', place);
    const watched = await watch({ farm, agent }, { minutes, heaps: String(flags['heaps']) });
    const { cameras } = await agent.ask<Progress>('progress');
    const end = watched.minutes.at(-1) as Minute;
    const growth = growthOf(watched);
    const { timers, resources, heapMb, externalMb, rate } = end;
    const figures = {
      ...growth,
      timers,
      resources,
      heapMb,
      externalMb,
      rate,
      cameras,
      minutes,
      lookedUp: watched.lookedUp,
    };
    printResult({ bench: 'endurance', ratios: {}, figures, machine: machine() }, json);
    const grown = Math.max(growth['residentGrowth'] as number, growth['descriptorsGrowth'] as number);
    const isFlat = grown <= MOST_GROWTH;
    say(
      `${isFlat ? 'met' : 'missed'}: grew by ${(grown * 100).toFixed(2)} %, at most ${MOST_GROWTH * 100} % is allowed.`,
    );
    return isFlat ? 0 : 1;
  } finally {
    await agent.stop();
    await farm.stop();
  }
}

process.exitCode = await main().catch((error: unknown) => {
  say(messageOf(error));
  return 1;
});
