import { monitorEventLoopDelay } from 'node:perf_hooks';
import { CoordinatorHttp } from '../../../agent/link/coordinator-http.ts';
import { createKeyPair } from '../../../common/storage/signature.ts';
import { answerQuestions, usage } from '../pinned.ts';
import { Recorder } from './recorder.ts';
import type { Seen } from './recorder.ts';
import { SimulatedAgent } from './simulated-agent.ts';

// All simulated agents of bench:coordinator.

/** Agents that join or connect at a time. */
const AT_ONCE = 16;

export interface Measured extends Seen {
  /** How late timers of this process were: latencies below this are not the coordinator's. */
  loopDelayP99Ms: number;
  cpuMs: number;
  at: number;
}

const recorder = new Recorder();
const agents: SimulatedAgent[] = [];
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();

async function connect({ url, invitation, count }: { url: string; invitation: string; count: number }): Promise<void> {
  let next = 0;
  const some = async (): Promise<void> => {
    while (next < count) {
      const number = next++;
      const http = new CoordinatorHttp({ url });
      const name = `simulated-${number}`;
      const { publicKey, privateKey } = createKeyPair();
      const joined = await http.join({ invitation, name, publicKey });
      const agent = new SimulatedAgent(number, { ...joined, name, coordinatorUrl: url, privateKey }, http, recorder);
      agents.push(agent);
      await agent.connect();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, some));
}

function read(): Measured {
  return { ...recorder.read(), ...usage(), loopDelayP99Ms: delay.percentile(99) / 1e6 };
}

/** Seconds until somebody else has accepted all of their cameras. */
async function kill(count: number): Promise<{ cameras: number; seconds: number }> {
  const began = performance.now();
  const cameras = agents.splice(0, count).flatMap((agent) => agent.die());
  await recorder.allAccepted(cameras);
  return { cameras: cameras.length, seconds: (performance.now() - began) / 1_000 };
}

answerQuestions(
  {
    connect,
    kill,
    read,
    held: () => recorder.holders.size,
    waitingFor: () => recorder.waitingFor,
    reset: () => {
      recorder.reset();
      delay.reset();
    },
  },
  async () => {
    for (const agent of agents) agent.die();
  },
);
