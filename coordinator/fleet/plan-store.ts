import type { Stretch } from '../../common/protocol/agent-link.ts';
import { isSilent } from '../../common/protocol/lease-rules.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { endGrants, lockShards } from './grants.ts';
import { bumpShards, dropCameras } from './membership.ts';
import type { ShardRevision } from './membership.ts';
import type { CurrentShards, Plan, PlannedShard } from './planner/planner.ts';
import { readFacts } from './types.ts';
import type { PlannableAgent, PlannableCamera } from './types.ts';

/** An agent that renews but accepts nothing for so long gets no more for the moment. */
const UNRESPONSIVE_MS = 20_000;

interface ShardRow extends Record<string, unknown> {
  id: number;
  targetAgent: string | null;
  takeover: boolean;
  cameras: number;
  load: number;
  holder: string | null;
  drainingHolder: boolean;
  /** How long the target could have accepted and did not. */
  waitingMs: number;
}

export interface FleetState extends CurrentShards {
  agents: PlannableAgent[];
  shards: Map<number, ShardRow>;
  /** Camera → shard that counts it now. */
  memberOf: Map<number, number>;
  /** Camera → shard it is on its way to. */
  movingTo: Map<number, number>;
}

/** All that the planner needs to know beside the cameras. */
export async function readFleet(db: Queryable, ttlMs: number): Promise<FleetState> {
  const facts = await readFacts(db, ttlMs);
  const rows = await db.many<AgentRow>(AGENTS);
  const shardRows = await db.many<ShardRow>(SHARDS);
  const shards = new Map(shardRows.map((shard) => [shard.id, shard]));
  const stalled = new Set(
    shardRows.filter((shard) => shard.waitingMs > UNRESPONSIVE_MS).map(({ targetAgent }) => targetAgent),
  );
  const agents = rows.map((row) => {
    const isHeard = !isSilent(row.lastRenewedAt, facts) && row.capacity > 0;
    const keeps = isHeard && !row.draining;
    const takes = keeps && !row.cordoned && !row.refuses && !row.suspected && !stalled.has(row.id);
    const place = row.latitude === null || row.longitude === null ? null : pick(row.latitude, row.longitude);
    return { id: row.id, capacity: row.capacity, place, keeps, takes };
  });
  const [memberOf, movingTo] = await Promise.all([
    readPairs(db, 'select camera_id, shard_id from memberships where until_at is null'),
    readPairs(db, 'select camera_id, to_shard as shard_id from moves'),
  ]);
  const stretch = await db.one<Stretch & Record<string, unknown>>(
    'select stretch_factor as factor, stretch_below as "belowPriority" from fleet_settings',
  );
  const keeps = new Set(agents.filter((agent) => agent.keeps).map(({ id }) => id));
  const takes = new Set(agents.filter((agent) => agent.takes).map(({ id }) => id));
  return {
    agents,
    shards,
    memberOf,
    movingTo,
    stretch,
    shardOf: new Map([...memberOf, ...movingTo]),
    agentOf: new Map(shardRows.flatMap((shard) => agentOfShard(shard, keeps, takes))),
  };
}

const pick = (latitude: number, longitude: number) => ({ latitude, longitude });

/** Whose the shard is for the planner: a holder that is heard again keeps what was to be taken from it. */
function agentOfShard(
  { id, holder, targetAgent, takeover }: ShardRow,
  keeps: Set<string>,
  takes: Set<string>,
): [number, string][] {
  const isHolderWell = holder !== null && keeps.has(holder);
  if (isHolderWell && (takeover || targetAgent === null || targetAgent === holder)) return [[id, holder]];
  if (targetAgent !== null && takes.has(targetAgent)) return [[id, targetAgent]];
  return isHolderWell ? [[id, holder]] : [];
}

async function readPairs(db: Queryable, sql: string): Promise<Map<number, number>> {
  const rows = await db.many<{ camera_id: number; shard_id: number }>(sql);
  return new Map(rows.map((row) => [row.camera_id, row.shard_id]));
}

