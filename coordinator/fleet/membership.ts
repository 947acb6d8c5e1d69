import type { ShardDelta } from '../../common/protocol/agent-link.ts';
import { fail, ok } from '../../common/runtime/result.ts';
import type { Result } from '../../common/runtime/result.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { assignmentsWithMemory, readHostBudgets } from './contents.ts';
import { lockOpenGrants, lockShards } from './grants.ts';
import { readInstant } from './types.ts';
import type { AgentSession, FleetContext } from './types.ts';

export interface ShardRevision {
  agentId: string;
  shardId: number;
  revision: number;
}

interface ShardVersion {
  shardId: number;
  token: number;
  revision: number;
}

const CHUNK = 2_000;

/** Which cameras a shard has, and how changes reach its holder. */
export class Memberships {
  readonly #deps: FleetContext;

  constructor(deps: FleetContext) {
    this.#deps = deps;
  }

  /** What changed since the revision that the holder has; also what it shall get as soon as it acknowledges. */
  async sync(session: AgentSession, { shardId, token, revision }: ShardVersion): Promise<Result<ShardDelta>> {
    const { database } = this.#deps;
    const read = await database.transaction(
      async (tx) => {
        if (!(await isOpen(tx, session, { shardId, token }))) return undefined;
        const shard = await tx.one<{ revision: number }>('select revision from shards where id = $1', [shardId]);
        const changes = await tx.many<{ id: number; here: boolean }>(CHANGES, [shardId, revision]);
        return { revision: shard.revision, changes };
      },
      { isolation: 'repeatable read' },
    );
    if (!read) return NOT_HELD;
    const here = read.changes.filter((change) => change.here).map(({ id }) => id);
    const upsert = await assignmentsWithMemory(this.#deps, here);
    const known = new Set(upsert.map(({ cameraId }) => cameraId));
    const remove = read.changes.map(({ id }) => id).filter((id) => !known.has(id));
    const hosts = await readHostBudgets(this.#deps, shardId);
    return ok({ shardId, token, revision: read.revision, upsert, remove, hosts });
  }

  /** The holder captures by this revision now: cameras announced in it change their shard at this moment. */
  async acknowledge(session: AgentSession, version: ShardVersion): Promise<Result<Record<string, never>>> {
    const { shardId, revision } = version;
    const changed = await this.#deps.database.transaction(async (tx) => {
      const locked = await lockForMoves(tx, shardId);
      await lockOpenGrants(tx, locked);
      if (!(await isOpen(tx, session, version))) return undefined;
      await tx.query('update grants set acknowledged_revision = greatest(acknowledged_revision, $2) where token = $1', [
        version.token,
        revision,
      ]);
      return moveCameras(tx, { shardId, locked, upTo: revision });
    });
    if (!changed) return NOT_HELD;
    this.wake(changed);
    return ok({});
  }

  /**
   * Cameras were added, changed, paused or removed. Their shards get a new revision and the holders are woken; those that are
   * no longer to be captured leave their shard now; those without a shard ask for a plan.
   */
  async camerasChanged(cameraIds: readonly number[]): Promise<void> {
    for (let start = 0; start < cameraIds.length; start += CHUNK) {
      await this.#chunkChanged(cameraIds.slice(start, start + CHUNK));
    }
  }

  async #chunkChanged(ids: readonly number[]): Promise<void> {
    const placed = await this.#deps.database.many<{ id: number }>(
      `select camera_id as id from memberships where camera_id = any($1) and until_at is null
       union select camera_id from moves where camera_id = any($1)`,
      [ids],
    );
    const placedIds = placed.map(({ id }) => id);
    if (placedIds.length > 0) await this.#announce(placedIds);
    if (placedIds.length < ids.length) await this.#deps.requestPlan();
  }

  async #announce(ids: number[]): Promise<void> {
    const wanted = new Map((await this.#deps.assignmentsOf(ids)).map(({ cameraId, host }) => [cameraId, host]));
    const gone = ids.filter((id) => !wanted.has(id));
    const changed = await this.#deps.database.transaction(async (tx) => {
      const shards = await tx.many<{ id: number }>(SHARDS_OF, [ids]);
      const shardIds = shards.map(({ id }) => id);
      await lockShards(tx, shardIds);
      const bumped = await bumpShards(tx, shardIds, ids);
      await dropCameras(tx, gone);
      for (const table of ['memberships', 'moves']) {
        await tx.query(
          `update ${table} t set host = w.host from unnest($1::int[], $2::text[]) as w (id, host)
           where t.camera_id = w.id and t.host <> w.host ${table === 'memberships' ? 'and t.until_at is null' : ''}`,
          [[...wanted.keys()], [...wanted.values()]],
        );
      }
      return bumped;
    });
    this.wake(changed);
  }

  wake(changed: readonly ShardRevision[]): void {
    for (const { agentId, shardId, revision } of changed) {
      this.#deps.notify(agentId, 'shard:changed', { shardId, revision });
    }
  }
}

const NOT_HELD = fail('NOT_HELD', 'This session does not hold that shard with that token; renew to see why.');

async function isOpen(
  tx: Queryable,
  session: AgentSession,
  grant: { shardId: number; token: number },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    'select from grants where token = $1 and shard_id = $2 and session_id = $3 and until_at is null',
    [grant.token, grant.shardId, session.sessionId],
  );
  return rowCount === 1;
}

