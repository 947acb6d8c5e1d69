import type { Queryable } from '../platform/database/queries.ts';
import { lockShards } from './grants.ts';
import type { FleetDeps } from './types.ts';

type Deps = Pick<FleetDeps, 'database' | 'settings' | 'notify'>;

/** Which shard another agent gets, and who that is. */
export interface Opinion {
  shardId: number;
  agentId: string;
}

/**
 * Another agent shall look at some cameras of this one, because those of this one fail together: its smallest shard is handed
 * over like any other, so that what the other agent finds counts. Until `trustAgain` the suspect gets no more shards. `null`
 * where there is no other agent, or no shard.
 */
export async function askSecondOpinion({ database, settings, notify }: Deps, suspect: string): Promise<Opinion | null> {
  const opinion = await database.transaction(async (tx) => {
    await tx.query('update agents set suspected_at = coalesce(suspected_at, clock_timestamp()) where id = $1', [
      suspect,
    ]);
    const found = await choose(tx, suspect, settings.ttlMs);
    if (!found) return null;
    await lockShards(tx, [found.shardId]);
    const { rowCount } = await tx.query(
      `update shards set target_agent = $3, takeover = false, targeted_at = clock_timestamp()
       where id = $1 and target_agent = $2 and retired_at is null`,
      [found.shardId, suspect, found.agentId],
    );
    return rowCount === 1 ? found : null;
  });
  if (opinion) notify(opinion.agentId, 'work:available', {});
  return opinion;
}

/** The agent may get shards again; changes nothing where it was not suspected. */
export async function trustAgain({ database }: Deps, agentId: string): Promise<void> {
  await database.query('update agents set suspected_at = null where id = $1 and suspected_at is not null', [agentId]);
}

/** Three cameras are enough to tell; of larger shards the smallest moves least. */
const FEW = 3;

async function choose(tx: Queryable, suspect: string, ttlMs: number): Promise<Opinion | undefined> {
  return tx.maybeOne<Opinion & Record<string, unknown>>(
    `with other as (
       select a.id, a.capacity - coalesce((select sum(load) from shards where target_agent = a.id and retired_at is null), 0) as room
       from agents a join agent_sessions s on s.agent_id = a.id and s.superseded_at is null
       where a.id <> $1 and a.revoked_at is null and a.suspected_at is null and not (a.cordoned or a.draining or s.draining)
         and coalesce(s.refuses_until < clock_timestamp(), true) and a.capacity > 0
         and s.last_renewed_at > clock_timestamp() - make_interval(secs => $2 / 1000.0)
       order by room desc, a.id limit 1
     )
     select s.id as "shardId", other.id as "agentId" from shards s cross join other
     join grants g on g.shard_id = s.id and g.until_at is null and g.agent_id = $1
     where s.target_agent = $1 and s.retired_at is null and s.cameras > 0
     order by s.cameras < ${FEW}, s.cameras, s.id limit 1`,
    [suspect, ttlMs],
  );
}
