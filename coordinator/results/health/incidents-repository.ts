import { MEANINGS } from '../../../common/domain/health.ts';
import type { IllState } from '../../../common/domain/health.ts';
import type { Verdict } from '../../../common/domain/verdict.ts';
import { statement } from '../../platform/database/queries.ts';
import type { Queryable } from '../../platform/database/queries.ts';

export type IncidentKind = 'agent' | 'source' | 'host';

/** A camera that is ill and belongs to no incident of its state. */
export interface Patient {
  cameraId: number;
  state: IllState | 'unknown';
  verdict: Verdict;
  /** When it fell ill, ms. */
  at: number;
  host: string;
  source: string;
  /** The suspected agent that found it so; `null` where the finding is trusted. */
  suspect: string | null;
  /** No other agent could confirm it. */
  alone: boolean;
}

const OPEN_SOURCES = statement(
  'incidents.openSources',
  `select key, state from incidents where kind = 'source' and closed_at is null and key = any($1::text[])`,
);
// One incident a (kind, key, state) is open: who comes later joins it.
const OPEN = statement(
  'incidents.open',
  `insert into incidents (kind, key, state, verdict, opened_at, unconfirmed)
   select distinct on (kind, key, state) kind, key, state, verdict, instant_of_ms(at), alone
   from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::bool[])
     as r (kind, key, state, verdict, at, alone)
   order by kind, key, state, at
   on conflict (kind, key, state) where closed_at is null do nothing`,
);
const JOIN = statement(
  'incidents.join',
  `with placed as (
     select r.id as camera_id, i.id as incident_id, instant_of_ms(r.at) as at
     from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::float8[]) as r (id, kind, key, state, at)
     join incidents i on i.kind = r.kind and i.key = r.key and i.state = r.state and i.closed_at is null
   ), linked as (
     update camera_health h set incident_id = p.incident_id from placed p where h.camera_id = p.camera_id
   )
   insert into incident_cameras (incident_id, camera_id, joined_at) select incident_id, camera_id, at from placed
   on conflict (incident_id, camera_id) do update set left_at = null`,
);

/** Puts each into the open incident of its suspected agent, source or host, and opens those that are missing. */
export async function admit(tx: Queryable, patients: readonly Patient[]): Promise<void> {
  if (patients.length === 0) return;
  const sources = [...new Set(patients.map(({ source }) => source))];
  const open = await tx.many<{ key: string; state: string }>(OPEN_SOURCES, [sources]);
  const wholeSources = new Set(open.map(({ key, state }) => `${state} ${key}`));
  const groups = patients.map((patient) => groupOf(patient, wholeSources));
  const kinds = groups.map(({ kind }) => kind);
  const keys = groups.map(({ key }) => key);
  const states = patients.map(({ state }) => state);
  const at = patients.map((patient) => patient.at);
  await tx.query(OPEN, [
    kinds,
    keys,
    states,
    patients.map(({ verdict }) => verdict),
    at,
    patients.map(({ alone }) => alone),
  ]);
  await tx.query(JOIN, [patients.map(({ cameraId }) => cameraId), kinds, keys, states, at]);
}

function groupOf(
  { suspect, host, source, state }: Patient,
  wholeSources: ReadonlySet<string>,
): { kind: IncidentKind; key: string } {
  if (suspect !== null) return { kind: 'agent', key: suspect };
  return wholeSources.has(`${state} ${source}`) ? { kind: 'source', key: source } : { kind: 'host', key: host };
}

const LEAVE = statement(
  'incidents.leave',
  `with gone as (
     update camera_health h set incident_id = null from incidents i
     where h.incident_id = i.id and (h.state <> i.state or (i.kind = 'agent') <> h.held)
     returning i.id as incident_id, h.camera_id
   )
   update incident_cameras m set left_at = clock_timestamp() from gone
   where m.incident_id = gone.incident_id and m.camera_id = gone.camera_id`,
);
// Also those whose cameras were retired, and so have no health any more.
const LEAVE_RETIRED = `update incident_cameras m set left_at = clock_timestamp()
  where m.left_at is null and not exists (
    select from camera_health h where h.camera_id = m.camera_id and h.incident_id = m.incident_id)`;

/** Cameras that are not any more what their incident is about leave it. */
export async function discharge(tx: Queryable, { retired = false } = {}): Promise<void> {
  await tx.query(LEAVE);
  if (retired) await tx.query(LEAVE_RETIRED);
}

const COUNT = statement(
  'incidents.count',
  `update incidents i set cameras = n.now, total = greatest(i.total, n.ever)
   from (select i.id, count(m.camera_id) filter (where m.left_at is null)::int as now, count(m.camera_id)::int as ever
     from incidents i left join incident_cameras m on m.incident_id = i.id where i.closed_at is null group by i.id) n
   where n.id = i.id and (i.cameras, i.total) is distinct from (n.now, greatest(i.total, n.ever))`,
);
const CLOSE = statement(
  'incidents.close',
  `update incidents set closed_at = clock_timestamp() where closed_at is null and cameras = 0 returning id`,
);
// Evicted like any other picture from now on.
const UNPIN = `delete from frame_references where kind = 'incident' and referrer = any($1::text[])`;