/** Locks a shard together with those that cameras would leave for it; returns them all. */
export async function lockForMoves(tx: Queryable, shardId: number): Promise<number[]> {
  const rows = await tx.many<{ id: number }>(
    `select id from shards where id = any(array(
       select $1::int union select (select m.shard_id from memberships m where m.camera_id = v.camera_id and m.until_at is null)
       from moves v where v.to_shard = $1)) order by id for no key update`,
    [shardId],
  );
  return rows.map(({ id }) => id);
}

/**
 * Cameras on their way to this shard become its members, at one instant at which their old membership ends. Their old shards get
 * a new revision. The caller holds the shards `locked` and their open grants; cameras that meanwhile belong to yet another
 * shard wait for the next acknowledgement.
 */
export async function moveCameras(
  tx: Queryable,
  { shardId, locked, upTo }: { shardId: number; locked: readonly number[]; upTo?: number },
): Promise<ShardRevision[]> {
  const moving = await tx.many<{ id: number; host: string; old: number | null }>(
    // Subqueries by camera, not a join: right after a large plan the statistics of `moves` are of an empty table, and a join
    // would read all of it.
    `delete from moves v where v.to_shard = $1 and ($2::bigint is null or v.revision <= $2) and not exists (
       select from memberships m where m.camera_id = v.camera_id and m.until_at is null and m.shard_id <> all($3))
     returning v.camera_id as id, v.host,
       (select m.shard_id from memberships m where m.camera_id = v.camera_id and m.until_at is null) as old`,
    [shardId, upTo ?? null, locked],
  );
  if (moving.length === 0) return [];
  const ids = moving.map(({ id }) => id);
  const at = await readInstant(tx);
  await tx.query('update memberships set until_at = $2 where camera_id = any($1) and until_at is null', [ids, at]);
  await tx.query(
    `insert into memberships (camera_id, shard_id, host, from_at)
     select id, $3, host, $4 from unnest($1::int[], $2::text[]) as moving (id, host)`,
    [ids, moving.map(({ host }) => host), shardId, at],
  );
  const left = moving.flatMap(({ old }) => (old === null || old === shardId ? [] : [old]));
  const sharing = await shardsSharing(tx, [...new Set(moving.map(({ host }) => host))], shardId);
  return bumpShards(tx, [...new Set([...left, ...sharing])], ids);
}

/** Other shards with cameras of these hosts: their parts of the hosts' budgets change. */
async function shardsSharing(tx: Queryable, hosts: readonly string[], shardId: number): Promise<number[]> {
  const rows = await tx.many<{ id: number }>(
    `select distinct m.shard_id as id from memberships m join grants g on g.shard_id = m.shard_id and g.until_at is null
     where m.host = any($1) and m.until_at is null and m.shard_id <> $2 order by 1`,
    [hosts, shardId],
  );
  const ids = rows.map(({ id }) => id);
  if (ids.length > 0) await lockShards(tx, ids);
  return ids;
}

/** A new revision for these (locked) shards, in which those of the cameras that are or were theirs changed. */
export async function bumpShards(
  tx: Queryable,
  shardIds: readonly number[],
  cameraIds: readonly number[],
): Promise<ShardRevision[]> {
  if (shardIds.length === 0) return [];
  await tx.query('update shards set revision = revision + 1 where id = any($1)', [shardIds]);
  await tx.query(
    `insert into shard_changes (shard_id, camera_id, revision)
     select s.id, theirs.camera_id, s.revision
     from (
       select m.shard_id, m.camera_id from unnest($2::int[]) as c (id) join memberships m on m.camera_id = c.id
       union
       select v.to_shard, v.camera_id from unnest($2::int[]) as c (id) join moves v on v.camera_id = c.id
     ) as theirs
     join unnest($1::int[]) as bumped (id) on bumped.id = theirs.shard_id join shards s on s.id = bumped.id
     on conflict (shard_id, camera_id) do update set revision = excluded.revision`,
    [shardIds, cameraIds],
  );
  return tx.many<ShardRevision & Record<string, unknown>>(
    `select g.agent_id as "agentId", s.id as "shardId", s.revision from shards s
     join grants g on g.shard_id = s.id and g.until_at is null where s.id = any($1) order by s.id`,
    [shardIds],
  );
}

/** Ends the memberships of cameras that are no longer to be captured. Their shards are locked and bumped already. */
export async function dropCameras(tx: Queryable, cameraIds: readonly number[]): Promise<void> {
  if (cameraIds.length === 0) return;
  await tx.query('delete from moves where camera_id = any($1)', [cameraIds]);
  const shards = await tx.many<{ id: number }>(
    'select distinct shard_id as id from memberships where camera_id = any($1) and until_at is null',
    [cameraIds],
  );
  await lockOpenGrants(
    tx,
    shards.map(({ id }) => id),
  );
  await tx.query('update memberships set until_at = $2 where camera_id = any($1) and until_at is null', [
    cameraIds,
    await readInstant(tx),
  ]);
}

const CHANGES = `
  select c.camera_id as id, exists (select from memberships m where m.camera_id = c.camera_id and m.shard_id = c.shard_id
      and m.until_at is null) or exists (select from moves v where v.camera_id = c.camera_id and v.to_shard = c.shard_id) as here
  from shard_changes c where c.shard_id = $1 and c.revision > $2 order by c.camera_id`;

const SHARDS_OF = `
  select shard_id as id from memberships where camera_id = any($1) and until_at is null
  union select to_shard from moves where camera_id = any($1)`;
