import type { CameraRow } from '../common/protocol/page-data.ts';
import type { Database } from './platform/database/database.ts';

/** What changes in the rows that a page has on screen; cameras that were never tried have a row too. */
export function readCameraRows(database: Database, ids: readonly number[]): Promise<CameraRow[]> {
  return database.many<CameraRow & Record<string, unknown>>(ROWS, [ids]);
}

const ROWS = `
  select c.id, s.verdict, coalesce(h.state, case when camera_is_paused(c, clock_timestamp()) then 'paused' else 'unknown' end) as state,
    ms_of_instant(h.since)::float8 as "stateSince", s.label, s.score::float8 as score, ms_of_instant(s.since)::float8 as since,
    ms_of_instant(s.last_attempt_at)::float8 as "lastAttemptAt", ms_of_instant(s.last_good_at)::float8 as "lastGoodAt",
    f.digest as "frameDigest", ms_of_instant(f.at)::float8 as "frameAt", a.name as agent,
    coalesce(s.evidence, '{}') as evidence
  from cameras c
  left join camera_state s on s.camera_id = c.id
  left join camera_health h on h.camera_id = c.id
  left join lateral (select digest, at from frames where camera_id = c.id order by at desc limit 1) f on true
  left join memberships m on m.camera_id = c.id and m.until_at is null
  left join grants g on g.shard_id = m.shard_id and g.until_at is null
  left join agents a on a.id = g.agent_id
  where c.id = any($1::int[]) order by c.id`;

/** Which agents hold these cameras now. */
export function readHolders(
  database: Database,
  ids: readonly number[],
): Promise<{ agentId: string; cameraIds: number[] }[]> {
  return database.many<{ agentId: string; cameraIds: number[] }>(
    `select g.agent_id as "agentId", array_agg(m.camera_id order by m.camera_id) as "cameraIds"
     from memberships m join grants g on g.shard_id = m.shard_id and g.until_at is null
     where m.camera_id = any($1::int[]) and m.until_at is null group by g.agent_id`,
    [ids],
  );
}
