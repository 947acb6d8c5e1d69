import { readFile } from 'node:fs/promises';
import type { Part } from '../common/domain/dataset.ts';
import { parts } from '../common/domain/dataset.ts';
import { basicAugmentation } from './dataset/augment/draw.ts';
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

const AUGMENTATIONS: Record<Settings['augmentation'], Augmentation | null> = { basic: basicAugmentation, none: null };

/** A dataset's images as batches of network input: augmented in the training part, as they are in the others. */
export class Images {
  readonly classes: readonly string[];
  readonly counts: Record<Part, number[]>;
  readonly #dataset: Dataset;
  readonly #loader: ImageLoader;
  readonly #isAugmented: boolean;
  /** Positions of each part's images in the dataset. */
  readonly #indices: Record<Part, number[]>;

  constructor(dataset: Dataset, { input, augmentation }: Settings, seed: number) {
    const drawn = AUGMENTATIONS[augmentation];
    this.classes = dataset.classes;
    this.counts = countsOf(dataset);
    this.#dataset = dataset;
    this.#isAugmented = drawn !== null;
    this.#loader = new ImageLoader(dataset, { input, augmentation: drawn ?? basicAugmentation, seed });
    this.#indices = Object.fromEntries(parts.map((part) => [part, indicesOf(dataset, part)])) as Record<Part, number[]>;
  }

  /** Class of each image of a part. */
  labels(part: Part): Int32Array {
    return Int32Array.from(this.#indices[part], (index) => this.#sample(index).label);
  }

  countClasses(draws: readonly Draw[]): number[] {
    return classCounts(draws, this.labels('training'), this.classes.length);
  }

  /** The batches of an iteration, each prepared while the engine works on the one before. */
  async *training(batches: readonly (readonly Draw[])[]): AsyncIterable<Batch> {
    const items = batches.map((draws) => draws.map((draw) => this.#itemOf(draw)));
    for (const [i, batch] of items.entries()) {
      const next = items[i + 1];
      const inputs = this.#loader.batch(batch);
      if (next) this.#loader.prefetch(next);
      yield { inputs: await inputs, labels: Int32Array.from(batch, ({ sample }) => this.#sample(sample).label) };
    }
  }

  /** Logits of a part's images, in order, n × classes. */
  async logits(part: Part, session: TrainSession): Promise<Float32Array> {
    const logits = new Float32Array(this.#indices[part].length * this.classes.length);
    let done = 0;
    for (const chunk of batchesOf(this.#indices[part], CHUNK)) {
      const inputs = await this.#loader.batch(chunk.map((sample) => ({ sample, repetition: null })));
      logits.set(await session.forward(inputs, chunk.length), done * this.classes.length);
      done += chunk.length;
    }
    return logits;
  }

  /** Files of a part's first images, byte by byte as they are. */
  files(part: Part, most: number): Promise<Buffer[]> {
    return Promise.all(this.#indices[part].slice(0, most).map((index) => readFile(this.#sample(index).file)));
  }

  close(): Promise<void> {
    return this.#loader.close();
  }

  #itemOf({ sample, repetition }: Draw): BatchItem {
    return {
      sample: this.#indices.training[sample] as number,
      repetition: this.#isAugmented ? repetition : null,
    };
  }

  #sample(index: number): DatasetSample {
    return this.#dataset.samples[index] as DatasetSample;
  }
}
