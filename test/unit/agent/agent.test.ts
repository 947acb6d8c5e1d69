import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server } from 'socket.io';
import type { Socket } from 'socket.io';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Agent } from '../../../agent/agent.ts';
import { CoordinatorHttp } from '../../../agent/link/coordinator-http.ts';
import { HostNewsBox } from '../../../agent/pipeline/host-news.ts';
import type { CapturePool } from '../../../agent/pipeline/capture-pool.ts';
import { threadClock } from '../../../agent/pipeline/clocks.ts';
import type { UndatedFragment } from '../../../agent/report/fragments.ts';
import type { Lease } from '../../../agent/leases/keeper.ts';
import type { Renew } from '../../../common/protocol/agent-link.ts';
import type { Batch } from '../../../common/protocol/rest.ts';
import { AGENT_NAMESPACE, renewSchema } from '../../../common/protocol/agent-link.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { fail, ok } from '../../../common/runtime/result.ts';
import { sha256 } from '../../../common/storage/digest.ts';
import { createKeyPair } from '../../../common/storage/signature.ts';
import { eventually } from '../../support/eventually.ts';

/** Real sockets and real HTTP; what it decides is the test's script. */
class ScriptedCoordinator {
  readonly batches: Batch[] = [];
  readonly released: unknown[] = [];
  readonly renewals: Renew[] = [];
  successors = false;
  offers = 1;
  refuseConnections: { code: string; message: string } | undefined;
  /** While false, batches meet a 503. */
  takesBatches = true;
  socket: Socket | undefined;
  readonly #http: HttpServer;
  readonly #io: Server;

  constructor() {
    this.#http = createServer((request, response) => {
      if (request.url?.endsWith('/nonce')) return void response.end(JSON.stringify({ nonce: 'n' }));
      const chunks: Buffer[] = [];
      request
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .on('end', () => {
          if (!this.takesBatches) return void response.writeHead(503).end();
          const bytes = Buffer.concat(chunks);
          const batch = JSON.parse(bytes.toString()) as Batch;
          this.batches.push(batch);
          const { session, seq } = batch;
          const receipt = { session, seq, digest: sha256(bytes), fragments: [], reportMs: 60_000, wanted: [] };
          response.end(JSON.stringify(receipt));
        });
    });
    this.#io = new Server(this.#http);
    const agents = this.#io.of(AGENT_NAMESPACE);
    agents.use((_, next) => {
      const refusal = this.refuseConnections;
      next(refusal ? Object.assign(new Error(refusal.message), { data: refusal }) : undefined);
    });
    agents.on('connection', (socket) => this.#serve(socket));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#http.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    await this.#io.close();
    this.#http.closeAllConnections();
  }

  #serve(socket: Socket): void {
    this.socket = socket;
    const answer = (event: string, give: (request: never) => unknown) =>
      socket.on(event, (request: unknown, ack: (result: unknown) => void) => ack(give(request as never)));
    const now = () => Date.now();
    answer('agent:hello', () =>
      ok({
        now: now(),
        sessionKey: 'k',
        ttlMs: 15_000,
        renewMs: 200,
        autonomyMs: 60_000,
        reportMs: 60_000,
        modelVersion: null,
      }),
    );
    answer('lease:renew', (renewal: Renew) => {
      this.renewals.push(renewal);
      return ok({
        now: now(),
        grants: renewal.grants.map((grant) => ({ ...grant, state: 'held' })),
        stretch: { factor: 1, belowPriority: 0 },
        modelVersion: null,
        workAvailable: false,
      });
    });
    answer('work:request', () =>
      ok({ offers: this.offers-- > 0 ? [{ offerId: 'o', shardId: 1, cameras: 1, load: 1 }] : [] }),
    );
    answer('work:accept', () => ok({ shardId: 1, token: 5, revision: 1, from: now(), cameras: [], hosts: [] }));
    answer('work:release', (request) => (this.released.push(request), ok({})));
    answer('agent:drain', () => (this.successors ? ok({ successors: true }) : fail('NOBODY', 'none')));
  }
}

/** Stands in for the capture threads: one attempt whenever it is asked while a lease is held. */
class OneCamera {
  leases: Lease[] = [];
  closed = false;
  onLatest = () => {};
  #sequence = 0;

