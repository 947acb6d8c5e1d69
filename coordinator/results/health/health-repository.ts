import type { CameraState } from '../../../common/domain/health.ts';
import { MEANINGS } from '../../../common/domain/health.ts';
import type { Verdict } from '../../../common/domain/verdict.ts';
import { statement } from '../../platform/database/queries.ts';
import type { Queryable } from '../../platform/database/queries.ts';
import { LETTERS, settledLetter } from './rules.ts';
import type { Health } from './rules.ts';

/** A camera whose newest attempt may change its health. Instants are ms of the database's clock. */
export interface Sample {
  cameraId: number;
  verdict: Verdict;
  at: number;
  agentId: string;
  host: string;
  source: string;
  /** `null` for a camera that was never looked at. */
  health: Health | null;
  /** Since when the newest verdict is what it is. */
  verdictSince: number;
  held: boolean;
  incidentId: number | null;
}

/** A camera's health as it is to be written. */
export interface Change extends Sample {
  next: Health;
  holds: boolean;
  /** Nobody else could confirm what its agent, which was suspected, has found. */
  alone: boolean;
}

const letterOfVerdict = Object.entries(MEANINGS)
  .map(([verdict, { state }]) => `when '${verdict}' then '${LETTERS[state]}'`)
  .join(' ');

const SAMPLE = `
  n.camera_id as "cameraId", n.verdict, ms_of_instant(n.last_attempt_at) as at, n.agent_id as "agentId",
  ms_of_instant(n.verdict_since) as "verdictSince", c.host, c.source, n.state, ms_of_instant(n.since) as since, n.recent,
  ms_of_instant(n.turned_at) as "turnedAt", ms_of_instant(n.seen_at) as "seenAt", coalesce(n.held, false) as held,
  n.incident_id as "incidentId"`;
const IS_WATCHED = `c.lifecycle in ('active', 'paused') and not camera_is_paused(c, clock_timestamp())`;

// Not a prepared statement, and row by row (`offset 0`): by statistics from when nobody had a health yet PostgreSQL reads all of
// it, or asks of every camera whether it is paused. Most rows that changed say what is known already: they end at `settled`,
// before anything else is read of them. Whole milliseconds, as everything here counts in them: a rest of microseconds would make
// a sample new again and again.
const READ_SAMPLES = `
  with news as materialized (
     select s.camera_id, s.verdict, s.last_attempt_at, s.agent_id, s.since as verdict_since, h.state, h.since, h.recent,
       h.turned_at, h.seen_at, h.held, h.incident_id
     from camera_state s
     left join lateral (select * from camera_health h where h.camera_id = s.camera_id offset 0) h on true
     where s.changed_at > instant_of_ms($1)
       and (h.camera_id is null or (h.settled is distinct from case s.verdict ${letterOfVerdict} end
         and ms_of_instant(h.seen_at) < ms_of_instant(s.last_attempt_at)))
   )
   select ${SAMPLE}
   from news n cross join lateral (select c.* from cameras c where c.id = n.camera_id and ${IS_WATCHED} offset 0) c
   order by n.camera_id limit $2`;
// The newest verdict of a held camera is known already: it counts now as it would have counted at once.
const READ_HELD = `
   with news as (
     select h.*, s.verdict, s.last_attempt_at, s.agent_id, s.since as verdict_since
     from camera_health h join camera_state s on s.camera_id = h.camera_id
     where h.held and s.agent_id = any($1::uuid[])
   )
   select ${SAMPLE} from news n join cameras c on c.id = n.camera_id where ${IS_WATCHED} order by n.camera_id`;

type SampleRow = Omit<Sample, 'health'> & { [K in keyof Health]: Health[K] | null } & Record<string, unknown>;

/** Cameras that were tried since `since` (ms) and whose newest attempt may change something. */
export async function readSamples(db: Queryable, since: number, most: number): Promise<Sample[]> {
  return (await db.many<SampleRow>(READ_SAMPLES, [since, most])).map(toSample);
}

/** Cameras that are held because of these agents, with what is known of them already. */
export async function readHeld(db: Queryable, agentIds: readonly string[]): Promise<Sample[]> {
  return agentIds.length === 0 ? [] : (await db.many<SampleRow>(READ_HELD, [agentIds])).map(toSample);
}

const toSample = ({ state, since, recent, turnedAt, seenAt, ...sample }: SampleRow): Sample => ({
  ...sample,
  health: state === null ? null : ({ state, since, recent, turnedAt, seenAt } as Health),
});

const WRITE_HEALTH = statement(
  'health.write',
  `insert into camera_health as h (camera_id, state, since, recent, turned_at, seen_at, settled, held)
   select id, state, instant_of_ms(since), recent, instant_of_ms(turned), instant_of_ms(seen), settled, held
   from unnest($1::bigint[], $2::text[], $3::float8[], $4::text[], $5::float8[], $6::float8[], $7::text[], $8::bool[])
     as r (id, state, since, recent, turned, seen, settled, held)
   on conflict (camera_id) do update set state = excluded.state, since = excluded.since, recent = excluded.recent,
     turned_at = excluded.turned_at, seen_at = excluded.seen_at, settled = excluded.settled, held = excluded.held`,
);

