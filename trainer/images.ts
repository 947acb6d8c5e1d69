import { readFile } from 'node:fs/promises';
import type { Part } from '../common/domain/dataset.ts';
import { parts } from '../common/domain/dataset.ts';
import { basicAugmentation, laterAugmentation } from './dataset/augment/draw.ts';
import type { Augmentation } from './dataset/augment/draw.ts';
import type { Dataset, DatasetSample } from './dataset/dataset.ts';
import { countsOf, indicesOf } from './dataset/dataset.ts';
import { ImageLoader } from './dataset/loader/image-loader.ts';
import type { BatchItem } from './dataset/loader/image-loader.ts';
import type { Batch, TrainSession } from './engine/engine.ts';
import { batchesOf, classCounts } from './sampling/draw.ts';
import type { Draw } from './sampling/queues.ts';
import type { Settings } from './settings.ts';

/** Images of one forward pass when judging. */
const CHUNK = 64;

export const AUGMENTATIONS: Record<Settings['augmentation'], Augmentation | null> = {
  basic: basicAugmentation,
  'keras-2.1.4': laterAugmentation,
  none: null,
};

/** A dataset's images as the networks of a run take them: augmented in the training part, as they are in the others. */
export interface TrainingImages {
  readonly classes: readonly string[];
  readonly counts: Record<Part, number[]>;
  /** Class of each image of a part. */
  labels(part: Part): Int32Array;
  countClasses(draws: readonly Draw[]): number[];
  /** The batches of an iteration for the network of a level, each prepared while the engine works on the one before. */
  training(batches: readonly (readonly Draw[])[], level: number): AsyncIterable<Batch>;
  /** Logits of a part's images, in order, n × classes; `most`: of the first ones only. */
  logits(part: Part, session: TrainSession, level: number, most?: number): Promise<Float32Array>;
  /** As `logits`, but from the files themselves, whatever is cached. */
  servedLogits(part: Part, session: TrainSession, level: number, most: number): Promise<Float32Array>;
  /** Files of a part's first images, byte by byte as they are. */
  files(part: Part, most: number): Promise<Buffer[]>;
  /** Leaves caches to somebody else until something is asked for again. */
  release(): Promise<void>;
  close(): Promise<void>;
}

/** What every kind of images knows of its dataset. */
export class DatasetImages {
  readonly dataset: Dataset;
  readonly classes: readonly string[];
  readonly counts: Record<Part, number[]>;
  /** Positions of each part's images in the dataset. */
  readonly indices: Record<Part, number[]>;

  constructor(dataset: Dataset) {
    this.dataset = dataset;
    this.classes = dataset.classes;
    this.counts = countsOf(dataset);
    this.indices = Object.fromEntries(parts.map((part) => [part, indicesOf(dataset, part)])) as Record<Part, number[]>;
  }

  labels(part: Part): Int32Array {
    return Int32Array.from(this.indices[part], (index) => this.sample(index).label);
  }

  countClasses(draws: readonly Draw[]): number[] {
    return classCounts(draws, this.labels('training'), this.classes.length);
  }

  files(part: Part, most: number): Promise<Buffer[]> {
    return Promise.all(this.indices[part].slice(0, most).map((index) => readFile(this.sample(index).file)));
  }

  /** Runs a forward pass over a part's images, chunk by chunk. */
  async forward(
    indices: readonly number[],
    session: TrainSession,
    inputsOf: (indices: readonly number[]) => Promise<Float32Array>,
  ): Promise<Float32Array> {
    const logits = new Float32Array(indices.length * this.classes.length);
    let done = 0;
    for (const chunk of batchesOf(indices, CHUNK)) {
      logits.set(await session.forward(await inputsOf(chunk), chunk.length), done * this.classes.length);
      done += chunk.length;
    }
    return logits;
  }

  /** @param index position in the dataset */
  sample(index: number): DatasetSample {
    return this.dataset.samples[index] as DatasetSample;
  }

  /** @param draw of the training part */
  labelOf(draw: Draw): number {
    return this.sample(this.indices.training[draw.sample] as number).label;
  }
}

/** Images as pixels, for networks that are trained from scratch; one level. */
export class Images extends DatasetImages implements TrainingImages {
  readonly #loader: ImageLoader;
  readonly #isAugmented: boolean;

  constructor(dataset: Dataset, { input, augmentation }: Pick<Settings, 'input' | 'augmentation'>, seed: number) {
    super(dataset);
    const drawn = AUGMENTATIONS[augmentation];
    this.#isAugmented = drawn !== null;
    this.#loader = new ImageLoader(dataset, { input, augmentation: drawn ?? basicAugmentation, seed });
  }

  async *training(batches: readonly (readonly Draw[])[]): AsyncIterable<Batch> {
    const items = batches.map((draws) => draws.map((draw) => this.#itemOf(draw)));
    for (const [i, batch] of items.entries()) {
      const next = items[i + 1];
      const inputs = this.#loader.batch(batch);
      if (next) this.#loader.prefetch(next);
      yield { inputs: await inputs, labels: Int32Array.from(batch, ({ sample }) => this.sample(sample).label) };
    }
  }

  logits(part: Part, session: TrainSession, _level = 1, most = Infinity): Promise<Float32Array> {
    const asTheyAre = (chunk: readonly number[]): Promise<Float32Array> =>
      this.#loader.batch(chunk.map((sample) => ({ sample, repetition: null })));
    return this.forward(this.indices[part].slice(0, most), session, asTheyAre);
  }

  servedLogits(part: Part, session: TrainSession, level: number, most: number): Promise<Float32Array> {
    return this.logits(part, session, level, most);
  }

  release(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.#loader.close();
  }

  #itemOf({ sample, repetition }: Draw): BatchItem {
    return {
      sample: this.indices.training[sample] as number,
      repetition: this.#isAugmented ? repetition : null,
    };
  }
}
