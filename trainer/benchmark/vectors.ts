import type { Batch, TrainSession } from '../engine/engine.ts';
import type { Dataset, DatasetSample } from '../dataset/dataset.ts';
import { indicesOf } from '../dataset/dataset.ts';
import { viewTurns } from '../features/view-turns.ts';
import type { Draw } from '../sampling/queues.ts';
import type { FeatureCache, Need } from '../features/cache.ts';
import type { Recipe } from './recipes.ts';
import type { TrainingData } from './train-head.ts';

/** Images that a head is judged on. `balanced` is the further test set, where there is one. */
export const judgedSets = ['reference', 'test', 'balanced'] as const;
export type JudgedSet = (typeof judgedSets)[number];

/** What a split needs from the feature cache: views of training images alone. */
export function needsOf(dataset: Dataset, views: readonly number[]): Need[] {
  return dataset.samples.map((sample) => ({
    sample,
    views: sample.part === 'training' ? (views[sample.label] as number) : 0,
  }));
}

/** Computes what is missing in the cache. */
export type Fill = (needs: readonly Need[]) => Promise<void>;

/** The vectors of one split in memory. */
export class SplitVectors {
  readonly classes: number;
  readonly labels: Record<JudgedSet | 'training', Int32Array>;
  /** Numbers in one vector. */
  readonly length: number;
  readonly #judged: Record<JudgedSet, Float32Array>;
  readonly #originals: Float32Array;
  /** Views of each training image, one after another. */
  readonly #pools: Float32Array[];
  readonly #training: readonly DatasetSample[];
  readonly #cache: FeatureCache;
  readonly #fill: Fill;

  /** @param fill computes views beyond the pool, for recipes that want fresh ones */
  constructor(
    cache: FeatureCache,
    dataset: Dataset,
    balanced: Dataset | undefined,
    views: readonly number[],
    fill: Fill = () => Promise.reject(new RangeError('Fresh views were not asked for.')),
  ) {
    const of = (part: 'training' | 'reference' | 'test'): DatasetSample[] =>
      indicesOf(dataset, part).map((index) => dataset.samples[index] as DatasetSample);
    const sets = { training: of('training'), reference: of('reference'), test: of('test'), balanced: [...(balanced?.samples ?? [])] }; // prettier-ignore
    this.#cache = cache;
    this.#fill = fill;
    this.classes = dataset.classes.length;
    this.length = cache.length;
    this.#training = sets.training;
    this.labels = {
      training: labelsOf(sets.training),
      reference: labelsOf(sets.reference),
      test: labelsOf(sets.test),
      balanced: labelsOf(sets.balanced),
    };
    this.#originals = readAll(cache, sets.training);
    this.#judged = {
      reference: readAll(cache, sets.reference),
      test: readAll(cache, sets.test),
      balanced: readAll(cache, sets.balanced),
    };
    this.#pools = sets.training.map(({ digest, label }) => {
      const pool = new Float32Array((views[label] as number) * cache.length);
      for (let k = 0; k * cache.length < pool.length; k++) {
        cache.read(digest, k + 1, pool.subarray(k * cache.length, (k + 1) * cache.length));
      }
      return pool;
    });
  }

  /** Training images as they are, one row each. */
  originals(): Float32Array[] {
    return rowsOfLength(this.#originals, this.length);
  }

  rows(set: JudgedSet): Float32Array[] {
    return rowsOfLength(this.#judged[set], this.length);
  }

  logits(set: JudgedSet, session: TrainSession): Promise<Float32Array> {
    return session.forward(this.#judged[set], this.labels[set].length);
  }

  /** Logits of training images as they are. */
  trainingLogits(subset: readonly number[], session: TrainSession): Promise<Float32Array> {
    const inputs = new Float32Array(subset.length * this.length);
    subset.forEach((sample, i) => inputs.set(this.#original(sample), i * this.length));
    return session.forward(inputs, subset.length);
  }

  /**
   * A part of the training images (all of them, or all but one fold) to learn from.
   *
   * @param seed decides with which view each image begins; its views then follow in turn
   */
  trainingData(subset: readonly number[], views: Recipe['views'], seed: number): TrainingData {
    const labels = Int32Array.from(subset, (sample) => this.labels.training[sample] as number);
    const viewOf = viewTurns(
      subset.map((sample) => this.#training[sample]?.digest ?? ''),
      seed,
    );
    const inputOf = ({ sample, repetition }: Draw): Float32Array => {
      const at = subset[sample] as number;
      const pool = this.#pools[at] as Float32Array;
      const count = pool.length / this.length;
      if (views === 'fresh') return this.#view(at, repetition + 1);
      if (views === 'original' || count === 0) return this.#original(at);
      const view = viewOf(sample, repetition, count);
      return pool.subarray(view * this.length, (view + 1) * this.length);
    };
    const batchOf = (draws: readonly Draw[]): Batch => {
      const inputs = new Float32Array(draws.length * this.length);
      draws.forEach((draw, i) => inputs.set(inputOf(draw), i * this.length));
      return { inputs, labels: Int32Array.from(draws, ({ sample }) => labels[sample] as number) };
    };
    return {
      classes: this.classes,
      labels,
      referenceLabels: this.labels.reference,
      batches: (draws) => this.#batches(draws, views === 'fresh' ? subset : [], batchOf),
      referenceLogits: (session) => this.logits('reference', session),
    };
  }

  /** @param fresh training images whose draws need views that may not have been computed yet */
  async *#batches(
    draws: readonly (readonly Draw[])[],
    fresh: readonly number[],
    batchOf: (draws: readonly Draw[]) => Batch,
  ): AsyncIterable<Batch> {
    const views = new Map<number, number>();
    if (fresh.length > 0) {
      for (const { sample, repetition } of draws.flat())
        views.set(sample, Math.max(views.get(sample) ?? 0, repetition + 1));
      // An image comes with every repetition in turn, so all views below the last one are used, too.
      await this.#fill([...views].map(([i, count]) => ({ sample: this.#sampleOf(fresh[i]), views: count })));
    }
    for (const batch of draws) yield batchOf(batch);
  }

  #sampleOf(at: number | undefined): DatasetSample {
    return this.#training[at as number] as DatasetSample;
  }

  #view(at: number, view: number): Float32Array {
    const vector = new Float32Array(this.length);
    this.#cache.read(this.#sampleOf(at).digest, view, vector);
    return vector;
  }

  #original(sample: number): Float32Array {
    return this.#originals.subarray(sample * this.length, (sample + 1) * this.length);
  }
}

const labelsOf = (samples: readonly DatasetSample[]): Int32Array => Int32Array.from(samples, ({ label }) => label);

function readAll(cache: FeatureCache, samples: readonly DatasetSample[]): Float32Array {
  const all = new Float32Array(samples.length * cache.length);
  samples.forEach(({ digest }, i) => cache.read(digest, 0, all.subarray(i * cache.length, (i + 1) * cache.length)));
  return all;
}

const rowsOfLength = (flat: Float32Array, length: number): Float32Array[] =>
  Array.from({ length: flat.length / length }, (_, i) => flat.subarray(i * length, (i + 1) * length));
