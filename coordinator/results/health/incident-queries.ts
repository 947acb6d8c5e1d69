import type {
  IncidentCause,
  IncidentMember,
  IncidentReport,
  IncidentRow,
  SuspectedAgent,
} from '../../../common/protocol/health.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import type { Queryable } from '../../platform/database/queries.ts';
import type { Conditions } from '../../registry/search.ts';
import type { Finding } from './guard.ts';
import { doingWords, incidentWords, suspicionWords } from './words.ts';

/** Open incidents by what is wrong. */
export const readCauses = (db: Queryable): Promise<IncidentCause[]> =>
  db.many<IncidentCause & Record<string, unknown>>(
    `select state, verdict, count(*)::int as incidents, sum(cameras)::int as cameras,
       ms_of_instant(min(opened_at)) as since
     from incidents where closed_at is null group by state, verdict order by cameras desc, state, verdict`,
  );

/** The same of the cameras that the conditions leave: incidents to which one of these belongs, and only their cameras. */
export const readCausesAmong = (db: Queryable, { where, params }: Conditions): Promise<IncidentCause[]> =>
  db.many<IncidentCause & Record<string, unknown>>(
    `select i.state, i.verdict, count(distinct i.id)::int as incidents, count(*)::int as cameras,
       ms_of_instant(min(i.opened_at)) as since
     from incidents i join camera_health h on h.incident_id = i.id join cameras c on c.id = h.camera_id
     left join camera_state s on s.camera_id = c.id
     where i.closed_at is null and ${where} group by i.state, i.verdict order by cameras desc, i.state, i.verdict`,
    params,
  );

/** Changes with the list of open incidents, with the numbers of their cameras, and with their evidence. */
export const readRevision = async (db: Queryable): Promise<string> =>
  (
    await db.one<{ revision: string }>(
      `select concat_ws('-', count(*), coalesce(max(id), 0), coalesce(sum(cameras), 0), coalesce(sum(total), 0),
         count(evidence_digest), count(*) filter (where evidence_fits)) as revision
       from incidents where closed_at is null`,
    )
  ).revision;

/** An agent whose cameras fail for everybody is none any more. `among`: only those that tried such cameras last. */
export async function readSuspects(db: Queryable, among?: Conditions): Promise<SuspectedAgent[]> {
  const ofThese = among
    ? `and a.id in (select s.agent_id from camera_state s join cameras c on c.id = s.camera_id where ${among.where})`
    : '';
  const rows = await db.many<
    Omit<SuspectedAgent, 'reason'> & { finding: Finding | null; confirmer: string | null } & Record<string, unknown>
  >(
    `select a.id, a.name, ms_of_instant(u.since) as since, u.tried, u.failing, u.finding, o.name as confirmer
     from agent_suspicions u join agents a on a.id = u.agent_id left join agents o on o.id = u.confirmer
     where u.finding is distinct from 'cameras' ${ofThese} order by u.since limit 100`,
    among?.params,
  );
  return rows.map(({ finding, confirmer, ...row }) => ({
    ...row,
    reason: suspicionWords(row.name, finding, confirmer),
  }));
}

const INCIDENT = `
  i.id, i.kind, i.key, coalesce(a.name, i.key) as name, i.state, i.verdict, ms_of_instant(i.opened_at) as "openedAt",
  ms_of_instant(i.closed_at) as "closedAt", i.merged_into as "mergedInto", i.cameras, i.total,
  i.evidence_digest as "evidenceDigest", i.evidence_camera as "evidenceCamera", i.evidence_fits as "evidenceFits",
  i.unconfirmed, u.finding, o.name as confirmer`;
const INCIDENT_FROM = `
  incidents i left join agents a on i.kind = 'agent' and a.id::text = i.key
  left join agent_suspicions u on u.agent_id = a.id and i.closed_at is null left join agents o on o.id = u.confirmer`;
type StoredIncident = Omit<IncidentRow, 'reason' | 'doing'> & {
  finding: Finding | null;
  confirmer: string | null;
  unconfirmed: boolean;
} & Record<string, unknown>;

const toIncident = ({ finding, confirmer, unconfirmed, ...row }: StoredIncident): IncidentRow => ({
  ...row,
  reason: incidentWords({
    ...row,
    cameras: row.closedAt === null ? row.cameras : row.total,
    ...{ finding, confirmer, unconfirmed },
  }),
  doing: doingWords({ ...row, finding, confirmer }),
});

