import { randomUUID } from 'node:crypto';
import type { Assignment, Grant, Hello, Offer, Renew } from '../../../common/protocol/agent-link.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import type { Result } from '../../../common/runtime/result.ts';
import { createKeyPair, signBytes } from '../../../common/storage/signature.ts';
import { createFleet } from '../../../coordinator/fleet/fleet.ts';
import type { Fleet } from '../../../coordinator/fleet/fleet.ts';
import { handshakeText } from '../../../coordinator/fleet/sessions.ts';
import { DEFAULT_FLEET_SETTINGS } from '../../../coordinator/fleet/types.ts';
import type { AgentSession, FleetDeps, FleetSettings, PlannableCamera } from '../../../coordinator/fleet/types.ts';
import type { Database } from '../../../coordinator/platform/database/database.ts';

export interface Told {
  to: string;
  event: string;
  payload: unknown;
}

/** The real fleet on a real database, with cameras that the test sets. */
export class FleetBench {
  readonly fleet: Fleet;
  readonly cameras = new Map<number, PlannableCamera>();
  readonly told: Told[] = [];
  readonly deps: FleetDeps;

  constructor(database: Database, settings: Partial<FleetSettings> = {}) {
    this.deps = {
      database,
      logger: silentLogger,
      settings: { ...DEFAULT_FLEET_SETTINGS, planner: { intervalSeconds: 1 }, ...settings },
      coordinatorKey: createKeyPair().publicKey,
      plannableCameras: () => Promise.resolve([...this.cameras.values()]),
      assignmentsOf: (ids) => Promise.resolve(ids.flatMap((id) => this.#assignment(id))),
      memoriesOf: () => Promise.resolve(new Map()),
      notify: (to, event, payload) => void this.told.push({ to, event, payload }),
      closeSession: (to, reason) => void this.told.push({ to, event: 'session:superseded', payload: { reason } }),
      modelVersion: () => null,
      hostsAmong: (names) =>
        Promise.resolve(names.filter((name) => [...this.cameras.values()].some(({ host }) => host === name))),
      placeholders: () => Promise.resolve({ revision: 0, hashes: [] }),
      takedowns: () => Promise.resolve({ revision: 0, takedowns: [] }),
      modelReported: () => Promise.resolve(),
    };
    this.fleet = createFleet(this.deps);
  }

  #assignment(id: number): Omit<Assignment, 'memory'>[] {
    const camera = this.cameras.get(id);
    if (!camera) return [];
    const { host, intervalMs, priority } = camera;
    const source = { transport: 'snapshot' as const, url: `http://${host}/${id}` };
    return [{ cameraId: id, name: `camera ${id}`, source, host, intervalMs, priority }];
  }

  setCameras(count: number, change: Partial<PlannableCamera> = {}): void {
    for (let id = 1; id <= count; id++) {
      const host = `host-${Math.ceil(id / 5)}`;
      this.cameras.set(id, { id, host, place: null, intervalMs: 1_000, priority: 5, ...change });
    }
  }

  async join(name: string): Promise<TestAgent> {
    const { code } = await this.fleet.agents.invite({ createdBy: 'test' });
    const { publicKey, privateKey } = createKeyPair();
    const { agentId } = await this.fleet.agents.join({ invitation: code, name, publicKey });
    const agent = new TestAgent(this, name, agentId, privateKey);
    await agent.begin();
    return agent;
  }
}

/** An agent that speaks the protocol and nothing else. */
export class TestAgent {
  readonly agentId: string;
  readonly name: string;
  sessionId = randomUUID();
  sessionKey = '';
  capacity = 100;
  highestToken = 0;
  draining = false;
  readonly grants = new Map<number, Grant>();
  readonly #bench: FleetBench;
  readonly #privateKey: string;

  constructor(bench: FleetBench, name: string, agentId: string, privateKey: string) {
    this.#bench = bench;
    this.name = name;
    this.agentId = agentId;
    this.#privateKey = privateKey;
  }

  get session(): AgentSession {
    return { agentId: this.agentId, sessionId: this.sessionId };
  }

  get handlers(): Fleet['handlers'] {
    return this.#bench.fleet.handlers;
  }

  async handshake(change: { nonce?: string; protocol?: number } = {}): Promise<Result<AgentSession>> {
    const nonce = change.nonce ?? (await this.#bench.fleet.sessions.nonce());
    const signature = signBytes(this.#privateKey, Buffer.from(handshakeText({ ...this.session, nonce })));
    const protocol = { min: change.protocol ?? 1, max: change.protocol ?? 1 };
    return this.#bench.fleet.sessions.handshake({ ...this.session, nonce, signature, protocol });
  }

  /** Handshake and hello. */
  async begin(): Promise<void> {
    valueOf(await this.handshake());
    const { capacity, highestToken, name } = this;
    const hello: Hello = { name, version: '0', capacity, probe: [], highestToken, held: [] };
    this.sessionKey = valueOf(await this.handlers['agent:hello'](this.session, hello)).sessionKey;
  }

  async renew(change: Partial<Renew> = {}) {
    const { capacity, draining } = this;
    const answer = await this.handlers['lease:renew'](this.session, {
      grants: [...this.grants.values()].map(({ shardId, token, revision }) => ({ shardId, token, revision })),
      ...{ capacity, rate: 0, late: 0, modelVersion: null, outboxBatches: 0, draining },
      ...change,
    });
    const value = valueOf(answer);
    for (const { shardId, state } of value.grants) if (state !== 'held') this.grants.delete(shardId);
    return value;
  }

  async request(): Promise<Offer[]> {
    return valueOf(await this.handlers['work:request'](this.session, {})).offers;
  }

  async accept({ offerId, shardId }: Offer): Promise<Result<Grant>> {
    const result = await this.handlers['work:accept'](this.session, { offerId, shardId });
    if (result.ok) this.grants.set(shardId, result.value);
    return result;
  }

  /** Takes everything that waits; returns how many shards it took. */
  async work(): Promise<number> {
    const offers = await this.request();
    let taken = 0;
    for (const offer of offers) taken += (await this.accept(offer)).ok ? 1 : 0;
    return taken;
  }

  get cameraIds(): number[] {
    return [...this.grants.values()].flatMap(({ cameras }) => cameras.map(({ cameraId }) => cameraId));
  }
}

export function valueOf<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  return result.value;
}
