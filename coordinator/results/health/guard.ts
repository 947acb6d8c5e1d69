import { MEANINGS } from '../../../common/domain/health.ts';
import type { Queryable } from '../../platform/database/queries.ts';

/** How an agent's cameras fare that worked until now. */
export interface AgentFigures {
  agentId: string;
  /** Cameras whose newest attempt failed in a way that the agent's network may have caused. */
  failing: number;
  /** Hosts of the failing ones. */
  hosts: number;
  /** Cameras that answered since the failing began. */
  answering: number;
  /** Cameras that were not tried since then, and the hosts of these and of the failing ones. */
  untried: number;
  possibleHosts: number;
}

/** So many at once on so many hosts have one cause, and the agent is the nearest. */
const SUSPECT = { cameras: 5, hosts: 3, share: 0.5 };
/** Well below the share that raises suspicion: in between nothing changes. */
const TRUST_SHARE = 0.25;
/** So many answers, and more than failures, come through no network that is down. */
const ANSWERS = 3;

/** What was not tried since the failing began says nothing: cameras are asked at different intervals. */
export const isSuspect = ({
  failing,
  hosts,
  answering,
}: Pick<AgentFigures, 'failing' | 'hosts' | 'answering'>): boolean =>
  failing >= SUSPECT.cameras && hosts >= SUSPECT.hosts && failing >= SUSPECT.share * (failing + answering);

export const isTrusted = ({ failing, answering }: Pick<AgentFigures, 'failing' | 'answering'>): boolean =>
  failing === 0 || failing < TRUST_SHARE * (failing + answering);

/** The agent would be suspected if its untried cameras failed, too, and what answered does not speak against it. */
export const isUndecided = ({
  failing,
  answering,
  untried,
  possibleHosts,
}: Omit<AgentFigures, 'agentId' | 'hosts'>): boolean =>
  !(answering >= ANSWERS && answering > failing) &&
  isSuspect({ failing: failing + untried, hosts: possibleHosts, answering });

/**
 * So long a suspected agent's word is not believed where no other agent can look: a router that starts again, or a line that is
 * repaired, is back by then.
 */
export const ALONE_MINUTES = 10;

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

const PERHAPS_AGENT = Object.entries(MEANINGS).filter(([, { perhapsAgent }]) => perhapsAgent);
const FAILURES = PERHAPS_AGENT.map(([verdict]) => verdict);
/** Where something answered, it may be the host itself: only several hosts with the same kind of answer count. */
const PAGES = PERHAPS_AGENT.filter(([, { transport }]) => transport === 'up').map(([verdict]) => verdict);
const PAGE_HOSTS = 2;

// Cameras that were ill before say nothing about the agent. Not a prepared statement, as with all that joins the states.
const FIGURES = `
  with own as (
    select s.agent_id, s.last_attempt_at >= instant_of_ms(r.since) as is_new, c.host,
      s.verdict = any($3::text[]) as fails, s.verdict = any($4::text[]) as is_page
    from unnest($1::uuid[], $2::float8[]) as r (agent_id, since) join camera_state s on s.agent_id = r.agent_id
    join camera_health h on h.camera_id = s.camera_id join cameras c on c.id = s.camera_id
    where c.lifecycle = 'active' and (h.held or h.state in ('online', 'degraded', 'frozen', 'black', 'placeholder'))
      and (h.held or h.state <> 'degraded' or s.verdict <> all($4::text[]))
  ), pages as (
    select agent_id, count(distinct host) as hosts from own where is_page group by agent_id
  ), judged as (
    select own.agent_id, is_new, host, fails and (not is_page or pages.hosts >= ${PAGE_HOSTS}) as fails
    from own left join pages on pages.agent_id = own.agent_id
  )
  select agent_id as "agentId", count(*) filter (where fails)::int as failing,
    count(distinct host) filter (where fails)::int as hosts,
    count(*) filter (where not fails and is_new)::int as answering,
    count(*) filter (where not fails and not is_new)::int as untried,
    count(distinct host) filter (where fails or not is_new)::int as "possibleHosts"
  from judged group by agent_id`;

/** By agent. `since`: when the failing began of each agent that is asked for, ms. */
export async function readFigures(
  db: Queryable,
  since: ReadonlyMap<string, number>,
): Promise<Map<string, AgentFigures>> {
  if (since.size === 0) return new Map();
  const asked = [[...since.keys()], [...since.values()], FAILURES, PAGES];
  const rows = await db.many<AgentFigures & Record<string, unknown>>(FIGURES, asked);
  return new Map(rows.map((row) => [row.agentId, row]));
}

export const readSuspicions = (db: Queryable): Promise<Suspicion[]> =>
  db.many<Suspicion & Record<string, unknown>>(
    `select agent_id as "agentId", ms_of_instant(since) as since, shard_id as "shardId", confirmer,
       ms_of_instant(asked_at) as "askedAt", finding from agent_suspicions`,
  );

export async function beginSuspicion(tx: Queryable, { agentId, failing, answering }: AgentFigures): Promise<void> {
  await tx.query(
    `insert into agent_suspicions (agent_id, since, failing, tried) values ($1, clock_timestamp(), $2, $3)
     on conflict do nothing`,
    [agentId, failing, failing + answering],
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
    [shardId, agentId, since, FAILURES],
  );
}

export async function noteFinding(tx: Queryable, agentId: string, finding: Finding): Promise<void> {
  await tx.query('update agent_suspicions set finding = $2 where agent_id = $1', [agentId, finding]);
}

export async function endSuspicion(tx: Queryable, agentId: string): Promise<void> {
  await tx.query('delete from agent_suspicions where agent_id = $1', [agentId]);
}