export interface IncidentFilter {
  open?: boolean | undefined;
  kind?: string | undefined;
  state?: string | undefined;
  /** Of the camera that opened it. */
  verdict?: string | undefined;
  /** Host, source, or id of the agent. */
  key?: string | undefined;
  /** These ask for incidents to which such a camera belongs, or belonged where they are over. */
  host?: string | undefined;
  source?: string | undefined;
  country?: string | undefined;
  tag?: string | undefined;
  /** Name or id: of the camera's newest attempt. */
  agent?: string | undefined;
}

export interface IncidentPage {
  before?: number | undefined;
  limit: number;
  /** `cameras`: those with most ill ones first; such a list has one page. */
  order?: 'newest' | 'cameras' | undefined;
}

type Condition = (param: string) => string;

const OWN: Readonly<Record<string, Condition>> = {
  open: (param) => `(i.closed_at is null) = ${param}`,
  kind: (param) => `i.kind = ${param}`,
  state: (param) => `i.state = ${param}`,
  verdict: (param) => `i.verdict = ${param}`,
  key: (param) => `i.key = ${param}`,
};
const OF_MEMBERS: Readonly<Record<string, Condition>> = {
  host: (param) => `c.host = ${param}`,
  source: (param) => `c.source = ${param}`,
  country: (param) => `c.country = ${param}`,
  tag: (param) => `c.tags @> array[${param}]::text[]`,
  agent: (param) => `s.agent_id in (select id from agents where name = ${param} or id::text = ${param})`,
};

function conditionsOf(filter: IncidentFilter, params: unknown[]): string[] {
  const all = (table: Readonly<Record<string, Condition>>): string[] =>
    Object.entries(filter).flatMap(([key, value]) => {
      const condition = table[key];
      return value === undefined || !condition ? [] : [condition(`$${params.push(value)}`)];
    });
  const ofMembers = all(OF_MEMBERS);
  const own = all(OWN);
  if (ofMembers.length === 0) return own;
  return [
    ...own,
    `exists (select from incident_cameras m join cameras c on c.id = m.camera_id
       left join camera_state s on s.camera_id = c.id
       where m.incident_id = i.id and (m.left_at is null or i.closed_at is not null) and ${ofMembers.join(' and ')})`,
  ];
}

/** Newest first, before the id `before`; or the largest first. */
export async function listIncidents(
  db: Queryable,
  filter: IncidentFilter,
  { before, limit, order = 'newest' }: IncidentPage,
): Promise<{ incidents: IncidentRow[]; next: number | null }> {
  const params: unknown[] = [];
  const conditions = conditionsOf(filter, params);
  const param = (value: unknown): string => `$${params.push(value)}`;
  if (before !== undefined) conditions.push(`i.id < ${param(before)}`);
  const rows = await db.many<StoredIncident>(
    `select ${INCIDENT} from ${INCIDENT_FROM} where ${conditions.join(' and ') || 'true'}
     order by ${order === 'cameras' ? 'i.cameras desc, ' : ''}i.id desc limit ${param(limit + 1)}`,
    params,
  );
  const incidents = rows.slice(0, limit).map(toIncident);
  const isMore = rows.length > limit && order === 'newest';
  return { incidents, next: isMore ? (incidents.at(-1)?.id ?? null) : null };
}

// Memories are as old as the last report: what was due since then is due now.
const NEXT_TRY = `
  select ms_of_instant(greatest(clock_timestamp(), instant_of_ms(due))) as at
  from (select min(greatest((pace->>'nextDueAt')::float8, (pace->>'retryAt')::float8)) as due
    from (select y.memory::json->'pace' as pace from incident_cameras m join camera_memories y on y.camera_id = m.camera_id
      where m.incident_id = $1 and m.left_at is null) p) d
  where due is not null`;

/** Rejects with `INCIDENT_NOT_FOUND`. */
export async function readIncident(db: Queryable, id: number): Promise<IncidentReport> {
  const row = await db.maybeOne<StoredIncident>(`select ${INCIDENT} from ${INCIDENT_FROM} where i.id = $1`, [id]);
  if (!row) {
    throw new AppError('INCIDENT_NOT_FOUND', `There is no incident ${id}; "camfleet incidents list" shows all.`);
  }
  const [members, next] = await Promise.all([
    db.many<IncidentMember & Record<string, unknown>>(
      `select m.camera_id as id, c.name, c.host, ms_of_instant(m.joined_at) as "joinedAt", ms_of_instant(m.left_at) as "leftAt"
       from incident_cameras m join cameras c on c.id = m.camera_id where m.incident_id = $1
       order by m.left_at desc nulls first, m.camera_id limit 500`,
      [id],
    ),
    row.closedAt === null ? db.maybeOne<{ at: number }>(NEXT_TRY, [id]) : undefined,
  ]);
  return { ...toIncident(row), nextTryAt: next?.at ?? null, members };
}
