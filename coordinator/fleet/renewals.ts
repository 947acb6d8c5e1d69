import type { Renew, RenewAnswer, Stretch } from '../../common/protocol/agent-link.ts';
import { isForgotten, renewedState } from '../../common/protocol/lease-rules.ts';
import type { GrantEnd } from '../../common/protocol/lease-rules.ts';
import { fail, ok } from '../../common/runtime/result.ts';
import type { Result } from '../../common/runtime/result.ts';
import { statement } from '../platform/database/queries.ts';
import { endGrants } from './grants.ts';
import type { AgentSession, FleetDeps } from './types.ts';

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

/**
 * One renewal for all that a session holds. The session's row is renewed first and the grants are read by a statement of their
 * own: a takeover that locked the row before us has committed and is seen; one that comes later sees the renewal.
 */
export async function renew(
  deps: FleetDeps,
  session: AgentSession,
  renewal: Renew,
  acknowledge: Acknowledge,
): Promise<Result<RenewAnswer>> {
  const { database, settings } = deps;
  const renewed = await database.maybeOne<{ now: number; wasDraining: boolean }>(RENEW_SESSION, [
    session.sessionId,
    renewal.draining,
    renewal.rate,
    renewal.late,
    renewal.outboxBatches,
    renewal.modelVersion,
    renewal.capacity,
  ]);
  if (!renewed) return answerOfEnded(deps, session, renewal);
  const rows = await database.many<GrantRow>(READ_GRANTS, [
    renewal.grants.map(({ token }) => token),
    session.sessionId,
  ]);
  const found = new Map(rows.map((row) => [row.token, { grant: row, revision: row.revision }]));
  // Who captures by a revision has acknowledged it, even if the acknowledgement was lost.
  for (const grant of renewal.grants) {
    const row = found.get(grant.token)?.grant;
    if (row && row.until === null && grant.revision > row.acknowledged) await acknowledge(session, grant);
  }
  const named = new Set(renewal.grants.map(({ token }) => token));
  const forgotten = rows.filter(
    (row) => !named.has(row.token) && row.until === null && isForgotten(row.from, renewed.now, settings.ttlMs),
  );
  if (forgotten.length > 0) await endForgotten(deps, session, forgotten);
  const fleet = await database.one<Stretch & { work: boolean }>(READ_FLEET, [session.agentId, session.sessionId]);
  // A drain that begins or ends moves shards.
  if (renewed.wasDraining !== renewal.draining) await requestPlan(deps);
  return ok({
    now: renewed.now,
    grants: renewal.grants.map((grant) => renewedState(session.sessionId, grant, found.get(grant.token))),
    stretch: { factor: fleet.factor, belowPriority: fleet.belowPriority },
    modelVersion: deps.modelVersion(),
    workAvailable: fleet.work && !renewal.draining,
  });
}

/** Any coordinator may ask; the one that plans sees it within half a second. */
export async function requestPlan({ database }: Pick<FleetDeps, 'database'>): Promise<void> {
  await database.query('update fleet_settings set plan_request = plan_request + 1');
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
    grants: renewal.grants.map(({ shardId, token }) => ({ shardId, token, state: ended.state })),
    stretch: { factor: 1, belowPriority: 0 },
    modelVersion: null,
    workAvailable: false,
  });
}

// The clock is read after the lock: the outer statement runs for the row that the inner one got. Capacity is written where it
// changed by more than a twentieth, so that most renewals touch one row.
const RENEW_SESSION = statement(
  'fleet.renew-session',
  `with mine as materialized (
     select s.id, s.draining as was_draining from agent_sessions s join agents a on a.id = s.agent_id
     where s.id = $1 and s.superseded_at is null and a.revoked_at is null for no key update of s
   ), corrected as (
     update agents a set capacity = $7 from mine join agent_sessions s on s.id = mine.id
     where a.id = s.agent_id and abs(a.capacity - $7) > a.capacity / 20
   )
   update agent_sessions s set last_renewed_at = clock_timestamp(), draining = $2, rate = $3, late = $4,
     outbox_batches = $5, model_version = $6
   from mine where s.id = mine.id
   returning extract(epoch from clock_timestamp()) * 1000 as now, mine.was_draining as "wasDraining"`,
);

const READ_GRANTS = statement(
  'fleet.read-grants',
  `select g.token, g.shard_id as "shardId", g.session_id as "sessionId", extract(epoch from g.from_at) * 1000 as "from",
     extract(epoch from g.until_at) * 1000 as until, g.end_reason as "endReason", s.revision,
     g.acknowledged_revision as acknowledged
   from grants g join shards s on s.id = g.shard_id
   where g.token = any($1) or (g.session_id = $2 and g.until_at is null)`,
);

const READ_FLEET = statement(
  'fleet.read-fleet',
  `select stretch_factor as factor, stretch_below as "belowPriority", exists (
     select from shards s left join grants g on g.shard_id = s.id and g.until_at is null
     where s.target_agent = $1 and s.retired_at is null and g.session_id is distinct from $2) as work
   from fleet_settings`,
);
