import type { HostRest, Renew, RenewAnswer, Stretch } from '../../common/protocol/agent-link.ts';
import { isForgotten, renewedState } from '../../common/protocol/lease-rules.ts';
import type { GrantEnd } from '../../common/protocol/lease-rules.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { Grouped } from '../../common/runtime/grouped.ts';
import { fail, ok } from '../../common/runtime/result.ts';
import type { Result } from '../../common/runtime/result.ts';
import { statement } from '../platform/database/queries.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { endGrants } from './grants.ts';
import type { HostLedger } from './hosts/ledger.ts';
import type { AgentSession, FleetContext, FleetDeps } from './types.ts';

interface GrantRow extends Record<string, unknown> {
  token: number;
  shardId: number;
  sessionId: string;
  from: number;
  until: number | null;
  endReason: GrantEnd | null;
  revision: number;
  acknowledged: number;
}

/** Applies an acknowledgement; see Memberships. */
export type Acknowledge = (
  session: AgentSession,
  version: { shardId: number; token: number; revision: number },
) => Promise<unknown>;

/** A thousand agents renew 200 times a second: ten groups of twenty cost a tenth of the statements and 50 ms of waiting. */
const GROUP_GAP_MS = 100;
const MOST_GROUPED = 200;

interface Asked {
  session: AgentSession;
  renewal: Renew;
}

interface Read {
  /** When the group's first statement was sent, monotonic ms. */
  begunAt: number;
  /** Absent where the session has ended. */
  renewed: { now: number; wasDraining: boolean } | undefined;
  /** All grants that this group names, by token. */
  named: ReadonlyMap<number, GrantRow>;
  /** Open grants of this session. */
  held: readonly GrantRow[];
  fleet: Stretch & { work: boolean; takedowns: number; placeholders: number };
  /** What others found out about hosts of this session's cameras. */
  rests: HostRest[];
}

/** One renewal for all that a session holds; renewals that come close together share their statements. */
export class Renewals {
  readonly #deps: FleetContext;
  readonly #acknowledge: Acknowledge;
  readonly #hosts: HostLedger;
  readonly #clock: Clock;
  readonly #group: Grouped<Asked, Read>;

