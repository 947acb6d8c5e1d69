import { decideAccept } from '../../common/protocol/lease-rules.ts';
import type { Holder, OfferReason, OpenOffer, RenewalFacts } from '../../common/protocol/lease-rules.ts';
import { fail, ok } from '../../common/runtime/result.ts';
import type { Result } from '../../common/runtime/result.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { endLockedGrant, lockOpenGrants } from './grants.ts';
import type { EndedGrant } from './grants.ts';
import { lockForMoves, moveCameras } from './membership.ts';
import type { ShardRevision } from './membership.ts';
import type { AgentSession } from './types.ts';

/** A grant that has begun, or had begun by the same offer, and who is to be told. */
export interface BegunGrant {
  token: number;
  revision: number;
  /** ms of the database's clock. */
  from: number;
  ended: EndedGrant[];
  changed: ShardRevision[];
}

export const NOT_CURRENT = fail('SESSION_SUPERSEDED', 'This session has ended or never said agent:hello.');
const LAPSED = fail('OFFER_LAPSED', 'The offer lapsed or was withdrawn; ask for work again.');

/**
 * Begins the offered grant in the caller's transaction and ends its predecessor. A thousand shards change hands when agents die,
 * while the machine is busy: each statement less counts. Locks in this order: shards, sessions, grants.
 */
export async function beginGrant(
  tx: Queryable,
  session: AgentSession,
  { offerId, shardId, ttlMs }: { offerId: string; shardId: number; ttlMs: number },
): Promise<Result<BegunGrant>> {
  const locked = await lockForMoves(tx, shardId);
  const { again, holderSession, offer, moves } = await readOffer(tx, session.sessionId, { offerId, shardId });
  if (again) return ok({ ...again, ended: [], changed: [] });
  if (!(await isCurrent(tx, session.sessionId, holderSession))) return NOT_CURRENT;
  // The holder's session is locked now: it may have renewed, or lost the grant, while we waited.
  const { holder, facts } = await readHolder(tx, shardId, ttlMs);
  if (decideAccept(session.sessionId, offer, holder, facts) === 'lapsed') return LAPSED;
  const open = await lockOpenGrants(tx, locked);
  const before = open.find((grant) => grant.shardId === shardId);
  if (before) await endLockedGrant(tx, before.token, 'taken');
  // Nobody sends cameras to a shard that we have locked.
  const changed = moves ? await moveCameras(tx, { shardId, locked }) : [];
  // After every lock, so that the old windows ended before; cameras that join do so at their own, slightly earlier instant.
  const begun = await tx.one<{ token: number; revision: number; from: Date }>(BEGIN_GRANT, [
    shardId,
    session.agentId,
    session.sessionId,
    offerId,
  ]);
  return ok({ ...begun, from: begun.from.getTime(), ended: before ? [before] : [], changed });
}

/** Shares the lock of our session, and of the holder's: neither can be superseded, revoked or renewed before we commit. */
export async function isCurrent(tx: Queryable, sessionId: string, holderSession?: string): Promise<boolean> {
  const rows = await tx.many<{ id: string }>(
    `select s.id from agent_sessions s join agents a on a.id = s.agent_id
     where s.id = any($1) and (s.id <> $2 or (s.superseded_at is null and a.revoked_at is null)) order by s.id for share of s`,
    [[sessionId, ...(holderSession === undefined ? [] : [holderSession])], sessionId],
  );
  return rows.some(({ id }) => id === sessionId);
}

interface OfferRead {
  /** The open grant that this offer has led to. */
  again: { token: number; revision: number; from: number } | undefined;
  holderSession: string | undefined;
  offer: OpenOffer | undefined;
  /** Whether cameras are on their way to the shard. */
  moves: boolean;
}

async function readOffer(
  tx: Queryable,
  sessionId: string,
  { offerId, shardId }: { offerId: string; shardId: number },
): Promise<OfferRead> {
  const row = await tx.one<{
    token: number | null;
    revision: number;
    from: Date;
    holderSession: string | null;
    offeredTo: string | null;
    reason: OfferReason;
    lapsesAt: number;
    moves: boolean;
  }>(READ_OFFER, [offerId, sessionId, shardId]);
  const { token, revision, from, holderSession, offeredTo, reason, lapsesAt, moves } = row;
  return {
    again: token === null ? undefined : { token, revision, from: from.getTime() },
    holderSession: holderSession ?? undefined,
    offer: offeredTo === null ? undefined : { sessionId: offeredTo, reason, lapsesAt },
    moves,
  };
}

async function readHolder(
  tx: Queryable,
  shardId: number,
  ttlMs: number,
): Promise<{ holder: Holder | undefined; facts: RenewalFacts }> {
  const { sessionId, lastRenewedAt, ...facts } = await tx.one<
    Omit<RenewalFacts, 'ttlMs'> & { sessionId: string | null; lastRenewedAt: number }
  >(READ_HOLDER, [shardId]);
  return { holder: sessionId === null ? undefined : { sessionId, lastRenewedAt }, facts: { ...facts, ttlMs } };
}

const READ_OFFER = `
  select a.token, a.from_at as "from", a.acknowledged_revision as revision, h.session_id as "holderSession",
    o.session_id as "offeredTo", o.reason, extract(epoch from o.lapses_at) * 1000 as "lapsesAt",
    exists (select from moves where to_shard = $3) as moves
  from (values (1)) as one
  left join grants a on a.offer_id = $1 and a.session_id = $2 and a.shard_id = $3 and a.until_at is null
  left join grants h on h.shard_id = $3 and h.until_at is null
  left join offers o on o.offer_id = $1 and o.shard_id = $3`;

const READ_HOLDER = `
  select extract(epoch from clock_timestamp()) * 1000 as now, extract(epoch from f.alive_at) * 1000 as "aliveAt",
    extract(epoch from f.renewals_work_since) * 1000 as "renewalsWorkSince", g.session_id as "sessionId",
    extract(epoch from s.last_renewed_at) * 1000 as "lastRenewedAt"
  from fleet_settings f left join (grants g join agent_sessions s on s.id = g.session_id)
    on g.shard_id = $1 and g.until_at is null`;

const BEGIN_GRANT = `
  with gone as (delete from offers where shard_id = $1)
  insert into grants (shard_id, agent_id, session_id, offer_id, from_at, acknowledged_revision)
  select $1, $2, $3, $4, fleet_instant(), revision from shards where id = $1
  returning token, acknowledged_revision as revision, from_at as "from"`;
