import { randomUUID } from 'node:crypto';
import type { Grant, Offer } from '../../common/protocol/agent-link.ts';
import { offerReason } from '../../common/protocol/lease-rules.ts';
import type { Holder, OfferReason } from '../../common/protocol/lease-rules.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { Grouped } from '../../common/runtime/grouped.ts';
import { ok } from '../../common/runtime/result.ts';
import type { Result } from '../../common/runtime/result.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { beginGrant, isCurrent, NOT_CURRENT } from './acceptance.ts';
import { readContents } from './contents.ts';
import { endGrants, lockShards } from './grants.ts';
import type { EndedGrant } from './grants.ts';
import { Turnstile } from './turnstile.ts';
import { readFacts } from './types.ts';
import type { AgentSession, FleetContext } from './types.ts';

/** An agent accepts one after the other; more would lapse before their turn. */
const MOST_OFFERS = 50;
/**
 * Acceptances that run at once, and that may wait. A fleet that starts has thousands; one that waits longer than its agent
 * does would begin a grant that nobody knows of. Whoever finds the queue full is told at its next renewal.
 */
const ACCEPT_AT_ONCE = 6;
const ACCEPT_WAITING = 24;
/** How long an agent that handed shards back is offered none: what made it do so rarely passes sooner. */
const REFUSES_MS = 30_000;

interface WaitingShard extends Record<string, unknown> {
  shardId: number;
  cameras: number;
  load: number;
  plannedAsTakeover: boolean;
  sessionId: string | null;
  lastRenewedAt: number | null;
}

/** How shards change hands: request, accept, release, drain. */
export class Leases {
  readonly #deps: FleetContext;
  readonly #accepting = new Turnstile(ACCEPT_AT_ONCE);
  /** A thousand agents that are told to wait would write two hundred times a second. */
  readonly #turnedAway: Grouped<string, undefined>;

  constructor(deps: FleetContext, clock: Clock = systemClock) {
    this.#deps = deps;
    this.#turnedAway = new Grouped({
      work: async (sessionIds) => {
        await deps.database.query('update agent_sessions set turned_away_at = clock_timestamp() where id = any($1)', [
          sessionIds.toSorted(),
        ]);
        return sessionIds.map(() => undefined);
      },
      ...{ gapMs: 500, mostItems: 1_000, clock },
    });
  }

  /** Whether shards change hands now, or want to. */
  get isAccepting(): boolean {
    return this.#accepting.inside > 0;
  }

  /** Offers what the planner meant for this agent and may be had now. */
  async request({ agentId, sessionId }: AgentSession): Promise<Result<{ offers: Offer[] }>> {
    const { database, settings } = this.#deps;
    if (this.#accepting.waiting >= ACCEPT_WAITING) {
      // Else the planner would take it for one that does not answer, and give its shards to others that wait as well.
      await this.#turnedAway.ask(sessionId);
      return ok({ offers: [] });
    }
    const offers = await database.transaction(async (tx) => {
      if (!(await isCurrent(tx, sessionId))) return undefined;
      const waiting = await tx.many<WaitingShard>(WAITING, [agentId, sessionId, MOST_OFFERS]);
      const facts = await readFacts(tx, settings.ttlMs);
      const offered = waiting.flatMap((shard) => {
        const reason = offerReason(sessionId, { ...shard, holder: holderOf(shard) }, facts);
        return reason ? [{ ...shard, reason }] : [];
      });
      return writeOffers(tx, sessionId, offered, settings.offerMs);
    });
    return offers ? ok({ offers }) : NOT_CURRENT;
  }

  /** The grant begins, and its predecessor ends, when this commits. Asking again with the same offer gives the same grant. */
  accept(session: AgentSession, request: { offerId: string; shardId: number }): Promise<Result<Grant>> {
    return this.#accepting.pass(() => this.#accept(session, request));
  }

  async #accept(session: AgentSession, request: { offerId: string; shardId: number }): Promise<Result<Grant>> {
    const { ttlMs } = this.#deps.settings;
    const begun = await this.#deps.database.transaction((tx) => beginGrant(tx, session, { ...request, ttlMs }));
    if (!begun.ok) return begun;
    const { ended, changed, ...grant } = begun.value;
    this.#tellEnded(ended, 'taken');
    for (const { agentId, shardId, revision } of changed) {
      this.#deps.notify(agentId, 'shard:changed', { shardId, revision });
    }
    return ok({ shardId: request.shardId, ...grant, ...(await readContents(this.#deps, request.shardId)) });
  }

  /** The agent gives shards back; it is offered none for a while. */
  async release(
    { agentId, sessionId }: AgentSession,
    { shards, reason }: { shards: { shardId: number; token: number }[]; reason: string },
  ): Promise<Result<Record<string, never>>> {
    const ended = await this.#deps.database.transaction(async (tx) => {
      await lockShards(
        tx,
        shards.map((shard) => shard.shardId),
      );
      await tx.query('select id from agent_sessions where id = $1 for no key update', [sessionId]);
      const params = [sessionId, shards.map(({ token }) => token)];
      const released = await endGrants(tx, {
        where: 'session_id = $1 and token = any($2)',
        params,
        reason: 'released',
      });
      if (released.length === 0) return released;
      await tx.query(
        `update agent_sessions set refuses_until = clock_timestamp() + make_interval(secs => $2 / 1000.0) where id = $1`,
        [sessionId, REFUSES_MS],
      );
      await tx.query('update shards set target_agent = null where id = any($1) and target_agent = $2', [
        released.map(({ shardId }) => shardId),
        agentId,
      ]);
      return released;
    });
    if (ended.length > 0) {
      this.#deps.logger.info({ agentId, shards: ended.length, reason }, 'agent released shards');
      await this.#deps.requestPlan();
    }
    return ok({});
  }

  /** The agent wants to stop and goes on until each successor has accepted. `successors: false`: nobody could take over. */
  async drain({ agentId, sessionId }: AgentSession): Promise<Result<{ successors: boolean }>> {
    const { database, settings } = this.#deps;
    await database.query('update agent_sessions set draining = true where id = $1', [sessionId]);
    await this.#deps.requestPlan();
    const { successors } = await database.one<{ successors: boolean }>(
      `select exists (select from agents a join agent_sessions s on s.agent_id = a.id and s.superseded_at is null
         where a.id <> $1 and a.revoked_at is null and not a.cordoned and not a.draining and not s.draining
           and coalesce(s.refuses_until < clock_timestamp(), true)
           and s.last_renewed_at > clock_timestamp() - make_interval(secs => $2 / 1000.0)) as successors`,
      [agentId, settings.ttlMs],
    );
    return ok({ successors });
  }

  #tellEnded(ended: readonly EndedGrant[], reason: 'taken' | 'revoked'): void {
    for (const { agentId, shardId, token } of ended) {
      this.#deps.notify(agentId, 'lease:lost', { shardId, token, reason });
    }
  }
}

