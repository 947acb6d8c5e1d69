import type { Assignment, HostBudget, HostRest } from '../../common/protocol/agent-link.ts';
import { restFor } from './hosts/ledger.ts';
import type { FleetDeps } from './types.ts';

/** Cameras with their memories, and this shard's part of each host's budget. */
export async function readContents(
  deps: FleetDeps,
  shardId: number,
): Promise<{ cameras: Assignment[]; hosts: HostBudget[] }> {
  const members = await deps.database.many<{ id: number }>(
    'select camera_id as id from memberships where shard_id = $1 and until_at is null order by camera_id',
    [shardId],
  );
  const ids = members.map(({ id }) => id);
  const [cameras, hosts] = await Promise.all([assignmentsWithMemory(deps, ids), readHostBudgets(deps, shardId)]);
  return { cameras, hosts };
}

export async function assignmentsWithMemory(deps: FleetDeps, cameraIds: number[]): Promise<Assignment[]> {
  if (cameraIds.length === 0) return [];
  const [assignments, memories] = await Promise.all([deps.assignmentsOf(cameraIds), deps.memoriesOf(cameraIds)]);
  return assignments.map((assignment) => ({ ...assignment, memory: memories.get(assignment.cameraId) ?? null }));
}

/** A host's budget is divided equally among the shards that have cameras of it, or are to get some. */
export async function readHostBudgets({ database, settings }: FleetDeps, shardId: number): Promise<HostBudget[]> {
  const hosts = await database.many<
    { host: string; parts: number; kind: HostRest['kind'] | null; until: number } & Record<string, unknown>
  >(READ_HOSTS, [shardId]);
  return hosts.map(({ host, parts, kind, until }) => ({
    ...hostBudget(host, parts, settings.hosts),
    ...(kind !== null && { rest: { kind, until } }),
  }));
}

const READ_HOSTS = `
  with mine as (
    select host from memberships where shard_id = $1 and until_at is null
    union select host from moves where to_shard = $1
  )
  select mine.host, greatest(1, (
    select count(distinct shard_id) from (
      select m.shard_id from memberships m where m.host = mine.host and m.until_at is null
      union select v.to_shard from moves v where v.host = mine.host) theirs))::int as parts, rest.kind, rest.until
  from mine left join lateral (${restFor({ host: 'mine.host', shard: '$1' })}) rest on true`;

export function hostBudget(
  host: string,
  parts: number,
  whole: { concurrency: number; minDelayMs: number },
): HostBudget {
  return {
    host,
    concurrency: Math.max(1, Math.floor(whole.concurrency / parts)),
    // The delay carries the division where concurrency cannot go below one.
    minDelayMs: whole.minDelayMs * parts,
  };
}
