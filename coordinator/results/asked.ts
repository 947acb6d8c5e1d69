import type { Queryable } from '../platform/database/queries.ts';

/** Cameras that were asked for a fresh picture. */
export interface AskedFrames {
  asked: number;
  /** A good picture fetched since then is kept. */
  came: number;
  /** Tried since then, but what came was no good picture. */
  bad: number;
}

/** Intake keeps the next good picture of each; gives the moment of asking, ms of the database's clock. */
export async function askForFrames(db: Queryable, cameraIds: readonly number[]): Promise<number> {
  const { now } = await db.one<{ now: number }>('select ms_of_instant(clock_timestamp()) as now');
  await db.query(
    `insert into camera_keeps (camera_id, asked_at)
     select id, instant_of_ms($2) from unnest($1::bigint[]) as id order by id
     on conflict (camera_id) do update set asked_at = excluded.asked_at`,
    [cameraIds, now],
  );
  return now;
}

export async function countAsked(db: Queryable, askedAt: number): Promise<AskedFrames> {
  return db.one<AskedFrames & Record<string, unknown>>(
    `with asked as (
       select camera_id, greatest(came_at, last_at) >= asked_at is true as came, asked_at from camera_keeps
       where asked_at >= instant_of_ms($1))
     select count(*) as asked, count(*) filter (where came) as came,
       count(*) filter (where not came and s.verdict <> 'good' and s.last_attempt_at >= asked_at) as bad
     from asked left join camera_state s using (camera_id)`,
    [askedAt],
  );
}
