import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Grant, Offer, Renew, RenewAnswer } from '../../../common/protocol/agent-link.ts';
import { batchSchema, DIGEST_HEADER } from '../../../common/protocol/rest.ts';
import type { Receipt } from '../../../common/protocol/rest.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { fail, ok } from '../../../common/runtime/result.ts';
import type { AgentHandlers } from '../../../coordinator/platform/gateway/agents.ts';
import { createGateway } from '../../../coordinator/platform/gateway/gateway.ts';
import type { CameraToWatch } from './scenario.ts';

/** The design's own clocks. */
const TIMING = { ttlMs: 15_000, renewMs: 5_000, autonomyMs: 3_600_000, reportMs: 5_000 };
const SHARD_CAMERAS = 300;
/** A shard changes hands from time to time, so that starting and stopping cameras is part of what is watched. */
const MOVE_MS = 60_000;
const WANTED_SHARE = 0.02;
const BUDGET = { concurrency: 2, minDelayMs: 0 };

interface ShardOfBench {
  id: number;
  cameras: CameraToWatch[];
  /** 0: nobody holds it. */
  token: number;
}

export interface EnduranceCoordinator {
  url: string;
  close(): Promise<void>;
}

/**
 * Speaks to one agent as a coordinator does, without a database: grants all shards, renews, takes one back and grants it again
 * once a minute, gives receipts and asks for some of the pictures.
 */
export async function startEnduranceCoordinator(cameras: readonly CameraToWatch[]): Promise<EnduranceCoordinator> {
  const server = createServer((request, response) => void answer(request, response));
  const gateway = createGateway({
    server,
    agents: {
      admit: ({ agentId, sessionId }) => Promise.resolve({ agentId, sessionId }),
      handlers: handlersOf(new Shards(cameras)),
    },
    page: {
      mayLook: () => Promise.resolve(false),
      status: () => Promise.resolve({}),
      rows: () => Promise.resolve([]),
      watch: () => Promise.resolve(),
    },
    isAllowedHost: () => true,
    logger: silentLogger,
  });
  await gateway.start();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    await gateway.stop();
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}`, close };
}

function handlersOf(shards: Shards): AgentHandlers {
  const nothing = () => Promise.resolve(ok({}));
  return {
    'agent:hello': () =>
      Promise.resolve(ok({ ...TIMING, now: Date.now(), sessionKey: randomUUID(), modelVersion: null })),
    'lease:renew': (_, renew) => Promise.resolve(ok(shards.renew(renew))),
    'work:request': () => Promise.resolve(ok({ offers: shards.offers() })),
    'work:accept': (_, { shardId }) => {
      const grant = shards.grant(shardId);
      return Promise.resolve(grant ? ok(grant) : fail('OFFER_LAPSED', 'There is no such shard.'));
    },
    'work:release': nothing,
    'agent:drain': () => Promise.resolve(ok({ successors: false })),
    'shard:sync': () => Promise.resolve(fail('SHARD_UNCHANGED', 'No shard changes here.')),
    'shard:acknowledge': nothing,
    'model:report': nothing,
    'takedown:list': () => Promise.resolve(ok({ revision: 0, takedowns: [] })),
    'placeholder:list': () => Promise.resolve(ok({ revision: 0, hashes: [] })),
  };
}

class Shards {
  readonly #shards: ShardOfBench[] = [];
  #token = 0;
  #next = 0;
  #movedAt = performance.now();

  constructor(cameras: readonly CameraToWatch[]) {
    for (let from = 0; from < cameras.length; from += SHARD_CAMERAS)
      this.#shards.push({
        id: this.#shards.length + 1,
        cameras: cameras.slice(from, from + SHARD_CAMERAS),
        token: 0,
      });
  }

  offers(): Offer[] {
    return this.#shards
      .filter(({ token }) => token === 0)
      .map(({ id, cameras }) => ({ offerId: String(id), shardId: id, cameras: cameras.length, load: cameras.length }));
  }

  grant(shardId: number): Grant | undefined {
    const shard = this.#shards.find(({ id }) => id === shardId);
    if (!shard) return undefined;
    shard.token = ++this.#token;
    const now = Date.now();
    return {
      ...{ shardId, token: shard.token, revision: 1, from: now },
      // As if another holder had asked them until now: turns are spread over the interval.
      cameras: shard.cameras.map((camera) => ({
        ...camera,
        memory: { lastAttemptAt: Math.round(now - Math.random() * camera.intervalMs) },
      })),
      hosts: [...new Set(shard.cameras.map(({ host }) => host))].map((host) => ({ host, ...BUDGET })),
    };
  }

  renew({ grants }: Renew): RenewAnswer {
    if (performance.now() - this.#movedAt > MOVE_MS) this.#takeOneBack();
    const held = new Set(this.#shards.map(({ token }) => token));
    return {
      ...{ now: Date.now(), waitedMs: 0, stretch: { factor: 1, belowPriority: 0 }, modelVersion: null },
      grants: grants.map(({ shardId, token, revision }) =>
        held.has(token) ? { shardId, token, state: 'held', revision } : { shardId, token, state: 'taken' },
      ),
      workAvailable: held.has(0),
    };
  }

  #takeOneBack(): void {
    this.#movedAt = performance.now();
    const shard = this.#shards[this.#next++ % this.#shards.length];
    if (shard) shard.token = 0;
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  response.setHeader('content-type', 'application/json');
  if (request.url?.endsWith('/nonce')) return void response.end(JSON.stringify({ nonce: randomUUID() }));
  if (!request.url?.endsWith('/batches')) return void response.end('{}');
  const { session, seq, fragments } = batchSchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  const receipt: Receipt = {
    ...{ session, seq, digest: String(request.headers[DIGEST_HEADER]), reportMs: TIMING.reportMs },
    fragments: fragments.map(({ at }) => ({ fate: 'counted', counted: at.length })),
    wanted: fragments.flatMap(({ cameraId, frameDigest }) =>
      frameDigest !== null && Math.random() < WANTED_SHARE
        ? [{ cameraId, digest: frameDigest, reason: 'daily' as const }]
        : [],
    ),
  };
  response.end(JSON.stringify(receipt));
}
