import { createHash } from 'node:crypto';
import { datasetName, sampleLine } from '../../../common/domain/dataset.ts';
import type { Dataset, DatasetCamera, Sample } from '../../../common/domain/dataset.ts';
import { AppError, codeOf } from '../../../common/runtime/errors.ts';
import type { Database } from '../../platform/database/database.ts';
import type { Queryable } from '../../platform/database/queries.ts';
import { referToFrames } from '../../results/eviction.ts';
import type { CaptureNow, CaptureReport } from './capture-now.ts';
import {
  findCandidates,
  findSummary,
  insertDataset,
  listSummaries,
  pageOfCameras,
  pageOfSamples,
} from './datasets-repository.ts';
import type { Candidate } from './datasets-repository.ts';
import { drawOverTime, seeded } from './draw.ts';
import { splitFrames } from './split.ts';
import type { Placed } from './split.ts';

export interface DatasetRequest {
  name: string;
  /** Frames of one camera at most. Default 1: an image from every active camera. */
  perCamera?: number | undefined;
  /** Only these classes. */
  classes?: readonly string[] | undefined;
  /** Only these cameras. */
  cameraIds?: readonly number[] | undefined;
  /** Fetched from here on, and before there, ms. */
  since?: number | undefined;
  until?: number | undefined;
  /** Takes a fresh frame of every active camera first, and waits for so long, ms. */
  captureNow?: { waitMs: number } | undefined;
}

export interface DatasetsOptions {
  database: Database;
  captures: CaptureNow;
}

/** Immutable snapshots of labelled frames, which are kept for as long as a snapshot has them. */
export class Datasets {
  readonly #database: Database;
  /** Fresh frames of active cameras. */
  readonly captures: CaptureNow;

  constructor({ database, captures }: DatasetsOptions) {
    this.#database = database;
    this.captures = captures;
  }

  /**
   * Draws at most `perCamera` good labelled frames of each camera over time and splits them. The same name and frames give the
   * same snapshot. Rejects with `DATASET_EXISTS` or `DATASET_EMPTY`.
   */
  async create(request: DatasetRequest, by: string): Promise<Dataset & { captured?: CaptureReport }> {
    const name = nameOf(request.name);
    if (await findSummary(this.#database, name)) throw exists(name);
    const { captureNow, ...rest } = request;
    const captured =
      captureNow && (await this.captures.run({ cameraIds: request.cameraIds, waitMs: captureNow.waitMs }));
    try {
      // One view of labels and frames; what changes them meanwhile makes this run again.
      const dataset = await this.#database.transaction((tx) => this.#create(tx, { ...rest, name }, by), {
        isolation: 'repeatable read',
      });
      return { ...dataset, ...(captured && { captured }) };
    } catch (error) {
      throw codeOf(error) === '23505' ? exists(name) : error;
    }
  }

  async #create(tx: Queryable, request: DatasetRequest, by: string): Promise<Dataset> {
    const { name, perCamera = 1 } = request;
    const candidates = await findCandidates(tx, request);
    const { placed, classes } = splitFrames(draw(candidates, perCamera, name));
    if (placed.length === 0) throw empty();
    const samples = placed
      .toSorted((a, b) => a.cameraId - b.cameraId || a.fetchedAt - b.fetchedAt || (a.digest < b.digest ? -1 : 1))
      .map(sampleOf);
    const lines = samples.map(sampleLine);
    const summary: Dataset = {
      name,
      createdAt: new Date().toISOString(),
      digest: createHash('sha256').update(lines.join('')).digest('hex'),
      perCamera,
      classes,
      samples: samples.length,
      cameras: new Set(samples.map(({ cameraId }) => cameraId)).size,
      bytes: samples.reduce((sum, { bytes }) => sum + bytes, 0),
    };
    // Frames before anything else: an eviction under way is waited for.
    await referToFrames(
      tx,
      samples.map(({ digest }) => digest),
      { kind: 'snapshot', referrer: name },
    );
    await insertDataset(tx, {
      ...{ summary, createdBy: by, request },
      samples: samples.map((sample, index) => ({ sample, line: lines[index] as string })),
    });
    return summary;
  }

  /** Newest first. */
  list(): Promise<Dataset[]> {
    return listSummaries(this.#database);
  }

  /** Rejects with `DATASET_NOT_FOUND`. */
  async get(name: string): Promise<Dataset> {
    const found = await findSummary(this.#database, name);
    if (!found)
      throw new AppError('DATASET_NOT_FOUND', `There is no dataset "${name}"; "camfleet datasets list" shows all.`);
    return found;
  }

  /** A page in order; begin after -1, go on after `next`. Rejects with `DATASET_NOT_FOUND`. */
  async samples(name: string, { after = -1, limit = 1_000 } = {}): Promise<{ samples: Sample[]; next: number | null }> {
    const { samples: total } = await this.get(name);
    const page = await pageOfSamples(this.#database, name, { after, limit });
    const last = page.at(-1)?.position ?? total - 1;
    return { samples: page.map(({ sample }) => sample), next: last < total - 1 ? last : null };
  }

  /** The cameras of the samples, a page in the order of ids. Rejects with `DATASET_NOT_FOUND`. */
  async cameras(
    name: string,
    { after = 0, limit = 1_000 } = {},
  ): Promise<{ cameras: DatasetCamera[]; next: number | null }> {
    await this.get(name);
    const found = await pageOfCameras(this.#database, name, { after, limit: limit + 1 });
    const cameras = found.slice(0, limit);
    return { cameras, next: found.length > limit ? (cameras.at(-1)?.id ?? null) : null };
  }
}

const sampleOf = (frame: Placed<Candidate>): Sample => ({
  digest: frame.digest,
  bytes: frame.bytes,
  label: frame.label,
  part: frame.part,
  cameraId: frame.cameraId,
  fetchedAt: frame.fetchedAt,
  labelledBy: frame.labelledBy,
  labelledAt: frame.labelledAt,
  modelVersion: frame.modelVersion,
  scores: frame.scores,
});

/** Candidates come camera by camera. */
function draw(candidates: readonly Candidate[], perCamera: number, name: string): Candidate[] {
  const byCamera = new Map<number, Candidate[]>();
  for (const candidate of candidates) {
    const own = byCamera.get(candidate.cameraId);
    if (own) own.push(candidate);
    else byCamera.set(candidate.cameraId, [candidate]);
  }
  return [...byCamera].flatMap(([id, own]) => drawOverTime(own, perCamera, seeded(`${name}/${id}`)));
}

function nameOf(name: string): string {
  const parsed = datasetName.safeParse(name);
  if (parsed.success) return parsed.data;
  throw new AppError(
    'DATASET_NAME_INVALID',
    `The name "${name}" ${parsed.error.issues[0]?.message ?? 'is not allowed'}.`,
  );
}

const exists = (name: string): AppError =>
  new AppError('DATASET_EXISTS', `There is a dataset "${name}" already, and datasets never change; take another name.`);

const empty = (): AppError =>
  new AppError(
    'DATASET_EMPTY',
    'No good frame with a label is as asked; "camfleet labels classes" shows what there is, "camfleet labels import" adds labels.',
    { details: { status: 409 } },
  );
