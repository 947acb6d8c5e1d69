import type { GrantEnd } from '../../common/protocol/lease-rules.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { readInstant } from './types.ts';

/** What must be known of a grant to end it and to tell its holder. */
export interface EndedGrant {
  token: number;
  shardId: number;
  agentId: string;
}

/**
 * Ends all open grants that match. The rows are locked first, then the clock is read: a batch that counts something inside one
 * of these windows holds a share of the lock, so its arrival lies before the end.
 */
export async function endGrants(
  tx: Queryable,
  { where, params, reason }: { where: string; params: readonly unknown[]; reason: GrantEnd },
): Promise<EndedGrant[]> {
  const locked = await tx.many<{ token: number; shardId: number; agentId: string }>(
    `select token, shard_id as "shardId", agent_id as "agentId" from grants
     where until_at is null and ${where} order by token for no key update`,
    params,
  );
  if (locked.length === 0) return [];
  await tx.query('update grants set until_at = $2, end_reason = $3 where token = any($1)', [
    locked.map(({ token }) => token),
    await readInstant(tx),
    reason,
  ]);
  return locked;
}

/** Ends a grant that the caller has locked; the clock is read by this statement, which is after the lock. */
export async function endLockedGrant(tx: Queryable, token: number, reason: GrantEnd): Promise<void> {
  await tx.query('update grants set until_at = fleet_instant(), end_reason = $2 where token = $1', [token, reason]);
}

/** Locks the open grants of these shards against intake, in the order in which intake locks them, and returns them. */
export async function lockOpenGrants(tx: Queryable, shardIds: readonly number[]): Promise<EndedGrant[]> {
  return tx.many<EndedGrant & Record<string, unknown>>(
    `select token, shard_id as "shardId", agent_id as "agentId" from grants
     where shard_id = any($1) and until_at is null order by token for no key update`,
    [shardIds],
  );
}

/** In the order of their ids, as everybody who locks shards. */
export async function lockShards(tx: Queryable, shardIds: readonly number[]): Promise<void> {
  await tx.query('select id from shards where id = any($1) order by id for no key update', [shardIds]);
}
