import type { Database } from './platform/database/database.ts';

/** The camera for which a receipt asked for a picture. */
export async function wantedFor(database: Database, digest: string): Promise<number | undefined> {
  const sql = 'select camera_id as "cameraId" from frames_wanted where digest = $1';
  return (await database.maybeOne<{ cameraId: number }>(sql, [digest]))?.cameraId;
}

/** Ids of every counted frame, to be compared with what simulated cameras handed out. */
export async function readCountedAttempts(database: Database): Promise<string[]> {
  const rows = await database.many<{ id: string }>(
    `select session_id || '/' || camera_id || '/' || coalesce('s' || serial, sequence::text) as id
     from counted_attempts where frame`,
  );
  return rows.map(({ id }) => id);
}

/** When `session/camera` was the camera's holder, ms; `until: null` means still. */
export interface HolderWindow {
  holder: string;
  from: number;
  until: number | null;
}

export function readHolderWindows(database: Database): Promise<HolderWindow[]> {
  return database.many<HolderWindow & Record<string, unknown>>(
    `select g.session_id || '/' || m.camera_id as holder, ms_of_instant(greatest(g.from_at, m.from_at))::float8 as "from",
       ms_of_instant(least(g.until_at, m.until_at))::float8 as until
     from grants g join memberships m on m.shard_id = g.shard_id
       and (m.until_at is null or m.until_at > g.from_at) and (g.until_at is null or m.from_at < g.until_at)`,
  );
}