  get cameras(): number {
    return this.leases.filter(({ signal }) => !signal.aborted).length;
  }
  take(lease: Lease): void {
    this.leases.push(lease);
    this.#sequence++;
  }
  change(): void {}
  begin(): void {}
  stretch(): void {}
  setTime(): void {}
  watch(): void {}
  readonly hostNews = new HostNewsBox();
  learnRests(): void {}
  setTakedowns(): void {}
  takeCounts() {
    return { attempts: 1, late: 0, busy: 0, cameras: 1 };
  }
  picture() {
    return Promise.resolve(null);
  }
  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
  collect(): Promise<UndatedFragment[]> {
    if (this.#sequence === 0) return Promise.resolve([]);
    const monotonic = threadClock.monotonic();
    const common = { cameraId: 1, token: 5, verdict: 'good' as const, label: null, modelVersion: null, scores: null };
    const fragment: UndatedFragment = {
      ...common,
      firstSequence: this.#sequence++,
      monotonic: [monotonic],
      skew: Date.now() - monotonic,
      outcomes: [1],
      latencies: [],
      bytes: 1,
      evidence: {},
      frameDigest: null,
      memory: { lastAttemptAt: 1 },
    };
    return Promise.resolve([fragment]);
  }
}

describe('an agent', () => {
  let coordinator: ScriptedCoordinator;
  let dataFolder: string;
  let camera: OneCamera;
  let agent: Agent;
  let states: string[];

  beforeEach(async () => {
    coordinator = new ScriptedCoordinator();
    dataFolder = await mkdtemp(join(tmpdir(), 'agent-'));
    const coordinatorUrl = await coordinator.listen();
    const { privateKey, publicKey } = createKeyPair();
    camera = new OneCamera();
    agent = new Agent({
      identity: { agentId: randomUUID(), name: 'east', coordinatorUrl, coordinatorKey: publicKey, privateKey },
      sessionId: randomUUID(),
      version: '0',
      dataFolder,
      outboxBytes: 1e6,
      http: new CoordinatorHttp({ url: coordinatorUrl }),
      pool: camera as unknown as CapturePool,
      capacity: 10,
      probe: [],
      clock: threadClock,
      logger: silentLogger,
    });
    states = [];
    agent.on('state', (state) => states.push(state));
  });
  afterEach(async () => {
    await agent.cancel();
    await coordinator.close();
    await rm(dataFolder, { recursive: true, force: true });
  });
  const running = async () => {
    await agent.start();
    await eventually(() => agent.state === 'RUNNING' && camera.cameras === 1);
  };

  test('where nobody can take over, a drain hands the shards back at once and delivers what is left', async () => {
    await running();
    await agent.drain();
    expect(states).toEqual(['CONNECTING', 'RUNNING', 'DRAINING', 'STOPPED']);
    expect(coordinator.released).toMatchObject([{ shards: [{ shardId: 1, token: 5 }] }]);
    expect(coordinator.batches.length).toBeGreaterThan(0);
    expect(agent.figures.outboxBatches).toBe(0);
    expect(camera.closed).toBe(true);
  });

  test('a drain goes on capturing until somebody else has the shard', async () => {
    coordinator.successors = true;
    await running();
    const drained = agent.drain();
    await eventually(() => agent.state === 'DRAINING');
    expect(camera.cameras).toBe(1);
    coordinator.socket!.emit('lease:lost', { shardId: 1, token: 5, reason: 'taken' });
    await drained;
    expect(coordinator.released).toEqual([]);
    expect(agent.state).toBe('STOPPED');
  });

  test('a cancelled drain ends at once and leaves what is not delivered in the outbox', async () => {
    coordinator.successors = true;
    coordinator.takesBatches = false;
    await running();
    const drained = agent.drain();
    await eventually(() => agent.state === 'DRAINING');
    await agent.cancel();
    await drained;
    expect(agent.state).toBe('STOPPED');
    expect(agent.figures.outboxBatches).toBeGreaterThan(0);
  });

  test('each renewal tells how many batches were refused for good, also in earlier runs', async () => {
    await mkdir(join(dataFolder, 'outbox/refused'), { recursive: true });
    for (const name of ['a-1.json', 'a-1.txt', 'b-7.json'])
      await writeFile(join(dataFolder, 'outbox/refused', name), '');
    await running();
    await eventually(() => coordinator.renewals.length > 0);
    expect(coordinator.renewals[0]).toMatchObject({ refusedBatches: 2, picturesDropped: 0 });
    expect(renewSchema.parse(coordinator.renewals[0])).toMatchObject({ refusedBatches: 2, picturesDropped: 0 });
  });

  test('a lost connection ends no lease, and the agent comes back by itself', async () => {
    await running();
    coordinator.socket!.disconnect(true);
    await eventually(() => states.filter((state) => state === 'RUNNING').length === 2);
    expect(camera.leases).toHaveLength(1);
    expect(camera.cameras).toBe(1);
  });

  test('a session that is superseded stops for good', async () => {
    await running();
    coordinator.socket!.emit('session:superseded', { reason: 'another process' });
    expect(await agent.ended()).toBe('FAILED');
    expect(camera.cameras).toBe(0);
  });

  test('an agent that is refused for good says so instead of trying for ever', async () => {
    coordinator.refuseConnections = { code: 'PROTOCOL_UNSUPPORTED', message: 'speaks 2 to 3' };
    await agent.start();
    expect(await agent.ended()).toBe('FAILED');
  });
});