export interface WrittenPlan {
  /** Agents for whom work waits. */
  woken: string[];
  changed: ShardRevision[];
}

/** Writes what the plan changes and nothing else. */
export async function writePlan(
  tx: Queryable,
  plan: Plan,
  state: FleetState,
  cameras: readonly PlannableCamera[],
): Promise<WrittenPlan> {
  const shards = await createShards(tx, plan.shards);
  const placed = new Map(shards.flatMap(({ id, cameraIds }) => cameraIds.map((camera) => [camera, id] as const)));
  const changed = await writeMoves(tx, placed, state, new Map(cameras.map(({ id, host }) => [id, host])));
  const woken = await writeTargets(tx, shards, state);
  await retireShards(tx, new Set(shards.map(({ id }) => id)), state);
  const { stretch, ...figures } = plan;
  await tx.query('update fleet_settings set stretch_factor = $1, stretch_below = $2, plan = $3', [
    stretch.factor,
    stretch.belowPriority,
    JSON.stringify({ ...figures, shards: shards.length }),
  ]);
  return { woken, changed };
}

type NumberedShard = PlannedShard & { id: number };

async function createShards(tx: Queryable, shards: readonly PlannedShard[]): Promise<NumberedShard[]> {
  const fresh = shards.filter(({ id }) => id === null).length;
  const ids =
    fresh === 0
      ? []
      : await tx.many<{ id: number }>(
          'insert into shards (cameras) select 0 from generate_series(1, $1) returning id',
          [fresh],
        );
  let next = 0;
  return shards.map((shard) => ({ ...shard, id: shard.id ?? ids[next++]?.id ?? 0 }));
}

async function writeMoves(
  tx: Queryable,
  placed: ReadonlyMap<number, number>,
  { memberOf, movingTo }: FleetState,
  hosts: ReadonlyMap<number, string>,
): Promise<ShardRevision[]> {
  const moves = [...placed].filter(([id, shard]) => (movingTo.get(id) ?? memberOf.get(id)) !== shard);
  const gone = [...new Set([...memberOf.keys(), ...movingTo.keys()])].filter((id) => !placed.has(id));
  const touched = [...moves.map(([id]) => id), ...gone];
  if (touched.length === 0) return [];
  const affected = new Set([...moves.map(([, shard]) => shard)]);
  for (const id of touched) {
    const to = movingTo.get(id);
    if (to !== undefined) affected.add(to);
  }
  for (const id of gone) affected.add(memberOf.get(id) ?? 0);
  const shardIds = [...affected];
  await lockShards(tx, shardIds);
  await withdrawMoves(tx, touched);
  await tx.query(
    `insert into moves (camera_id, to_shard, host, revision)
     select w.id, w.shard, w.host, s.revision + 1 from unnest($1::int[], $2::int[], $3::text[]) as w (id, shard, host)
     join shards s on s.id = w.shard
     where not exists (select from memberships m where m.camera_id = w.id and m.shard_id = w.shard and m.until_at is null)`,
    [moves.map(([id]) => id), moves.map(([, shard]) => shard), moves.map(([id]) => hosts.get(id) ?? '')],
  );
  const bumped = await bumpShards(tx, shardIds, touched);
  await dropCameras(tx, gone);
  return bumped;
}

/** The shards that were to get them are told by their next revision. */
async function withdrawMoves(tx: Queryable, cameraIds: readonly number[]): Promise<void> {
  await tx.query(
    `with gone as (delete from moves where camera_id = any($1) returning camera_id, to_shard)
     insert into shard_changes (shard_id, camera_id, revision)
     select s.id, gone.camera_id, s.revision + 1 from gone join shards s on s.id = gone.to_shard
     on conflict (shard_id, camera_id) do update set revision = excluded.revision`,
    [cameraIds],
  );
}

