import type { ObjectStore } from '../../common/storage/object-store.ts';
import type { Database } from '../platform/database/database.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { codeOf } from '../../common/runtime/errors.ts';

export const objectKeyOf = (digest: string): string => `frames/${digest.slice(0, 2)}/${digest}`;

interface Victim {
  digest: string;
  bytes: number;
}

/** Rows whose locks are held while their files are deleted. */
const CHUNK = 100;
/** Looked at in one go; more are fetched while more is to be freed. */
const MOST_CANDIDATES = 5_000;

const FREE = 'not f.pinned and not exists (select from frame_references r where r.digest = f.digest)';

// The daily ones first, firsts last; among equals those of cameras that have more than their share, then the oldest.
const CANDIDATES = `
  with used as (select camera_id, sum(bytes) as total from frames group by camera_id),
    share as (select $1::numeric / greatest(count(*), 1) as bytes from used)
  select f.digest, f.bytes from frames f join used using (camera_id) cross join share
  where ${FREE}
  order by case f.reason when 'daily' then 0 when 'sample' then 0 when 'doubtful' then 1 when 'audit' then 1 else 2 end,
    used.total > share.bytes desc, f.at, f.digest
  limit ${MOST_CANDIDATES}`;

/** Deletes the least remarkable frames until `wantedBytes` are free or only those are left that are referred to. */
export async function evictFrames(
  database: Database,
  objects: ObjectStore,
  { quotaBytes, wantedBytes }: { quotaBytes: number; wantedBytes: number },
): Promise<{ frames: number; bytes: number }> {
  const freed = { frames: 0, bytes: 0 };
  while (freed.bytes < wantedBytes) {
    const before = freed.frames;
    const candidates = await database.many<Victim & Record<string, unknown>>(CANDIDATES, [quotaBytes]);
    for (const chunk of chunksUpTo(candidates, wantedBytes - freed.bytes)) {
      const gone = await deleteFrames(database, objects, chunk);
      freed.frames += gone.length;
      freed.bytes += gone.reduce((sum, { bytes }) => sum + bytes, 0);
    }
    if (freed.frames === before) break;
  }
  return freed;
}

function chunksUpTo(candidates: readonly Victim[], wantedBytes: number): Victim[][] {
  const chunks: Victim[][] = [];
  let sum = 0;
  for (const [index, victim] of candidates.entries()) {
    if (sum >= wantedBytes) break;
    sum += victim.bytes;
    if (index % CHUNK === 0) chunks.push([]);
    chunks.at(-1)?.push(victim);
  }
  return chunks;
}

async function deleteFrames(database: Database, objects: ObjectStore, victims: readonly Victim[]): Promise<Victim[]> {
  try {
    return await database.transaction(async (tx) => {
      const digests = victims.map(({ digest }) => digest);
      const locked = await tx.many<{ digest: string }>(
        `select digest from frames f where digest = any($1) and ${FREE} for update skip locked`,
        [digests],
      );
      const gone = await tx.many<Victim & Record<string, unknown>>(
        'delete from frames where digest = any($1) returning digest, bytes',
        [locked.map(({ digest }) => digest)],
      );
      // Before the commit: until then nobody can insert the same digest and put its object again.
      for (const { digest } of gone) await objects.delete(objectKeyOf(digest));
      return gone;
    });
  } catch (error) {
    // Somebody referred to one of them just now: nothing was deleted, the next round leaves it out.
    if (codeOf(error) === '23503') return [];
    throw error;
  }
}

/** From now on none of them is evicted. Rejects (23503) where one of them is gone. `kind` and `referrer` say who refers to them. */
export async function referToFrames(
  tx: Queryable,
  digests: readonly string[],
  { kind, referrer }: { kind: 'annotation' | 'snapshot'; referrer: string },
): Promise<void> {
  await tx.query(
    `insert into frame_references (digest, kind, referrer) select d, $2, $3 from unnest($1::text[]) as d
     order by d on conflict do nothing`,
    [digests, kind, referrer],
  );
  if (kind === 'snapshot') {
    await tx.query(
      `update frames set pinned = true where digest in (
         select digest from frames where digest = any($1) and not pinned order by digest for update)`,
      [digests],
    );
  }
}

export async function hasEvictable(database: Database): Promise<boolean> {
  return (await database.one<{ some: boolean }>(`select exists (select from frames f where ${FREE}) as some`)).some;
}
