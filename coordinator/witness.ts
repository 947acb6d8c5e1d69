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