  constructor(deps: FleetContext, hosts: HostLedger, acknowledge: Acknowledge, clock: Clock = systemClock) {
    this.#hosts = hosts;
    this.#deps = deps;
    this.#acknowledge = acknowledge;
    this.#clock = clock;
    this.#group = new Grouped({
      work: (asked) => renewAndRead(deps.database, hosts, asked, clock),
      ...{ gapMs: GROUP_GAP_MS, mostItems: MOST_GROUPED, clock },
    });
  }

  async renew(session: AgentSession, renewal: Renew): Promise<Result<RenewAnswer>> {
    const askedAt = this.#clock.monotonic();
    const { begunAt, renewed, named, held, fleet, rests } = await this.#group.ask({ session, renewal });
    const waitedMs = begunAt - askedAt;
    if (!renewed) return answerOfEnded(this.#deps, session, renewal);
    await this.#settle(session, renewal, { renewed, held });
    return ok({
      now: renewed.now,
      waitedMs,
      grants: renewal.grants.map((grant) => {
        const row = named.get(grant.token);
        return renewedState(session.sessionId, grant, row && { grant: row, revision: row.revision });
      }),
      stretch: { factor: fleet.factor, belowPriority: fleet.belowPriority },
      modelVersion: this.#deps.modelVersion(),
      workAvailable: fleet.work && !renewal.draining,
      takedownRevision: fleet.takedowns,
      placeholderRevision: fleet.placeholders,
      ...(rests.length > 0 && { rests }),
    });
  }

  /** What a renewal says beyond being alive: revisions that are in use, grants that it no longer names, a drain. */
  async #settle(
    session: AgentSession,
    renewal: Renew,
    { renewed, held }: { renewed: { now: number; wasDraining: boolean }; held: readonly GrantRow[] },
  ): Promise<void> {
    // Who captures by a revision has acknowledged it, even if the acknowledgement was lost.
    const revisions = new Map(held.map(({ token, acknowledged }) => [token, acknowledged]));
    for (const grant of renewal.grants) {
      if (grant.revision > (revisions.get(grant.token) ?? Infinity)) await this.#acknowledge(session, grant);
    }
    const named = new Set(renewal.grants.map(({ token }) => token));
    const forgotten = held.filter(
      (row) => !named.has(row.token) && isForgotten(row.from, renewed.now, this.#deps.settings.ttlMs),
    );
    if (forgotten.length > 0) await endForgotten(this.#deps, session, forgotten);
    if (renewal.hosts) await this.#hosts.learn(session, renewal.hosts);
    // A drain that begins or ends moves shards.
    if (renewed.wasDraining !== renewal.draining) await this.#deps.requestPlan();
  }
}

/**
 * The sessions' rows are renewed first and the grants are read by a statement of their own: a takeover that locked a row before
 * us has committed and is seen; one that comes later sees the renewal.
 */
async function renewAndRead(
  database: Queryable,
  hosts: HostLedger,
  asked: readonly Asked[],
  clock: Clock,
): Promise<Read[]> {
  const begunAt = clock.monotonic();
  // Of two renewals of one session the newer one counts.
  const newest = new Map(asked.map((one) => [one.session.sessionId, one]));
  const sessions = [...newest.values()].map(({ session, renewal: { grants: _, hosts: __, ...rest } }) => ({
    ...session,
    ...rest,
  }));
  const rows = await database.many<{ sessionId: string; now: number; wasDraining: boolean }>(RENEW_SESSIONS, [
    JSON.stringify(sessions),
  ]);
  const renewed = new Map(rows.map((row) => [row.sessionId, row]));
  const alive = sessions.filter(({ sessionId }) => renewed.has(sessionId));
  const grants = await database.many<GrantRow>(READ_GRANTS, [
    asked.flatMap(({ renewal }) => renewal.grants.map(({ token }) => token)),
    alive.map(({ sessionId }) => sessionId),
  ]);
  const fleets = await database.many<
    Stretch & { work: boolean; takedowns: number; placeholders: number; sessionId: string }
  >(READ_FLEET, [alive.map(({ agentId }) => agentId), alive.map(({ sessionId }) => sessionId)]);
  const rests = await hosts.news(
    database,
    alive.map(({ sessionId }) => sessionId),
  );
  const named = new Map(grants.map((row) => [row.token, row]));
  const heldBy = new Map<string, GrantRow[]>();
  for (const row of grants) {
    if (row.until === null) heldBy.set(row.sessionId, [...(heldBy.get(row.sessionId) ?? []), row]);
  }
  const fleetOf = new Map(fleets.map((row) => [row.sessionId, row]));
  return asked.map(({ session: { sessionId } }) => ({
    ...{ begunAt, renewed: renewed.get(sessionId), named, held: heldBy.get(sessionId) ?? [] },
    fleet: fleetOf.get(sessionId) ?? { factor: 1, belowPriority: 0, work: false, takedowns: 0, placeholders: 0 },
    rests: rests.get(sessionId) ?? [],
  }));
}

async function endForgotten(deps: FleetDeps, session: AgentSession, rows: readonly GrantRow[]): Promise<void> {
  const tokens = rows.map(({ token }) => token);
  await deps.database.transaction((tx) =>
    endGrants(tx, { where: 'token = any($1)', params: [tokens], reason: 'released' }),
  );
  deps.logger.warn({ ...session, shards: rows.map(({ shardId }) => shardId) }, 'agent no longer names grants it holds');
}

/** Why a session could not renew, told for each grant that it names. */
async function answerOfEnded(deps: FleetDeps, session: AgentSession, renewal: Renew): Promise<Result<RenewAnswer>> {
  const ended = await deps.database.maybeOne<{ now: number; state: 'superseded' | 'revoked' }>(
    `select extract(epoch from clock_timestamp()) * 1000 as now,
       case when a.revoked_at is not null then 'revoked' else 'superseded' end as state
     from agent_sessions s join agents a on a.id = s.agent_id where s.id = $1`,
    [session.sessionId],
  );
  if (!ended) return fail('HELLO_FIRST', 'This session is unknown here; say agent:hello before anything else.');
  return ok({
    now: ended.now,
    waitedMs: 0,
    grants: renewal.grants.map(({ shardId, token }) => ({ shardId, token, state: ended.state })),
    stretch: { factor: 1, belowPriority: 0 },
    modelVersion: null,
    workAvailable: false,
  });
}

// The clock is read after the lock: the outer statement runs for rows that the inner one got. Capacity is written where it
// changed by more than a twentieth, so that most renewals touch one row.
const RENEW_SESSIONS = statement(
  'fleet.renew-sessions',
  `with asked as materialized (
     select * from json_to_recordset($1::json) as r("sessionId" uuid, draining boolean, rate float8, late integer,
       "outboxBatches" integer, "refusedBatches" integer, "picturesDropped" integer, "modelVersion" text, capacity float8)
   ), mine as materialized (
     select s.id, s.agent_id, s.draining as was_draining from agent_sessions s join agents a on a.id = s.agent_id
     where s.id in (select "sessionId" from asked) and s.superseded_at is null and a.revoked_at is null
     order by s.id for no key update of s
   ), corrected as (
     update agents a set capacity = r.capacity from mine join asked r on r."sessionId" = mine.id
     where a.id = mine.agent_id and abs(a.capacity - r.capacity) > a.capacity / 20
   )
   update agent_sessions s set last_renewed_at = clock_timestamp(), draining = r.draining, rate = r.rate, late = r.late,
     outbox_batches = r."outboxBatches", refused_batches = coalesce(r."refusedBatches", 0),
     pictures_dropped = coalesce(r."picturesDropped", 0), model_version = r."modelVersion"
   from mine join asked r on r."sessionId" = mine.id where s.id = mine.id
   returning s.id as "sessionId", extract(epoch from clock_timestamp()) * 1000 as now, mine.was_draining as "wasDraining"`,
);

const READ_GRANTS = statement(
  'fleet.read-grants',
  `select g.token, g.shard_id as "shardId", g.session_id as "sessionId", extract(epoch from g.from_at) * 1000 as "from",
     extract(epoch from g.until_at) * 1000 as until, g.end_reason as "endReason", s.revision,
     g.acknowledged_revision as acknowledged
   from grants g join shards s on s.id = g.shard_id
   where g.token = any($1) or (g.session_id = any($2) and g.until_at is null)`,
);

const READ_FLEET = statement(
  'fleet.read-fleet',
  `select r.session_id as "sessionId", stretch_factor as factor, stretch_below as "belowPriority",
     takedown_revision as takedowns, placeholder_revision as placeholders, exists (
     select from shards s left join grants g on g.shard_id = s.id and g.until_at is null
     where s.target_agent = r.agent_id and s.retired_at is null and g.session_id is distinct from r.session_id) as work
   from fleet_settings cross join unnest($1::uuid[], $2::uuid[]) as r(agent_id, session_id)`,
);