export async function writeHealth(tx: Queryable, changes: readonly Change[]): Promise<void> {
  if (changes.length === 0) return;
  const column = <T>(pick: (change: Change) => T): T[] => changes.map(pick);
  await tx.query(WRITE_HEALTH, [
    column(({ cameraId }) => cameraId),
    column(({ next }) => next.state),
    column(({ next }) => next.since),
    column(({ next }) => next.recent),
    column(({ next }) => next.turnedAt),
    column(({ next }) => next.seenAt),
    column(({ next, holds }) => (holds ? null : settledLetter(next))),
    column(({ holds }) => holds),
  ]);
  await writeTimeline(
    tx,
    changes
      .filter(({ health, next }) => health?.state !== next.state)
      .map(({ cameraId, next, verdict }) => ({ cameraId, state: next.state, at: next.since, verdict })),
  );
}

export interface Turn {
  cameraId: number;
  state: CameraState;
  at: number;
  verdict: Verdict | null;
}

const END_TURNS = statement(
  'health.endTurns',
  `update camera_timeline t set until_at = greatest(t.from_at, instant_of_ms(r.at))
   from unnest($1::bigint[], $2::float8[]) as r (id, at) where t.camera_id = r.id and t.until_at is null`,
);
const BEGIN_TURNS = statement(
  'health.beginTurns',
  `insert into camera_timeline (camera_id, state, from_at, verdict)
   select id, state, instant_of_ms(at), verdict
   from unnest($1::bigint[], $2::text[], $3::float8[], $4::text[]) as r (id, state, at, verdict)`,
);

/** Ends the present entry of each camera and begins the next. */
export async function writeTimeline(tx: Queryable, turns: readonly Turn[]): Promise<void> {
  if (turns.length === 0) return;
  const ids = turns.map(({ cameraId }) => cameraId);
  const at = turns.map((turn) => turn.at);
  await tx.query(END_TURNS, [ids, at]);
  await tx.query(BEGIN_TURNS, [ids, turns.map(({ state }) => state), at, turns.map(({ verdict }) => verdict)]);
}

/**
 * A camera that fails is perhaps tried only once an hour, and one that makes pictures seldom only every tenth interval: before
 * three hours, or twelve intervals, silence says nothing.
 */
const SILENCE = `make_interval(secs => greatest(12 * c.interval_ms * f.stretch_factor / 1000.0,
  case when h.state = 'online' then 600 else 10800 end))`;

// What time and operators change, without any attempt: pauses begin and end, and nobody tries any more.
const UPKEEP = statement(
  'health.upkeep',
  `with due as (
     select c.id, h.state, case
       when camera_is_paused(c, clock_timestamp()) then 'paused'
       when h.state = 'paused' then 'unknown'
       when s.last_attempt_at < clock_timestamp() - ${SILENCE} then 'unknown'
     end as next
     from cameras c cross join fleet_settings f
     left join camera_health h on h.camera_id = c.id left join camera_state s on s.camera_id = c.id
     where c.lifecycle in ('active', 'paused')
   )
   insert into camera_health as h (camera_id, state, since, recent, turned_at, seen_at, settled, held)
   select id, next, clock_timestamp(), '', clock_timestamp(), clock_timestamp(), null, false from due
   where next is not null and next is distinct from coalesce(state, 'unknown')
   on conflict (camera_id) do update set state = excluded.state, since = greatest(h.since, excluded.since), recent = '',
     turned_at = excluded.turned_at, settled = null, held = false
   returning camera_id as "cameraId", state, ms_of_instant(since) as at, null as verdict`,
);
const FORGET = `delete from camera_health h using cameras c
  where c.id = h.camera_id and c.lifecycle in ('retired', 'candidate')`;
const END_FORGOTTEN = `update camera_timeline t set until_at = greatest(from_at, clock_timestamp()) from cameras c
  where t.until_at is null and c.id = t.camera_id and c.lifecycle in ('retired', 'candidate')`;

// Agents tell an event for a quarter of an hour, with every attempt.
const NOTE_EVENTS = statement(
  'health.events',
  `insert into camera_events (camera_id, kind, at)
   select s.camera_id, k.kind, instant_of_ms((s.evidence->>(k.kind || 'At'))::float8)
   from camera_state s cross join (values ('moved'), ('scene'), ('blurred')) as k (kind)
   where s.changed_at > instant_of_ms($1) and s.evidence ?| '{movedAt,sceneAt,blurredAt}'
     and jsonb_typeof(s.evidence->(k.kind || 'At')) = 'number'
   on conflict do nothing`,
);

/** Records what agents told since then (ms). */
export const noteEvents = async (tx: Queryable, since: number): Promise<void> =>
  void (await tx.query(NOTE_EVENTS, [since]));

/** Gives the cameras that changed. */
export async function upkeep(tx: Queryable): Promise<Turn[]> {
  const turns = await tx.many<Turn & Record<string, unknown>>(UPKEEP);
  await writeTimeline(tx, turns);
  if ((await tx.query(FORGET)).rowCount > 0) await tx.query(END_FORGOTTEN);
  return turns;
}