/** Counts the cameras of open incidents and closes those that have none; gives how many it closed. */
export async function settle(tx: Queryable): Promise<number> {
  await tx.query(COUNT);
  const closed = await tx.many<{ id: number }>(CLOSE);
  if (closed.length > 0) await tx.query(UNPIN, [closed.map(({ id }) => String(id))]);
  return closed.length;
}

/** A source as a whole is ill when half of its cameras are, on so many hosts that none of them is to blame. */
const WHOLE = { cameras: 10, hosts: 3, share: 0.5 };

// Beginning with those that are ill: its cost does not grow with the cameras that are well, except of a source in question.
const ILL_SOURCES = `
  with ill as (
    select c.source as key, h.state, (array_agg(i.verdict order by h.since))[1] as verdict,
      ms_of_instant(min(h.since)) as at, bool_and(i.unconfirmed) as alone, count(*) as cameras
    from incidents i join camera_health h on h.incident_id = i.id join cameras c on c.id = h.camera_id
    where i.closed_at is null and i.kind in ('host', 'source')
    group by c.source, h.state
    having count(*) >= $1 and count(distinct c.host) >= $2 and bool_or(i.kind = 'host')
  )
  select key, state, verdict, at, alone from ill
  where cameras >= $3::float8 * (select count(*) from cameras c where c.source = ill.key and c.lifecycle = 'active')`;
const MOVE_TO_SOURCE = `
  with moved as (
    update camera_health h set incident_id = t.id
    from incidents i, incidents t, cameras c
    where h.incident_id = i.id and i.kind = 'host' and c.id = h.camera_id
      and t.kind = 'source' and t.key = c.source and t.state = h.state and t.closed_at is null
    returning h.camera_id, h.since, i.id as old_id, t.id as new_id
  ), left_behind as (
    update incident_cameras m set left_at = clock_timestamp() from moved
    where m.incident_id = moved.old_id and m.camera_id = moved.camera_id
  ), merged as (
    update incidents i set merged_into = moved.new_id from moved where i.id = moved.old_id
  )
  insert into incident_cameras (incident_id, camera_id, joined_at) select new_id, camera_id, since from moved
  on conflict (incident_id, camera_id) do update set left_at = null`;

/** Where a whole source is ill, one incident takes the place of those of its hosts. */
export async function mergeBySource(tx: Queryable): Promise<void> {
  const ill = await tx.many<{ key: string; state: string; verdict: string; at: number; alone: boolean }>(ILL_SOURCES, [
    WHOLE.cameras,
    WHOLE.hosts,
    WHOLE.share,
  ]);
  if (ill.length === 0) return;
  await tx.query(OPEN, [
    ill.map(() => 'source'),
    ill.map(({ key }) => key),
    ill.map(({ state }) => state),
    ill.map(({ verdict }) => verdict),
    ill.map(({ at }) => at),
    ill.map(({ alone }) => alone),
  ]);
  await tx.query(MOVE_TO_SOURCE);
}

/** A fitting picture may arrive a little after the incident began; later nobody waits for it any more. */
const SEEK_SECONDS = 20;
const SEEK_FOR = `interval '1 hour'`;
/** The state that a kept picture speaks for. */
const SHOWN = `case f.verdict ${Object.entries(MEANINGS)
  .map(([verdict, { state }]) => `when '${verdict}' then '${state}'`)
  .join(' ')} end`;
const SEEK = `
  with sought as (
    select id, state from incidents where closed_at is null and not evidence_fits
      and (evidence_digest is null or opened_at > clock_timestamp() - ${SEEK_FOR})
      and (evidence_sought_at is null or evidence_sought_at < clock_timestamp() - make_interval(secs => ${SEEK_SECONDS}))
    order by evidence_sought_at nulls first, id limit 200
  ), found as (
    select s.id, f.digest, f.camera_id, coalesce(f.shown = s.state, false) as fits
    from sought s left join lateral (
      select f.digest, f.camera_id, ${SHOWN} as shown from camera_health h join frames f on f.camera_id = h.camera_id
      where h.incident_id = s.id order by ${SHOWN} = s.state desc, f.at desc limit 1) f on true
  ), unpinned as (
    delete from frame_references r using found
    where r.kind = 'incident' and r.referrer = found.id::text and r.digest <> found.digest
  ), pinned as (
    insert into frame_references (digest, kind, referrer) select digest, 'incident', id::text from found
    where digest is not null order by digest on conflict do nothing
  )
  update incidents i set evidence_sought_at = clock_timestamp(), evidence_fits = found.fits,
    evidence_digest = coalesce(found.digest, i.evidence_digest),
    evidence_camera = coalesce(found.camera_id, i.evidence_camera)
  from found where found.id = i.id`;

/** Finds the picture that shows best what each open incident is about, and keeps it from eviction. */
export async function pinEvidence(tx: Queryable): Promise<void> {
  await tx.query(SEEK);
}
