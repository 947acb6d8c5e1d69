import type { CameraMemory, PaceMemory } from '../../../common/domain/fragment.ts';
import type { CameraState } from '../../../common/domain/health.ts';
import { MEANINGS } from '../../../common/domain/health.ts';
import type { Evidence, Verdict } from '../../../common/domain/verdict.ts';
import type { TimelineReport, TimelineState } from '../../../common/protocol/health.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import type { Queryable } from '../../platform/database/queries.ts';
import { reasonOf } from './words.ts';

/** The state of `camera_health h` of a camera `c`, which has no row before its first attempt. */
export const STATE = `coalesce(h.state, case when camera_is_paused(c, clock_timestamp()) then 'paused' else 'unknown' end)`;

interface CameraFacts extends Record<string, unknown> {
  state: CameraState;
  since: number | null;
  held: boolean;
  unconfirmed: boolean;
  incidentId: number | null;
  verdict: Verdict | null;
  evidence: Evidence;
  lastAttemptAt: number | null;
  lastGoodAt: number | null;
  agent: string | null;
  reachable: boolean;
  /** By its interval; the agent that has it may know better. */
  nextTryAt: number | null;
  memory: string | null;
}

// Cameras of no agent are not tried; those of one at their interval, stretched where capacity is short.
const FACTS = `
  select ${STATE} as state, ms_of_instant(h.since) as since, coalesce(h.held, false) as held, h.incident_id as "incidentId",
    coalesce(i.unconfirmed, false) as unconfirmed, s.verdict, coalesce(s.evidence, '{}') as evidence, ms_of_instant(s.last_attempt_at) as "lastAttemptAt",
    ms_of_instant(s.last_good_at) as "lastGoodAt", a.name as agent, c.transport is not null as reachable,
    case when c.lifecycle = 'active' and g.token is not null and not camera_is_paused(c, clock_timestamp())
      then ms_of_instant(greatest(clock_timestamp(), s.last_attempt_at
        + make_interval(secs => c.interval_ms / 1000.0 * case when c.priority < f.stretch_below then f.stretch_factor else 1 end)))
    end as "nextTryAt", y.memory
  from cameras c cross join fleet_settings f
  left join camera_health h on h.camera_id = c.id left join camera_state s on s.camera_id = c.id
  left join agents a on a.id = s.agent_id left join incidents i on i.id = h.incident_id
  left join camera_memories y on y.camera_id = c.id
  left join memberships m on m.camera_id = c.id and m.until_at is null
  left join grants g on g.shard_id = m.shard_id and g.until_at is null
  where c.id = $1`;

// Attempts by verdict since the state began: what was tried. Spans are cut at midnight and hold their own counts.
const TRIED = `
  select verdict, sum(attempts)::int as attempts, ms_of_instant(max(last_at)) as "lastAt"
  from (select verdict, attempts, last_at from open_spans where camera_id = $1 and last_at >= instant_of_ms($2)
    union all select verdict, attempts, last_at from observations
      where camera_id = $1 and last_at >= instant_of_ms($2) and first_at >= instant_of_ms($2) - interval '1 day') x
  group by verdict order by attempts desc, verdict`;

const STATES = `
  select id, state, ms_of_instant(from_at) as "from", ms_of_instant(until_at) as until, verdict,
    (select f.digest from frames f where f.camera_id = t.camera_id and f.at >= t.from_at
       and f.at < coalesce(t.until_at, 'infinity') order by f.at desc limit 1) as "frameDigest"
  from camera_timeline t
  where camera_id = $1 and ($2::bigint is null or id < $2)
    and ($4::float8 is null or until_at is null or until_at > instant_of_ms($4)) order by id desc limit $3`;

const paceOf = (memory: string | null): Partial<PaceMemory> =>
  (memory === null ? {} : (JSON.parse(memory) as Partial<CameraMemory>)).pace ?? {};

export interface TimelinePage {
  before?: number | undefined;
  limit: number;
  /** Only what lasted beyond this instant, ms. */
  since?: number | undefined;
}

/** Rejects with `CAMERA_NOT_FOUND`. Newest entries first, before the id `before`. */
export async function readTimeline(
  db: Queryable,
  cameraId: number,
  { before, limit, since: notBefore }: TimelinePage,
): Promise<TimelineReport> {
  const facts = await db.maybeOne<CameraFacts>(FACTS, [cameraId]);
  if (!facts) throw new AppError('CAMERA_NOT_FOUND', `There is no camera ${cameraId}.`);
  const since = facts.since ?? facts.lastAttemptAt;
  const [states, events, tried] = await Promise.all([
    db.many<TimelineState & Record<string, unknown>>(STATES, [cameraId, before ?? null, limit + 1, notBefore ?? null]),
    db.many<TimelineReport['events'][number] & Record<string, unknown>>(
      'select kind, ms_of_instant(at) as at from camera_events where camera_id = $1 order by at desc, kind limit 50',
      [cameraId],
    ),
    since === null ? [] : db.many<TimelineReport['tried'][number] & Record<string, unknown>>(TRIED, [cameraId, since]),
  ]);
  const { reachable, held, unconfirmed, memory, nextTryAt, ...shown } = facts;
  // It tries later than its interval where the camera fails or makes few pictures.
  const { nextDueAt = 0, retryAt = 0, failures = 0 } = paceOf(memory);
  const meaning = facts.verdict === null ? undefined : MEANINGS[facts.verdict];
  return {
    cameraId,
    ...shown,
    nextTryAt: nextTryAt === null ? null : Math.max(nextTryAt, nextDueAt, retryAt),
    failuresInARow: failures,
    transport: meaning?.transport ?? 'unknown',
    content: meaning?.content ?? 'unknown',
    reason: reasonOf({ ...facts, held, unconfirmed, reachable }),
    tried,
    states: states.slice(0, limit),
    events,
    next: states.length > limit ? (states[limit - 1]?.id ?? null) : null,
  };
}
