import type { Span } from '../../common/protocol/lease-rules.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { statement } from '../platform/database/queries.ts';

/** A grant as intake sees it; instants are whole ms of the database's clock, half open. */
export interface GrantWindow extends Span {
  token: number;
  agentId: string;
  sessionId: string;
  shardId: number;
}

export interface LockedWindows {
  /** The database's clock after the locks: nothing fetched later than this can be in the batch. */
  arrivedAt: number;
  /** Tokens that were never given are absent. */
  windows: Map<number, GrantWindow>;
}

/**
 * Reads the grants of these tokens and shares their row locks until `tx` ends. A grant that is ended, or a camera that changes
 * its shard, waits for that and then ends later than `arrivedAt`, so what is counted in `tx` stays inside its window. Needs the
 * isolation `read committed`, and to be called before `membershipsOf`.
 */
export async function lockWindows(tx: Queryable, tokens: readonly number[]): Promise<LockedWindows> {
  const rows = await tx.many<GrantWindow & Record<string, unknown>>(LOCK_WINDOWS, [[...new Set(tokens)]]);
  const { now } = await tx.one<{ now: number }>('select floor(extract(epoch from clock_timestamp()) * 1000) as now');
  return { arrivedAt: now, windows: new Map(rows.map((row) => [row.token, row])) };
}

/** Spans of membership by `membershipKey`; a pair that never was is absent. To be asked after `lockWindows`. */
export async function membershipsOf(
  tx: Queryable,
  pairs: readonly { cameraId: number; shardId: number }[],
): Promise<Map<string, Span[]>> {
  const rows = await tx.many<Span & { cameraId: number; shardId: number } & Record<string, unknown>>(MEMBERSHIPS, [
    pairs.map(({ cameraId }) => cameraId),
    pairs.map(({ shardId }) => shardId),
  ]);
  const spans = new Map<string, Span[]>();
  for (const { cameraId, shardId, from, until } of rows) {
    const key = membershipKey(cameraId, shardId);
    spans.set(key, [...(spans.get(key) ?? []), { from, until }]);
  }
  return spans;
}

export const membershipKey = (cameraId: number, shardId: number): string => `${cameraId}/${shardId}`;

const LOCK_WINDOWS = statement(
  'fleet.lock-windows',
  `select token, agent_id as "agentId", session_id as "sessionId", shard_id as "shardId",
     (extract(epoch from from_at) * 1000)::bigint as "from", (extract(epoch from until_at) * 1000)::bigint as until
   from grants where token = any($1::bigint[]) order by token for share`,
);

const MEMBERSHIPS = statement(
  'fleet.memberships',
  `select distinct m.camera_id as "cameraId", m.shard_id as "shardId", (extract(epoch from m.from_at) * 1000)::bigint as "from",
     (extract(epoch from m.until_at) * 1000)::bigint as until
   from unnest($1::int[], $2::int[]) as wanted (camera_id, shard_id)
   join memberships m on m.camera_id = wanted.camera_id and m.shard_id = wanted.shard_id order by 1, 2, 3`,
);
