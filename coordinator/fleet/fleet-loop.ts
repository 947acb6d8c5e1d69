import { HEARTBEAT_GAP_MS, isSilent } from '../../common/protocol/lease-rules.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import type { Service } from '../../common/runtime/service.ts';
import type { Memberships } from './membership.ts';
import { readFleet, writePlan } from './plan-store.ts';
import { planFleet } from './planner/planner.ts';
import type { Plan } from './planner/planner.ts';
import { readFacts } from './types.ts';
import type { FleetDeps } from './types.ts';

/** A camera that changed must reach its holder within two seconds, a silent agent be noticed within one. */
const TICK_MS = 500;
const LOCK = 'camfleet.planner';
/** With everything at rest a plan only follows slow changes, such as intervals that an operator set. */
const RESTING_INTERVALS = 6;
/** A plan of a large fleet keeps this process busy; renewals must come in between. */
const REST_PER_PLAN = 4;
const MOST_REST_MS = 2_000;
const REST_WITHOUT_NEWS = 10;
/** How often what has served is deleted. */
const PRUNE_MS = 60_000;

export interface FleetLoopParts {
  memberships: Memberships;
  prune(): Promise<void>;
}

/**
 * The coordinators' pulse. Each writes the heartbeat; the one that holds the planner's lock also plans: at every interval,
 * whenever a plan was asked for, and when an agent fell silent or was heard again.
 */
export class FleetLoop implements Service {
  readonly #deps: FleetDeps;
  readonly #parts: FleetLoopParts;
  readonly #ended = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #seen = { request: -1, agents: '', plannedAt: -Infinity, tookMs: 0 };
  #prunedAt = -Infinity;

  constructor(deps: FleetDeps, parts: FleetLoopParts) {
    this.#deps = deps;
    this.#parts = parts;
  }

  /** Rejects where the database does not answer: a coordinator without it serves nobody. */
  async start(): Promise<void> {
    // Agents need a while to find the new process: their TTL counts from now.
    await this.#deps.database.query(
      'update fleet_settings set renewals_work_since = clock_timestamp(), alive_at = clock_timestamp()',
    );
    this.#running = Promise.all([this.#heartbeats(), this.#lead()]);
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #heartbeats(): Promise<void> {
    await this.#repeat(this.#ended.signal, () => this.#deps.database.query(HEARTBEAT, [HEARTBEAT_GAP_MS]));
  }

  /** Waits for the lock, plans while it holds it, and waits again when it lost it. */
  async #lead(): Promise<void> {
    await this.#repeat(this.#ended.signal, () =>
      this.#deps.database.withLock(LOCK, (held) => this.#repeat(held, () => this.#tick()), this.#ended.signal),
    );
  }

  /** Goes on past failures, which are logged when they begin and when they end. */
  async #repeat(signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        await work();
        if (failures > 0) this.#deps.logger.info({ failures }, 'fleet loop goes on');
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (failures++ === 0) this.#deps.logger.warn({ err: error }, 'fleet loop failed; it tries again');
      }
      await systemClock.sleep(TICK_MS, signal).catch(() => undefined);
    }
  }

  async #tick(): Promise<void> {
    const { request, agents } = await this.#look();
    const began = performance.now();
    const idleMs = began - this.#seen.plannedAt;
    const isNews = request !== this.#seen.request || agents !== this.#seen.agents;
    const restMs = Math.min(MOST_REST_MS, this.#seen.tookMs * REST_PER_PLAN);
    if (idleMs > restMs && (isNews || (await this.#isDue(idleMs)))) {
      await this.plan();
      const plannedAt = performance.now();
      this.#seen = { request, agents, plannedAt, tookMs: plannedAt - began };
    }
    if (performance.now() - this.#prunedAt > PRUNE_MS) {
      this.#prunedAt = performance.now();
      await this.#parts.prune();
    }
  }

  /** Without news a plan only finds agents that accept nothing; one of a large fleet must not take their time for that. */
  async #isDue(idleMs: number): Promise<boolean> {
    const intervalMs = Math.max(
      this.#deps.settings.planner.intervalSeconds * 1_000,
      this.#seen.tookMs * REST_WITHOUT_NEWS,
    );
    if (idleMs <= intervalMs) return false;
    if (idleMs > intervalMs * RESTING_INTERVALS) return true;
    return (await this.#deps.database.one<{ unrest: boolean }>(UNREST)).unrest;
  }

  /** What would make a plan stale, read before it is made. */
  async #look(): Promise<{ request: number; agents: string }> {
    const { database, settings } = this.#deps;
    const { request } = await database.one<{ request: number }>('select plan_request as request from fleet_settings');
    const facts = await readFacts(database, settings.ttlMs);
    const rows = await database.many<{ id: string; at: number }>(WHO_CAN);
    const heard = rows.filter(({ at }) => !isSilent(at, facts)).map(({ id }) => id);
    return { request, agents: heard.join() };
  }

  /** Makes a plan now and wakes those whom it concerns. Only the holder of the planner's lock may call it. */
  async plan(): Promise<Plan> {
    const { database, settings, logger } = this.#deps;
    const cameras = await this.#deps.plannableCameras();
    const state = await readFleet(database, settings.ttlMs);
    const plan = planFleet(cameras, state.agents, state);
    const { woken, changed } = await database.transaction((tx) => writePlan(tx, plan, state, cameras));
    this.#parts.memberships.wake(changed);
    for (const agentId of woken) this.#deps.notify(agentId, 'work:available', {});
    logger.debug({ cameras: cameras.length, shards: plan.shards.length, woken: woken.length }, 'fleet planned');
    return plan;
  }
}

const HEARTBEAT = `
  update fleet_settings set
    renewals_work_since = case when clock_timestamp() - alive_at > make_interval(secs => $1 / 1000.0)
      then clock_timestamp() else renewals_work_since end,
    alive_at = clock_timestamp()`;

// Everything that decides how much an agent gets; its capacity is written only when it changed clearly.
const WHO_CAN = `
  select concat_ws(':', a.id, a.capacity, a.cordoned, a.draining or s.draining, s.refuses_until > clock_timestamp()) as id,
    extract(epoch from s.last_renewed_at) * 1000 as at
  from agents a join agent_sessions s on s.agent_id = a.id and s.superseded_at is null
  where a.revoked_at is null order by a.id`;

// A shard that its target does not hold, or a camera on its way.
const UNREST = `
  select exists (select from moves) or exists (
    select from shards s where s.retired_at is null and (s.target_agent is null or s.target_agent is distinct from (
      select g.agent_id from grants g where g.shard_id = s.id and g.until_at is null))) as unrest`;
