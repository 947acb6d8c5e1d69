import type { CameraState } from '../../../common/domain/health.ts';
import type { HealthGroup, HealthReport, HealthSummary } from '../../../common/protocol/health.ts';
import type { Queryable } from '../../platform/database/queries.ts';
import { conditionsOf } from '../../registry/search.ts';
import type { CameraFilter, Conditions } from '../../registry/search.ts';
import { readCauses, readCausesAmong, readRevision, readSuspects } from './incident-queries.ts';
import { STATE } from './queries.ts';

const COUNTED = `c.lifecycle in ('active', 'paused')`;
const ALL: Conditions = { where: 'true', params: [] };
const CAMERAS = `cameras c left join camera_health h on h.camera_id = c.id left join camera_state s on s.camera_id = c.id`;

/** Cameras by state. */
export async function countStates(
  db: Queryable,
  { where, params }: Conditions = ALL,
): Promise<Partial<Record<CameraState, number>>> {
  const from = where === ALL.where ? 'cameras c left join camera_health h on h.camera_id = c.id' : CAMERAS;
  const rows = await db.many<{ state: CameraState; count: number }>(
    `select ${STATE} as state, count(*)::int as count from ${from} where ${COUNTED} and ${where} group by 1`,
    params,
  );
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
}

const GROUPINGS = {
  host: { key: 'c.host', name: 'c.host', joins: '' },
  source: { key: 'c.source', name: 'c.source', joins: '' },
  agent: { key: 'a.id::text', name: 'max(a.name)', joins: 'join agents a on a.id = s.agent_id' },
} as const;

/** Those with most ill cameras first. */
async function countGroups(
  db: Queryable,
  { where, params }: Conditions,
  by: keyof typeof GROUPINGS,
  most: number,
): Promise<HealthGroup[]> {
  const { key, name, joins } = GROUPINGS[by];
  return db.many<HealthGroup & Record<string, unknown>>(
    `select key, name, sum(n)::int as cameras,
       coalesce(sum(n) filter (where state not in ('online', 'unknown', 'paused')), 0)::int as ill,
       jsonb_object_agg(state, n) as states
     from (select ${key} as key, ${by === 'agent' ? name : key} as name, ${STATE} as state, count(*)::int as n
       from ${CAMERAS} ${joins} where ${COUNTED} and ${where} group by ${key}, ${STATE}) x
     group by key, name order by ill desc, cameras desc, key limit $${params.length + 1}`,
    [...params, most],
  );
}

export async function readSummary(db: Queryable, filter?: CameraFilter): Promise<HealthSummary> {
  const conditions = filter && conditionsOf(filter, true);
  const [states, causes, suspects, revision] = await Promise.all([
    countStates(db, conditions),
    conditions ? readCausesAmong(db, conditions) : readCauses(db),
    readSuspects(db, conditions),
    readRevision(db),
  ]);
  const openIncidents = causes.reduce((total, { incidents }) => total + incidents, 0);
  return { states, openIncidents, causes, suspects, revision };
}

/** Of all cameras, or of those that the filter finds. */
export async function readHealth(db: Queryable, most: number, filter?: CameraFilter): Promise<HealthReport> {
  const conditions = filter ? conditionsOf(filter, true) : ALL;
  const [summary, hosts, sources, agents] = await Promise.all([
    readSummary(db, filter),
    countGroups(db, conditions, 'host', most),
    countGroups(db, conditions, 'source', most),
    countGroups(db, conditions, 'agent', most),
  ]);
  return { ...summary, hosts, sources, agents };
}
