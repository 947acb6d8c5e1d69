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
  #seen = { request: -1, agents: '', plannedAt: -Infinity };
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
    const isDue = performance.now() - this.#seen.plannedAt > this.#deps.settings.planner.intervalSeconds * 1_000;
    if (isDue || request !== this.#seen.request || agents !== this.#seen.agents) {
      await this.plan();
      this.#seen = { request, agents, plannedAt: performance.now() };
    }
    if (performance.now() - this.#prunedAt > PRUNE_MS) {
      this.#prunedAt = performance.now();
      await this.#parts.prune();
    }
  }

  /** What would make a plan stale, read before it is made. */
  async #look(): Promise<{ request: number; agents: string }> {
    const { database, settings } = this.#deps;
    const { request } = await database.one<{ request: number }>('select plan_request as request from fleet_settings');
    const facts = await readFacts(database, settings.ttlMs);
    const rows = await database.many<{ id: string; at: number }>(
      'select agent_id as id, extract(epoch from last_renewed_at) * 1000 as at from agent_sessions where superseded_at is null',
    );
    const heard = rows.filter(({ at }) => !isSilent(at, facts)).map(({ id }) => id);
    return { request, agents: heard.toSorted().join() };
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
