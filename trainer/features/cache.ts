import { AppError } from '../../common/runtime/errors.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { sha256 } from '../../common/storage/digest.ts';
import type { Digest } from '../../common/storage/digest.ts';
import type { Backbone } from '../backbone/backbone.ts';
import type { Augmentation } from '../dataset/augment/draw.ts';
import type { Dataset, DatasetSample } from '../dataset/dataset.ts';
import type { BatchItem } from '../dataset/loader/image-loader.ts';
import { ViewStore } from '../dataset/views.ts';
import { batchesOf } from '../sampling/draw.ts';
import { CHUNK, FeatureMachine, featureShape, requireChannelsFirst } from './machine.ts';

/** One picture and how many augmented views of it are wanted beside itself. */
export interface Need {
  sample: DatasetSample;
  views: number;
}

export interface FeatureOptions {
  /** Where the vectors stay; any number of benchmarks may use one folder, one after another. */
  folder: string;
  backbone: Backbone;
  /** One of `featureLayers`, pooled; `null`: the trunk's own output as it is, for training what lies behind it. */
  layer: string | null;
  augmentation: Augmentation;
  seed: number;
  threads: number;
}

export interface FillHooks {
  signal: AbortSignal;
  /** What `fill` throws when `signal` aborts. */
  interrupted(): AppError;
  clock: Clock;
  onProgress(done: number, all: number, secondsLeft: number): void;
}

/** Chunks after which what was computed is forced to the disk. */
const FLUSH_EVERY = 16;

/**
 * Features of pictures and their augmented views, on disk: view 0 is the picture as it is, view k its augmentation of
 * repetition k − 1. What is there is never computed again.
 */
export class FeatureCache {
  readonly length: number;
  readonly #store: ViewStore;
  readonly #options: FeatureOptions;

  private constructor(store: ViewStore, options: FeatureOptions, length: number) {
    this.#store = store;
    this.#options = options;
    this.length = length;
  }

  /** @throws AppError `BACKBONE_LAYER_UNKNOWN`, `BACKBONE_LAYOUT`, `VIEWS_UNREADABLE`, `DISK_FULL` */
  static open(options: FeatureOptions): FeatureCache {
    const { backbone, layer, augmentation, seed, folder } = options;
    requireChannelsFirst(backbone);
    const { length, pooling } = featureShape(backbone, layer);
    const identity = sha256(JSON.stringify([backbone.digest, layer, augmentation, seed]));
    // Maps are forty times as long as vectors; half precision is enough for what convolutions read.
    const store = new ViewStore(folder, { trunk: identity, length, precision: pooling ? 'float32' : 'float16' });
    return new FeatureCache(store, options, length);
  }

  /** Vectors that are on disk. */
  get size(): number {
    return this.#store.size;
  }

  /** How many vectors `fill` would have to compute. */
  missing(needs: readonly Need[]): number {
    return this.#missing(needs).length;
  }

  /**
   * Computes what is missing, in the order of `needs`: all pictures as they are first, then their views.
   *
   * @throws AppError what `hooks.interrupted` gives; what was computed stays
   * @throws AppError SAMPLE_UNREADABLE, DATASET_CHANGED, DISK_FULL, VIEW_NOT_FINITE
   */
  async fill(needs: readonly Need[], hooks: FillHooks): Promise<void> {
    const missing = this.#missing(needs);
    if (missing.length === 0) return;
    const machine = await this.#machine(needs);
    try {
      const chunks = batchesOf(missing, CHUNK);
      let startedAt = hooks.clock.monotonic();
      let timed = 0;
      for (const [i, chunk] of chunks.entries()) {
        if (hooks.signal.aborted) throw hooks.interrupted();
        await this.#compute(machine, needs, chunk, chunks[i + 1]);
        // The first run loads the graph; counted in, it would make short estimates far too long.
        if (i === 0) startedAt = hooks.clock.monotonic();
        else timed += chunk.length;
        const done = Math.min(missing.length, (i + 1) * CHUNK);
        const each = timed === 0 ? 0 : (hooks.clock.monotonic() - startedAt) / 1000 / timed;
        hooks.onProgress(done, missing.length, each * (missing.length - done));
        if (i % FLUSH_EVERY === FLUSH_EVERY - 1) this.#store.flush();
      }
    } finally {
      this.#store.flush();
      await machine.close();
    }
  }

  /** Seconds that one vector takes on this machine as it is now, measured on a few that are missing; those stay. */
  async time(needs: readonly Need[], hooks: Pick<FillHooks, 'clock'>): Promise<number> {
    const missing = this.#missing(needs).slice(0, 3 * CHUNK);
    if (missing.length === 0) return 0;
    const machine = await this.#machine(needs);
    try {
      const chunks = batchesOf(missing, CHUNK);
      let startedAt = hooks.clock.monotonic();
      for (const [i, chunk] of chunks.entries()) {
        await this.#compute(machine, needs, chunk, chunks[i + 1]);
        if (i === 0 && chunks.length > 1) startedAt = hooks.clock.monotonic();
      }
      const counted = chunks.length > 1 ? missing.length - CHUNK : missing.length;
      return (hooks.clock.monotonic() - startedAt) / 1000 / counted;
    } finally {
      await machine.close();
    }
  }

  /** @throws AppError `FEATURE_MISSING` before `fill`, `VIEWS_DAMAGED` */
  read(image: Digest, view: number, to: Float32Array<ArrayBuffer>): void {
    if (this.#store.get(image, view, to)) return;
    throw new AppError('FEATURE_MISSING', `View ${view} of image ${image} is not in the feature cache; this is a bug.`);
  }

  close(): void {
    this.#store.close();
  }

  #missing(needs: readonly Need[]): BatchItem[] {
    const seen = new Set<string>();
    const wanted = (sample: number, view: number): BatchItem[] => {
      const { digest } = (needs[sample] as Need).sample;
      const key = `${digest}/${view}`;
      if (seen.has(key) || this.#store.has(digest, view)) return [];
      seen.add(key);
      return [{ sample, repetition: view === 0 ? null : view - 1 }];
    };
    return [
      ...needs.flatMap((_, i) => wanted(i, 0)),
      ...needs.flatMap(({ views }, i) => Array.from({ length: views }, (_, k) => wanted(i, k + 1)).flat()),
    ];
  }

  #machine(needs: readonly Need[]): Promise<FeatureMachine> {
    const samples = needs.map(({ sample }) => ({ ...sample, part: 'training' as const }));
    // Every picture is used once and its views follow one another.
    return FeatureMachine.open(datasetOf(samples), { ...this.#options, loaderThreads: 1, cacheBytes: 0 });
  }

  async #compute(
    machine: FeatureMachine,
    needs: readonly Need[],
    chunk: readonly BatchItem[],
    next: readonly BatchItem[] | undefined,
  ): Promise<void> {
    const vectors = await machine.features(chunk, next);
    chunk.forEach(({ sample, repetition }, i) => {
      const vector = vectors.subarray(i * this.length, (i + 1) * this.length);
      const { digest } = (needs[sample] as Need).sample;
      this.#store.put(digest, repetition === null ? 0 : repetition + 1, vector);
    });
  }
}

const datasetOf = (samples: readonly DatasetSample[]): Dataset => ({
  name: 'feature cache',
  digest: '',
  classes: [],
  samples,
  splitRule: '',
  leftOut: [],
  warnings: [],
});
