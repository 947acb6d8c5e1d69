import type { Part } from '../../../common/domain/dataset.ts';
import type { Queryable } from '../../platform/database/queries.ts';

export interface LabelledFrame {
  digest: string;
  cameraId: number;
  label: string;
}

export interface Annotation extends LabelledFrame {
  id: number;
  labelledBy: string;
  /** ms. */
  labelledAt: number;
  /** When another label took its place, ms; `null` while it is valid. */
  replacedAt: number | null;
  /** When the frame was fetched, ms. */
  fetchedAt: number;
  verdict: string;
}

export interface ClassCount {
  label: string;
  frames: number;
  /** Frames whose verdict is good: what a snapshot can have. */
  good: number;
  cameras: number;
  /** Cameras by the part that they play. */
  parts: Record<Part, number>;
}

/** Gives the frames that had another label, and those that have a new one. Frames that have this label already are left alone. */
export async function annotate(
  tx: Queryable,
  frames: readonly LabelledFrame[],
  by: string,
): Promise<{ changed: number; written: number }> {
  const digests = frames.map(({ digest }) => digest);
  // Who else labels one of these frames waits: a frame has one valid label.
  await tx.query('select from frames where digest = any($1::text[]) order by digest for no key update', [digests]);
  const valid = 'digest = any($1::text[]) and replaced_at is null';
  const known = await tx.many<{ digest: string; label: string }>(
    `select digest, label from annotations where ${valid}`,
    [digests],
  );
  const labels = new Map(known.map(({ digest, label }) => [digest, label]));
  const fresh = frames.filter(({ digest, label }) => labels.get(digest) !== label);
  const replaced = fresh.filter(({ digest }) => labels.has(digest)).map(({ digest }) => digest);
  await tx.query(`update annotations set replaced_at = clock_timestamp() where ${valid}`, [replaced]);
  // Without a join to what there is: a large file fills the table faster than the planner hears of it.
  await tx.query(
    `insert into annotations (digest, camera_id, label, labelled_by)
     select g.digest, g."cameraId", g.label, $2
     from json_to_recordset($1::json) as g(n int, digest text, "cameraId" bigint, label text) order by g.n`,
    [JSON.stringify(fresh.map(({ digest, cameraId, label }, n) => ({ n, digest, cameraId, label }))), by],
  );
  return { changed: replaced.length, written: fresh.length };
}

export async function camerasOfFrames(tx: Queryable, digests: readonly string[]): Promise<Map<string, number>> {
  const rows = await tx.many<{ digest: string; cameraId: number }>(
    'select digest, camera_id as "cameraId" from frames where digest = any($1::text[])',
    [digests],
  );
  return new Map(rows.map(({ digest, cameraId }) => [digest, cameraId]));
}

/** Name in a file → ids of cameras that are meant: by id, else by the id that their source gave them. */
export async function camerasNamed(tx: Queryable, names: readonly string[]): Promise<Map<string, number[]>> {
  const rows = await tx.many<{ name: string; ids: number[] }>(
    `with n as (select name, case when name ~ '^[1-9][0-9]{0,8}$' then name::int end as id from unnest($1::text[]) as name),
       by_id as (select n.name, c.id from n join cameras c on c.id = n.id),
       by_source as (select n.name, c.id from n join cameras c on c.source_camera_id = n.name)
     select name, array_agg(id) as ids
     from (select * from by_id union all select * from by_source where name not in (select name from by_id)) found
     group by name`,
    [names],
  );
  return new Map(rows.map(({ name, ids }) => [name, ids]));
}

/** The kept frame of each camera that is nearest in time, if one is near enough; in the order of the questions. */
export async function nearestFrames(
  tx: Queryable,
  questions: readonly { cameraId: number; at: number }[],
  withinMs: number,
): Promise<(string | null)[]> {
  const rows = await tx.many<{ digest: string | null }>(
    `select f.digest from json_to_recordset($1::json) as q(n int, "cameraId" bigint, at float8)
     left join lateral (
       select digest from frames f where f.camera_id = q."cameraId"
         and f.at between instant_of_ms(q.at - $2) and instant_of_ms(q.at + $2)
       order by abs(extract(epoch from f.at) * 1000 - q.at), f.at, f.digest limit 1) f on true
     order by q.n`,
    [JSON.stringify(questions.map(({ cameraId, at }, n) => ({ n, cameraId, at }))), withinMs],
  );
  return rows.map(({ digest }) => digest);
}

export interface LabelQuery {
  /** Id of the last one of the page before. */
  after: number;
  limit: number;
  label?: string;
  cameraId?: number;
  /** Those that were replaced, too. */
  history?: boolean;
}

export async function listAnnotations(db: Queryable, query: LabelQuery): Promise<Annotation[]> {
  return db.many<Annotation & Record<string, unknown>>(
    `select a.id, a.digest, a.camera_id as "cameraId", a.label, a.labelled_by as "labelledBy",
       ms_of_instant(a.labelled_at) as "labelledAt", ms_of_instant(a.replaced_at) as "replacedAt",
       ms_of_instant(f.at) as "fetchedAt", f.verdict
     from annotations a join frames f using (digest)
     where a.id > $1 and ($3::text is null or a.label = $3) and ($4::bigint is null or a.camera_id = $4)
       and ($5 or a.replaced_at is null)
     order by a.id limit $2`,
    [query.after, query.limit, query.label ?? null, query.cameraId ?? null, query.history ?? false],
  );
}

export interface UnlabelledQuery {
  /** Digest of the last one of the page before. */
  after: string;
  limit: number;
  /** Fetched from then on, ms. */
  since?: number;
}

export interface UnlabelledFrame {
  digest: string;
  cameraId: number;
  camera: string;
  /** ms. */
  fetchedAt: number;
}

export async function listUnlabelled(
  db: Queryable,
  { after, limit, since }: UnlabelledQuery,
): Promise<UnlabelledFrame[]> {
  return db.many<UnlabelledFrame & Record<string, unknown>>(
    `select f.digest, f.camera_id as "cameraId", c.name as camera, ms_of_instant(f.at) as "fetchedAt"
     from frames f join cameras c on c.id = f.camera_id
     where f.digest > $1 and f.verdict = 'good' and ($3::float8 is null or f.at >= instant_of_ms($3))
       and not exists (select from annotations a where a.digest = f.digest and a.replaced_at is null)
     order by f.digest limit $2`,
    [after, limit, since ?? null],
  );
}

export async function countClasses(db: Queryable): Promise<ClassCount[]> {
  const inPart = (part: Part): string => `'${part}', count(distinct a.camera_id) filter (where p.part = '${part}')`;
  return db.many<ClassCount & Record<string, unknown>>(
    `select a.label, count(*) as frames, count(*) filter (where f.verdict = 'good') as good,
       count(distinct a.camera_id) as cameras,
       jsonb_build_object(${inPart('training')}, ${inPart('reference')}, ${inPart('test')}) as parts
     from annotations a join frames f using (digest) left join camera_parts p on p.camera_id = a.camera_id
     where a.replaced_at is null group by a.label order by a.label collate "C"`,
  );
}

/** Among the sources, that of the camera. */
export async function sourceAmong(
  tx: Queryable,
  cameraId: number,
  sources: readonly string[],
): Promise<string | undefined> {
  const sql = 'select source from cameras where id = $1 and source = any($2::text[])';
  return (await tx.maybeOne<{ source: string }>(sql, [cameraId, sources]))?.source;
}
