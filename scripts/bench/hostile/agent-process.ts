import { readdirSync, readFileSync } from 'node:fs';
import { monotonicMs } from '../../../agent/pipeline/clocks.ts';
import type { UndatedFragment } from '../../../agent/report/fragments.ts';
import { OUTCOME } from '../../../common/domain/fragment.ts';
import type { Grant } from '../../../common/protocol/agent-link.ts';
import { AgentParts } from '../capture/agent-parts.ts';
import { answerQuestions, usage } from '../pinned.ts';
import type { CameraTally, HostilePlace, HostileScenario, HostileTurn, Vitals } from './scenario.ts';

// The agent's side of bench:hostile.

const agent = new AgentParts(Number(process.argv[2] ?? 1), count);
let tallies: CameraTally[] = [];
let from = 0;
let cameras = 0;

async function prepare({ place, scenario }: { place: HostilePlace; scenario: HostileScenario }): Promise<void> {
  cameras = place.cameras.length;
  startCounting();
  await agent.start(place.sink, grantOf(place, scenario));
}

function startCounting(): void {
  tallies = Array.from({ length: cameras }, () => ({ verdicts: {}, series: [], frames: [], failed: 0 }));
  from = monotonicMs();
}

/** Asked exactly as often as we say: a turn that was left out because the picture is still the same would look lost. */
function grantOf({ cameras: all }: HostilePlace, { intervalMs }: HostileScenario): Grant {
  return {
    shardId: 1,
    token: 1,
    revision: 1,
    from: Date.now(),
    cameras: all.map(({ url, host, name, transport }, index) => ({
      ...{ cameraId: index + 1, name, host, intervalMs, priority: 0, memory: null, exactly: true },
      source: { transport, url },
    })),
    hosts: [...new Set(all.map(({ host }) => host))].map((host) => ({ host, concurrency: 2, minDelayMs: 0 })),
  };
}

function count(fragments: readonly UndatedFragment[]): void {
  for (const { cameraId, verdict, outcomes, monotonic } of fragments) {
    const tally = tallies[cameraId - 1] as CameraTally;
    for (const [index, at] of monotonic.entries()) {
      // A fragment may reach back behind the moment in which counting began.
      if (at < from) continue;
      tally.series.push(verdict);
      tally.verdicts[verdict] = (tally.verdicts[verdict] ?? 0) + 1;
      if ((outcomes[index] as number) & OUTCOME.frame) tally.frames.push(at);
      else tally.failed++;
    }
  }
}

/** Attempts that end from now on are counted. */
async function begin(): Promise<void> {
  agent.anchor();
  await agent.deliver();
  startCounting();
}

async function end(): Promise<HostileTurn> {
  const until = monotonicMs();
  await agent.deliver();
  return { cameras: tallies, from, until, vitals: vitals() };
}

/** Of this process with all its threads, as the kernel counts. */
function vitals(): Vitals {
  const children = readdirSync('/proc/self/task').flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
  );
  return {
    residentMb: process.memoryUsage.rss() / 1e6,
    descriptors: readdirSync('/proc/self/fd').length,
    children: children.length,
  };
}

answerQuestions({ prepare, begin, end, usage, vitals }, () => agent.close());
