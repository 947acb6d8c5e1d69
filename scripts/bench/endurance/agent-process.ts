import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent } from '../../../agent/agent.ts';
import { CoordinatorHttp } from '../../../agent/link/coordinator-http.ts';
import { CapturePool } from '../../../agent/pipeline/capture-pool.ts';
import { threadClock } from '../../../agent/pipeline/clocks.ts';
import { createLogger } from '../../../common/runtime/logger.ts';
import { createKeyPair } from '../../../common/storage/signature.ts';
import { answerQuestions } from '../pinned.ts';
import type { EndurancePlace, Progress } from './scenario.ts';
import { ThreadsInside } from './threads-inside.ts';

// The agent of bench:endurance: all of it but the classifier, put together as agent/main.ts does.

const CAPACITY = 2_000;
const logger = createLogger({ level: 'error', base: { app: 'bench agent' } });
const threads = new ThreadsInside();
let folder: string | undefined;
let agent: Agent | undefined;

async function start({ coordinator, nameServer }: EndurancePlace): Promise<void> {
  folder = await mkdtemp(join(tmpdir(), 'camfleet-endurance-agent-'));
  const { publicKey, privateKey } = createKeyPair();
  const sessionId = randomUUID();
  const pool = new CapturePool({
    workers: 0,
    logger,
    // As agent/main.ts sets them by default, but for the loopback addresses and the name server.
    settings: {
      ...{ session: sessionId, attemptHeader: false, egressAllow: ['127.0.0.0/8'], dnsServers: [nameServer] },
      ...{ userAgent: 'camfleet/0.1 (public camera observation)', timeoutMs: 10_000, maxBytes: 8_000_000 },
      ...{ maxPixels: 40_000_000, gate: { threshold: 4, maxAgeMs: 600_000, auditShare: 0.02 } },
      ...{ concurrency: 256, pictureBytes: 64_000_000, fileRoots: [] },
    },
  });
  agent = new Agent({
    ...{ sessionId, version: 'bench', dataFolder: folder, outboxBytes: 2_000_000_000, pool, capacity: CAPACITY },
    identity: {
      ...{ agentId: randomUUID(), name: 'endurance', coordinatorUrl: coordinator },
      ...{ coordinatorKey: publicKey, privateKey },
    },
    http: new CoordinatorHttp({ url: coordinator }),
    ...{ probe: [], clock: threadClock, logger },
  });
  await threads.open();
  await agent.start();
}

function progress(): Progress {
  const { cameras = 0, outboxBatches = 0, rate = 0, late = 0 } = agent?.figures ?? {};
  return { cameras, outboxBatches, rate, late };
}

answerQuestions(
  { start, progress, inside: () => threads.look(), heaps: (to: string) => threads.writeHeaps(to) },
  async () => {
    await agent?.cancel();
    if (folder) await rm(folder, { recursive: true, force: true });
  },
);
