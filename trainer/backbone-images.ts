import type { Part } from '../common/domain/dataset.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { AppError } from '../common/runtime/errors.ts';
import { featureLayers } from './backbone/backbone.ts';
import type { Backbone } from './backbone/backbone.ts';
import { basicAugmentation } from './dataset/augment/draw.ts';
import type { Dataset } from './dataset/dataset.ts';
import { viewsPerClass } from './dataset/views.ts';
import type { Batch, TrainSession } from './engine/engine.ts';
import { FeatureCache } from './features/cache.ts';
import type { Need } from './features/cache.ts';
import { CachedViews } from './features/cached-views.ts';
import { FeatureMachine } from './features/machine.ts';
import { AUGMENTATIONS, DatasetImages } from './images.ts';
import type { TrainingImages } from './images.ts';
import type { Draw } from './sampling/queues.ts';
import type { Settings } from './settings.ts';

/** One pool of views for every run on the same pictures, whatever its seed: what is on disk serves all of them. */
const VIEW_SEED = 1;
/** Resized pictures that fresh views keep in memory; beyond them each view decodes anew, a twentieth of what the trunk takes. */
const PICTURE_CACHE_BYTES = 2 ** 28;

export interface BackboneImagesOptions {
  backbone: Backbone;
  settings: Pick<Settings, 'augmentation' | 'views'>;
  /** Cached views of an image of each class, `viewsOf`. */
  views: readonly number[];
  /** Of fresh augmentations, and of the view with which each image begins. */
  seed: number;
  threads: number;
  /** Where activations are kept. */
  folder: string;
  clock: Clock;
  signal: AbortSignal;
  interrupted(): AppError;
  onProgress(what: string, done: number, all: number, secondsLeft: number): void;
}

/** Where a level takes its features: level 1 pooled behind everything that is frozen, level 2 right behind the cut. */
export const layerOf = (backbone: Backbone, level: number): string | null =>
  level === 1 ? (featureLayers(backbone).at(-1) as string) : null;

/** Cached views of an image of each class; 0 where views are fresh or nothing is augmented. */
export function viewsOf(
  trainingCounts: readonly number[],
  { views, augmentation }: Pick<Settings, 'views' | 'augmentation'>,
): number[] {
  const most = views === 'fresh' || augmentation === 'none' ? 0 : views;
  return viewsPerClass(trainingCounts).map((count) => Math.min(count, most));
}

/** Images as activations of a frozen trunk: cached for pictures as they are, cached or fresh for augmented views. */
export class BackboneImages extends DatasetImages implements TrainingImages {
  readonly #options: BackboneImagesOptions;
  #cached: { level: number; cache: FeatureCache; views: CachedViews } | undefined;
  #fresh: { level: number; machine: FeatureMachine } | undefined;

  constructor(dataset: Dataset, options: BackboneImagesOptions) {
    super(dataset);
    this.#options = options;
  }

  async *training(batches: readonly (readonly Draw[])[], level: number): AsyncIterable<Batch> {
    const { settings, seed, views } = this.#options;
    if (settings.views !== 'fresh' || settings.augmentation === 'none') {
      const training = this.indices.training.map((index) => this.sample(index));
      yield* (await this.#cachedViews(level)).batches(training, views, seed)(batches);
      return;
    }
    const machine = await this.#machine(level);
    const items = batches.map((draws) =>
      draws.map(({ sample, repetition }) => ({ sample: this.indices.training[sample] as number, repetition })),
    );
    for (const [i, batch] of items.entries()) {
      const inputs = await machine.features(batch, items[i + 1]);
      yield { inputs, labels: Int32Array.from(batch, ({ sample }) => this.sample(sample).label) };
    }
  }

  async logits(part: Part, session: TrainSession, level: number, most = Infinity): Promise<Float32Array> {
    const samples = this.indices[part].slice(0, most).map((index) => this.sample(index));
    return (await this.#cachedViews(level)).logits(samples, session, this.classes.length);
  }

  async servedLogits(part: Part, session: TrainSession, level: number, most: number): Promise<Float32Array> {
    const machine = await this.#machine(level);
    return this.forward(this.indices[part].slice(0, most), session, (chunk) =>
      machine.features(chunk.map((sample) => ({ sample, repetition: null }))),
    );
  }

  close(): Promise<void> {
    return this.release();
  }

  async release(): Promise<void> {
    this.#cached?.cache.close();
    await this.#fresh?.machine.close();
    this.#cached = this.#fresh = undefined;
  }

  /** The activations of a level, computed as far as they are missing. */
  async #cachedViews(level: number): Promise<CachedViews> {
    if (this.#cached?.level === level) return this.#cached.views;
    this.#cached?.cache.close();
    this.#cached = undefined;
    const { backbone, threads, folder, settings, onProgress } = this.#options;
    const augmentation = AUGMENTATIONS[settings.augmentation] ?? basicAugmentation;
    const layer = layerOf(backbone, level);
    const cache = FeatureCache.open({ backbone, layer, augmentation, seed: VIEW_SEED, threads, folder });
    this.#cached = { level, cache, views: new CachedViews(cache) };
    await cache.fill(this.#needs(), {
      ...this.#options,
      onProgress: (done, all, left) => onProgress(`runs the trunk for level ${level}`, done, all, left),
    });
    return this.#cached.views;
  }

  /** Training pictures as they are only where they are learned from or their views are cached, too. */
  #needs(): Need[] {
    const { settings, views } = this.#options;
    const isTrainingCached = settings.views !== 'fresh' || settings.augmentation === 'none';
    return this.dataset.samples.flatMap((sample) => {
      if (sample.part !== 'training') return [{ sample, views: 0 }];
      return isTrainingCached ? [{ sample, views: views[sample.label] as number }] : [];
    });
  }

  async #machine(level: number): Promise<FeatureMachine> {
    if (this.#fresh?.level === level) return this.#fresh.machine;
    await this.#fresh?.machine.close();
    this.#fresh = undefined;
    const { backbone, settings, seed, threads } = this.#options;
    const machine = await FeatureMachine.open(this.dataset, {
      ...{ backbone, seed, threads, layer: layerOf(backbone, level) },
      augmentation: AUGMENTATIONS[settings.augmentation] ?? basicAugmentation,
      loaderThreads: Math.max(1, threads - 1),
      cacheBytes: PICTURE_CACHE_BYTES,
    });
    this.#fresh = { level, machine };
    return machine;
  }
}