const holderOf = ({ sessionId, lastRenewedAt }: WaitingShard): Holder | undefined =>
  sessionId === null || lastRenewedAt === null ? undefined : { sessionId, lastRenewedAt };

async function writeOffers(
  tx: Queryable,
  sessionId: string,
  shards: (WaitingShard & { reason: OfferReason })[],
  offerMs: number,
): Promise<Offer[]> {
  if (shards.length === 0) return [];
  const written = await tx.many<{ shardId: number; offerId: string }>(WRITE_OFFERS, [
    shards.map(({ shardId }) => shardId),
    shards.map(() => randomUUID()),
    shards.map(({ reason }) => reason),
    sessionId,
    offerMs,
  ]);
  const facts = new Map(shards.map((shard) => [shard.shardId, shard]));
  return written.map(({ shardId, offerId }) => {
    const { cameras = 0, load = 0 } = facts.get(shardId) ?? {};
    return { offerId, shardId, cameras, load };
  });
}

const WAITING = `
  select s.id as "shardId", s.cameras, s.load, s.takeover as "plannedAsTakeover", g.session_id as "sessionId",
    extract(epoch from h.last_renewed_at) * 1000 as "lastRenewedAt"
  from shards s left join grants g on g.shard_id = s.id and g.until_at is null
  left join agent_sessions h on h.id = g.session_id
  where s.target_agent = $1 and s.retired_at is null and g.session_id is distinct from $2
  order by s.load desc, s.id limit $3`;

// One live offer a shard. The same session that asks again keeps its offer, so that a repeated request spoils nothing.
const WRITE_OFFERS = `
  insert into offers (shard_id, offer_id, session_id, reason, lapses_at)
  select shard_id, offer_id, $4, reason, clock_timestamp() + make_interval(secs => $5 / 1000.0)
  from unnest($1::int[], $2::uuid[], $3::text[]) as wanted (shard_id, offer_id, reason) order by shard_id
  on conflict (shard_id) do update set reason = excluded.reason, session_id = excluded.session_id,
    lapses_at = excluded.lapses_at,
    offer_id = case when offers.session_id = excluded.session_id then offers.offer_id else excluded.offer_id end
  where offers.session_id = excluded.session_id or offers.lapses_at < clock_timestamp()
  returning shard_id as "shardId", offer_id as "offerId"`;