async function writeTargets(tx: Queryable, shards: readonly NumberedShard[], state: FleetState): Promise<string[]> {
  const heard = new Set(state.agents.filter(({ keeps }) => keeps).map(({ id }) => id));
  const differing = shards.filter((shard) => {
    const before = state.shards.get(shard.id);
    return (
      before?.targetAgent !== shard.agentId || before.cameras !== shard.cameraIds.length || before.load !== shard.load
    );
  });
  if (differing.length > 0) {
    await lockShards(
      tx,
      differing.map(({ id }) => id),
    );
    await tx.query(WRITE_TARGETS, [
      differing.map(({ id }) => id),
      differing.map(({ agentId }) => agentId),
      differing.map(({ id }) => isTakeover(state.shards.get(id), heard)),
      differing.map(({ cameraIds }) => cameraIds.length),
      differing.map(({ load }) => load),
    ]);
  }
  const waiting = shards.filter(({ id, agentId }) => agentId !== null && state.shards.get(id)?.holder !== agentId);
  return [...new Set(waiting.flatMap(({ agentId }) => agentId ?? []))];
}

const isTakeover = (shard: ShardRow | undefined, heard: Set<string>): boolean =>
  shard?.holder != null && !heard.has(shard.holder) && !shard.drainingHolder;

/** Shards without cameras, planned or counted, end. */
async function retireShards(tx: Queryable, planned: ReadonlySet<number>, state: FleetState): Promise<void> {
  const used = new Set(state.memberOf.values());
  const empty = [...state.shards.keys()].filter((id) => !planned.has(id) && !used.has(id));
  if (empty.length === 0) return;
  await lockShards(tx, empty);
  await tx.query('update shards set retired_at = clock_timestamp(), target_agent = null where id = any($1)', [empty]);
  await tx.query('delete from offers where shard_id = any($1)', [empty]);
  await endGrants(tx, { where: 'shard_id = any($1)', params: [empty], reason: 'released' });
}

interface AgentRow extends Record<string, unknown> {
  id: string;
  capacity: number;
  latitude: number | null;
  longitude: number | null;
  lastRenewedAt: number;
  draining: boolean;
  cordoned: boolean;
  refuses: boolean;
  suspected: boolean;
}

const AGENTS = `
  select a.id, a.capacity, a.latitude, a.longitude, extract(epoch from s.last_renewed_at) * 1000 as "lastRenewedAt",
    a.draining or s.draining as draining, a.cordoned, coalesce(s.refuses_until > clock_timestamp(), false) as refuses,
    a.suspected_at is not null as suspected
  from agents a join agent_sessions s on s.agent_id = a.id and s.superseded_at is null
  where a.revoked_at is null order by a.id`;

const SHARDS = `
  select s.id, s.target_agent as "targetAgent", s.takeover, s.cameras, s.load, g.agent_id as holder,
    coalesce(a.draining or h.draining, false) as "drainingHolder",
    case when s.target_agent is distinct from g.agent_id and s.target_agent is not null
      then extract(epoch from clock_timestamp() - greatest(s.targeted_at, t.started_at, t.turned_away_at, f.renewals_work_since)) * 1000
      else 0 end as "waitingMs"
  from shards s cross join fleet_settings f
  left join agent_sessions t on t.agent_id = s.target_agent and t.superseded_at is null
  left join grants g on g.shard_id = s.id and g.until_at is null
  left join agent_sessions h on h.id = g.session_id left join agents a on a.id = g.agent_id
  where s.retired_at is null order by s.id`;

const WRITE_TARGETS = `
  update shards s set target_agent = w.agent, takeover = w.takeover, cameras = w.cameras, load = w.load,
    targeted_at = case when s.target_agent is distinct from w.agent then clock_timestamp() else s.targeted_at end
  from unnest($1::int[], $2::uuid[], $3::bool[], $4::int[], $5::float8[]) as w (id, agent, takeover, cameras, load)
  where s.id = w.id`;
