import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import type {
  AgentToCoordinator,
  CoordinatorToAgent,
  Grant,
  Offer,
  Renew,
  RenewAnswer,
} from '../../../common/protocol/agent-link.ts';
import { AGENT_NAMESPACE } from '../../../common/protocol/agent-link.ts';
import { batchSchema, DIGEST_HEADER } from '../../../common/protocol/rest.ts';
import type { Receipt } from '../../../common/protocol/rest.ts';
import { fail, ok } from '../../../common/runtime/result.ts';
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
  const shards = new Shards(cameras);
  const http = createServer((request, response) => void answer(request, response));
  const server = new Server<AgentToCoordinator, CoordinatorToAgent>(http);
  server.of(AGENT_NAMESPACE).on('connection', (socket) => {
    socket.on('agent:hello', (_, ack) =>
      ack(ok({ ...TIMING, now: Date.now(), sessionKey: randomUUID(), modelVersion: null })),
    );
    socket.on('lease:renew', (renew, ack) => ack(ok(shards.renew(renew))));
    socket.on('work:request', (_, ack) => ack(ok({ offers: shards.offers() })));
    socket.on('work:accept', ({ shardId }, ack) => {
      const grant = shards.grant(shardId);
      ack(grant ? ok(grant) : fail('OFFER_LAPSED', 'There is no such shard.'));
    });
    socket.on('work:release', (_, ack) => ack(ok({})));
    socket.on('agent:drain', (_, ack) => ack(ok({ successors: false })));
  });
  await new Promise<void>((done) => http.listen(0, '127.0.0.1', done));
  const { port } = http.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
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
