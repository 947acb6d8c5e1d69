import type { Dataset, DatasetCamera, Part, Sample } from '../../../common/domain/dataset.ts';
import type { Prediction } from '../../../common/domain/fragment.ts';
import type { Queryable } from '../../platform/database/queries.ts';

/** A good frame with a valid label, of a camera that has a part. */
export interface Candidate {
  digest: string;
  bytes: number;
  cameraId: number;
  /** ms. */
  fetchedAt: number;
  label: string;
  labelledBy: string;
  labelledAt: number;
  modelVersion: string | null;
  scores: Prediction[] | null;
  cameraPart: Part;
  /** By label the newest frame (ms) of its camera in training parts of earlier snapshots. */
  trainedAs: Record<string, number> | null;
}

export interface CandidateQuery {
  classes?: readonly string[] | undefined;
  cameraIds?: readonly number[] | undefined;
  /** Fetched from here on, and before there, ms. */
  since?: number | undefined;
  until?: number | undefined;
}

/** In the order of cameras, and of time within each. */
export function findCandidates(tx: Queryable, query: CandidateQuery): Promise<Candidate[]> {
  return tx.many<Candidate & Record<string, unknown>>(
    `with trained as (
       select f.camera_id, s.sample::json ->> 'label' as label, max(ms_of_instant(f.at)) as until
       from dataset_samples s join frames f using (digest) where s.part = 'training' group by 1, 2)
     select f.digest, f.bytes, f.camera_id as "cameraId", ms_of_instant(f.at) as "fetchedAt", a.label,
       a.labelled_by as "labelledBy", ms_of_instant(a.labelled_at) as "labelledAt", f.model_version as "modelVersion",
       f.scores -> 'fused' as scores, p.part as "cameraPart",
       t."trainedAs"
     from annotations a join frames f using (digest) join camera_parts p on p.camera_id = f.camera_id
       left join (select camera_id, json_object_agg(label, until) as "trainedAs" from trained group by 1) t
         on t.camera_id = f.camera_id
     where a.replaced_at is null and f.verdict = 'good' and f.bytes > 0
       and ($1::text[] is null or a.label = any($1)) and ($2::bigint[] is null or f.camera_id = any($2))
       and ($3::float8 is null or f.at >= instant_of_ms($3)) and ($4::float8 is null or f.at < instant_of_ms($4))
     order by f.camera_id, f.at, f.digest`,
    [query.classes ?? null, query.cameraIds ?? null, query.since ?? null, query.until ?? null],
  );
}

export async function findSummary(db: Queryable, name: string): Promise<Dataset | undefined> {
  return (await db.maybeOne<{ summary: Dataset }>('select summary from datasets where name = $1', [name]))?.summary;
}

export async function listSummaries(db: Queryable): Promise<Dataset[]> {
  const sql = 'select summary from datasets order by created_at desc, name';
  return (await db.many<{ summary: Dataset }>(sql)).map(({ summary }) => summary);
}

export interface NewDataset {
  summary: Dataset;
  createdBy: string;
  /** What was asked for, to be seen later. */
  request: unknown;
  samples: readonly { sample: Sample; line: string }[];
}

const ROWS = 5_000;

/** Rejects (23505) where there is a snapshot of this name. */
export async function insertDataset(
  tx: Queryable,
  { summary, createdBy, request, samples }: NewDataset,
): Promise<void> {
  const { name, createdAt, digest } = summary;
  await tx.query(
    'insert into datasets (name, created_at, created_by, digest, request, summary) values ($1, $2, $3, $4, $5, $6)',
    [name, createdAt, createdBy, digest, JSON.stringify(request), JSON.stringify(summary)],
  );
  for (let from = 0; from < samples.length; from += ROWS) {
    const rows = samples.slice(from, from + ROWS).map(({ sample, line }, index) => ({
      ...{ position: from + index, digest: sample.digest, part: sample.part, sample: line },
    }));
    await tx.query(
      `insert into dataset_samples (name, position, digest, part, sample)
       select $2, r.* from json_to_recordset($1::json) as r(position int, digest text, part text, sample text)`,
      [JSON.stringify(rows), name],
    );
  }
  await tx.query(
    `insert into dataset_cameras (name, camera_id, facts)
     select $1, c.id, jsonb_build_object('id', c.id, 'name', c.name, 'source', c.source, 'latitude', c.latitude,
       'longitude', c.longitude, 'country', c.country, 'region', c.region, 'city', c.city, 'timeZone', c.time_zone,
       'licence', c.licence, 'attribution', c.attribution, 'terms', c.terms)
     from cameras c where c.id = any($2::int[])`,
    [name, [...new Set(samples.map(({ sample }) => sample.cameraId))]],
  );
}

/** Samples after a position, in order. */
export async function pageOfSamples(
  db: Queryable,
  name: string,
  { after, limit }: { after: number; limit: number },
): Promise<{ position: number; sample: Sample }[]> {
  const rows = await db.many<{ position: number; sample: string }>(
    'select position, sample from dataset_samples where name = $1 and position > $2 order by position limit $3',
    [name, after, limit],
  );
  return rows.map(({ position, sample }) => ({ position, sample: JSON.parse(sample) as Sample }));
}

/** Cameras after an id, in the order of ids. */
export async function pageOfCameras(
  db: Queryable,
  name: string,
  { after, limit }: { after: number; limit: number },
): Promise<DatasetCamera[]> {
  const rows = await db.many<{ facts: DatasetCamera }>(
    'select facts from dataset_cameras where name = $1 and camera_id > $2 order by camera_id limit $3',
    [name, after, limit],
  );
  return rows.map(({ facts }) => facts);
}
