import { OUTCOME } from '../../../common/domain/fragment.ts';
import type { Grant } from '../../../common/protocol/agent-link.ts';
import type { UndatedFragment } from '../../../agent/report/fragments.ts';
import { answerQuestions, usage } from '../pinned.ts';
import type { Usage } from '../pinned.ts';
import { AgentParts } from './agent-parts.ts';
import { Profiling } from './profiling.ts';
import type { FarmPlace, Scenario, Turn } from './scenario.ts';

// The agent's side of bench:capture.

const profiling = new Profiling();
const agent = new AgentParts(Number(process.argv[2] ?? 1), count);
const counted = { frames: 0, unchanged: 0, failed: 0, bytes: 0 };
let lastFailure = '';
let healthy = 0;
let began: { usage: Usage; counted: typeof counted };

const prepare = ({ place, scenario }: { place: FarmPlace; scenario: Scenario }): Promise<void> =>
  agent.start(place.sink, grantOf(place, scenario));

/** Failing cameras come behind the healthy ones, whose frames are counted. */
function grantOf({ cameras: good, failing }: FarmPlace, { intervalMs }: Scenario): Grant {
  const cameras = [...good, ...failing];
  healthy = good.length;
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

function count(fragments: readonly UndatedFragment[]): void {
  for (const { cameraId, outcomes, bytes, verdict, evidence } of fragments) {
    if (cameraId > healthy) continue;
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
}

async function begin(): Promise<void> {
  agent.anchor();
  await agent.deliver();
  began = { usage: usage(), counted: { ...counted } };
}

async function end(): Promise<Turn> {
  await agent.deliver();
  const ended = usage();
  const since = (name: keyof typeof counted): number => counted[name] - began.counted[name];
  return {
    ...{ frames: since('frames'), unchanged: since('unchanged'), failed: since('failed'), bytes: since('bytes') },
    lastFailure,
    cpuMs: ended.cpuMs - began.usage.cpuMs,
    wallMs: ended.at - began.usage.at,
  };
}

answerQuestions({ prepare, begin, end, startProfile: () => profiling.start(), endProfile: () => profiling.end() }, () =>
  agent.close(),
);
