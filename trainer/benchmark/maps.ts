import type { Dataset, DatasetSample } from '../dataset/dataset.ts';
import { indicesOf } from '../dataset/dataset.ts';
import type { TrainSession } from '../engine/engine.ts';
import type { FeatureCache } from '../features/cache.ts';
import { CachedViews } from '../features/cached-views.ts';
import type { TrainingData } from './train-head.ts';
import type { JudgedSet } from './vectors.ts';

/** The trunk's maps of one split. */
export class SplitMaps {
  readonly #cached: CachedViews;
  readonly #views: readonly number[];
  readonly #classes: number;
  readonly #sets: Record<JudgedSet | 'training', readonly DatasetSample[]>;

  constructor(cache: FeatureCache, dataset: Dataset, balanced: Dataset | undefined, views: readonly number[]) {
    const of = (part: 'training' | 'reference' | 'test'): DatasetSample[] =>
      indicesOf(dataset, part).map((index) => dataset.samples[index] as DatasetSample);
    this.#cached = new CachedViews(cache);
    this.#views = views;
    this.#classes = dataset.classes.length;
    const [training, reference, test] = [of('training'), of('reference'), of('test')];
    this.#sets = { training, reference, test, balanced: balanced?.samples ?? [] };
  }

  logits(set: JudgedSet, session: TrainSession): Promise<Float32Array> {
    return this.#cached.logits(this.#sets[set], session, this.#classes);
  }

  trainingData(seed: number): TrainingData {
    const { training, reference } = this.#sets;
    return {
      classes: this.#classes,
      labels: Int32Array.from(training, ({ label }) => label),
      referenceLabels: Int32Array.from(reference, ({ label }) => label),
      batches: this.#cached.batches(training, this.#views, seed),
      referenceLogits: (session) => this.logits('reference', session),
    };
  }
}
