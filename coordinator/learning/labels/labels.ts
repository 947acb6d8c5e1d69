import { AppError, codeOf } from '../../../common/runtime/errors.ts';
import type { Database } from '../../platform/database/database.ts';
import type { Queryable } from '../../platform/database/queries.ts';
import { referToFrames } from '../../results/eviction.ts';
import { importLabels } from './import.ts';
import type { LabelImportOptions, LabelReport } from './import.ts';
import {
  annotate,
  camerasOfFrames,
  countClasses,
  listAnnotations,
  listUnlabelled,
  sourceAmong,
} from './labels-repository.ts';
import type {
  Annotation,
  ClassCount,
  LabelledFrame,
  LabelQuery,
  UnlabelledFrame,
  UnlabelledQuery,
} from './labels-repository.ts';
import { fixParts } from './parts.ts';
import { labelOf } from './rows.ts';

export interface LabelsOptions {
  database: Database;
  /** Sources of cameras whose own claim of what they show is believed: simulated ones. */
  trustedSources: readonly string[];
}

/** What a kept picture's camera claims to show. */
export interface SceneClaim {
  digest: string;
  cameraId: number;
  verdict: string;
  sceneLabel: string | null;
}

export interface LabelCounts {
  /** Valid labels. */
  frames: number;
  /** Those of good frames: what a snapshot can have. */
  good: number;
  classes: ClassCount[];
}

/** Of one statement. */
const ROWS = 10_000;

/** Annotations of kept frames: who or what said what they show, and when. The newest one of a frame is valid. */
export class Labels {
  readonly #database: Database;
  readonly #trustedSources: readonly string[];

  constructor({ database, trustedSources }: LabelsOptions) {
    this.#database = database;
    this.#trustedSources = trustedSources;
  }

  /** Reads a file of labels; see `importLabels`. `by` says who, e.g. `import by anna`. */
  import(bytes: AsyncIterable<Uint8Array>, by: string, options: LabelImportOptions = {}): Promise<LabelReport> {
    return importLabels(this.#database, bytes, { ...options, store: (tx, frames) => this.#store(tx, frames, by) });
  }

  /** Labels one frame. Rejects with `LABEL_INVALID` or `FRAME_NOT_FOUND`. */
  async set(digest: string, label: string, by: string): Promise<void> {
    const name = labelOf(label);
    await this.#database.transaction(async (tx) => {
      const cameraId = (await camerasOfFrames(tx, [digest])).get(digest);
      if (cameraId === undefined) throw new AppError('FRAME_NOT_FOUND', `No frame ${digest} is kept.`);
      await this.#store(tx, [{ digest, cameraId, label: name }], by);
    });
  }

  /** A page in the order in which they came, beginning after the id `after`. */
  async list(query: LabelQuery): Promise<{ labels: Annotation[]; next: number | null }> {
    const found = await listAnnotations(this.#database, { ...query, limit: query.limit + 1 });
    const labels = found.slice(0, query.limit);
    return { labels, next: found.length > query.limit ? (labels.at(-1)?.id ?? null) : null };
  }

  /** Good kept frames that nobody has labelled, a page in the order of digests, beginning after one. */
  async unlabelled(query: UnlabelledQuery): Promise<{ frames: UnlabelledFrame[]; next: string | null }> {
    const found = await listUnlabelled(this.#database, { ...query, limit: query.limit + 1 });
    const frames = found.slice(0, query.limit);
    return { frames, next: found.length > query.limit ? (frames.at(-1)?.digest ?? null) : null };
  }

  async counts(): Promise<LabelCounts> {
    const classes = await countClasses(this.#database);
    const sum = (field: 'frames' | 'good'): number => classes.reduce((total, one) => total + one[field], 0);
    return { frames: sum('frames'), good: sum('good'), classes };
  }

  /** Believes the claim of a trusted camera about a good picture; all others are passed over. In the caller's transaction. */
  async acceptClaim(tx: Queryable, { digest, cameraId, verdict, sceneLabel }: SceneClaim): Promise<void> {
    if (sceneLabel === null || verdict !== 'good' || this.#trustedSources.length === 0) return;
    const source = await sourceAmong(tx, cameraId, this.#trustedSources);
    const label = source === undefined ? undefined : readable(sceneLabel);
    if (source !== undefined && label !== undefined) await this.#store(tx, [{ digest, cameraId, label }], source);
  }

  async #store(
    tx: Queryable,
    frames: readonly LabelledFrame[],
    by: string,
  ): Promise<{ changed: number; written: number }> {
    const outcome = { changed: 0, written: 0 };
    for (let from = 0; from < frames.length; from += ROWS) {
      const some = frames.slice(from, from + ROWS);
      const { changed, written } = await annotate(tx, some, by);
      outcome.changed += changed;
      outcome.written += written;
      const digests = some.map(({ digest }) => digest);
      await referToFrames(tx, digests, { kind: 'annotation', referrer: 'label' });
    }
    await fixParts(tx, [...new Set(frames.map(({ cameraId }) => cameraId))]);
    return outcome;
  }
}

function readable(claim: string): string | undefined {
  try {
    return labelOf(claim);
  } catch (error) {
    if (codeOf(error) === 'LABEL_INVALID') return undefined;
    throw error;
  }
}
