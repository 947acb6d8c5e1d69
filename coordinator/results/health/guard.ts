import { MEANINGS } from '../../../common/domain/health.ts';
import { statement } from '../../platform/database/queries.ts';
import type { Queryable } from '../../platform/database/queries.ts';

/** How an agent's cameras fare that worked until now. */
export interface AgentFigures {
  agentId: string;
  /** Cameras of it that worked when it last had news of them, those under suspicion included. */
  tried: number;
  /** Of these, the ones whose newest attempt got no answer from any host. */
  failing: number;
  /** Hosts of the failing ones. */
  hosts: number;
}

/** So many at once on so many hosts have one cause, and the agent is the nearest. */
const SUSPECT = { cameras: 5, hosts: 3, share: 0.5 };
/** Well below the share that raises suspicion: in between nothing changes. */
const TRUST_SHARE = 0.25;

export const isSuspect = ({ tried, failing, hosts }: AgentFigures): boolean =>
  failing >= SUSPECT.cameras && hosts >= SUSPECT.hosts && failing >= SUSPECT.share * tried;

export const isTrusted = ({ tried, failing }: AgentFigures): boolean => failing === 0 || failing < TRUST_SHARE * tried;

/** What another agent found. */
export type Finding = 'cameras' | 'agent';

/** A few cameras are enough, and fewer where the shard has no more. */
const LOOKED_AT = 3;

/** `undefined` while too few were looked at. */
export function findingOf({
  cameras,
  tried,
  failing,
}: {
  cameras: number;
  tried: number;
  failing: number;
}): Finding | undefined {
  if (tried === 0 || tried < Math.min(LOOKED_AT, cameras)) return undefined;
  return failing * 2 >= tried ? 'cameras' : 'agent';
}

export interface Suspicion {
  agentId: string;
  since: number;
  shardId: number | null;
  confirmer: string | null;
  askedAt: number | null;
  finding: Finding | null;
}

const NETWORK = Object.entries(MEANINGS)
  .filter(([, { perhapsAgent }]) => perhapsAgent)
  .map(([verdict]) => verdict);

// Cameras that were ill before say nothing about the agent.
const FIGURES = statement(
  'guard.figures',
  `select s.agent_id as "agentId", count(*)::int as tried,
     count(*) filter (where s.verdict = any($2::text[]))::int as failing,
     count(distinct c.host) filter (where s.verdict = any($2::text[]))::int as hosts
   from camera_state s join camera_health h on h.camera_id = s.camera_id join cameras c on c.id = s.camera_id
   where s.agent_id = any($1::uuid[]) and c.lifecycle = 'active' and (h.held or h.state in ('online', 'degraded', 'frozen', 'black', 'placeholder'))
   group by s.agent_id`,
);

export async function readFigures(db: Queryable, agentIds: readonly string[]): Promise<Map<string, AgentFigures>> {
  if (agentIds.length === 0) return new Map();
  const rows = await db.many<AgentFigures & Record<string, unknown>>(FIGURES, [agentIds, NETWORK]);
  return new Map(rows.map((row) => [row.agentId, row]));
}

export const readSuspicions = (db: Queryable): Promise<Suspicion[]> =>
  db.many<Suspicion & Record<string, unknown>>(
    `select agent_id as "agentId", ms_of_instant(since) as since, shard_id as "shardId", confirmer,
       ms_of_instant(asked_at) as "askedAt", finding from agent_suspicions`,
  );

export async function beginSuspicion(tx: Queryable, { agentId, failing, tried }: AgentFigures): Promise<void> {
  await tx.query(
    `insert into agent_suspicions (agent_id, since, failing, tried) values ($1, clock_timestamp(), $2, $3)
     on conflict do nothing`,
    [agentId, failing, tried],
  );
}

export async function noteConfirmer(
  tx: Queryable,
  agentId: string,
  asked: { shardId: number; agentId: string } | null,
): Promise<void> {
  await tx.query(
    `update agent_suspicions set asked_at = clock_timestamp(), shard_id = $2, confirmer = $3 where agent_id = $1`,
    [agentId, asked?.shardId ?? null, asked?.agentId ?? null],
  );
}

/** What the other agent has found of the shard's cameras since it got them. */
export async function readOpinion(
  db: Queryable,
  { agentId, shardId, since }: Suspicion,
): Promise<{ cameras: number; tried: number; failing: number }> {
  return db.one(
    `select count(*)::int as cameras, count(s.camera_id)::int as tried,
       count(*) filter (where s.verdict = any($4::text[]))::int as failing
     from memberships m left join camera_state s on s.camera_id = m.camera_id and s.agent_id <> $2
       and s.last_attempt_at > instant_of_ms($3)
     where m.shard_id = $1 and m.until_at is null`,
    [shardId, agentId, since, NETWORK],
  );
}

export async function noteFinding(tx: Queryable, agentId: string, finding: Finding): Promise<void> {
  await tx.query('update agent_suspicions set finding = $2 where agent_id = $1', [agentId, finding]);
}

export async function endSuspicion(tx: Queryable, agentId: string): Promise<void> {
  await tx.query('delete from agent_suspicions where agent_id = $1', [agentId]);
}
