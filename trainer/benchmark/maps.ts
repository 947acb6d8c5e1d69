import type { Dataset, DatasetSample } from '../dataset/dataset.ts';
import { indicesOf } from '../dataset/dataset.ts';
import type { Batch, TrainSession } from '../engine/engine.ts';
import { batchesOf } from '../sampling/draw.ts';
import type { Draw } from '../sampling/queues.ts';
import type { FeatureCache } from './features.ts';
import type { TrainingData } from './train-head.ts';
import { viewTurns } from './vectors.ts';
import type { JudgedSet } from './vectors.ts';

/** Maps of one forward pass. */
const CHUNK = 16;

/** The trunk's maps of one split, read from the disk batch by batch: all of them would not fit into memory. */
export class SplitMaps {
  readonly #cache: FeatureCache;
  readonly #views: readonly number[];
  readonly #classes: number;
  readonly #sets: Record<JudgedSet | 'training', readonly DatasetSample[]>;

  constructor(cache: FeatureCache, dataset: Dataset, balanced: Dataset | undefined, views: readonly number[]) {
    const of = (part: 'training' | 'reference' | 'test'): DatasetSample[] =>
      indicesOf(dataset, part).map((index) => dataset.samples[index] as DatasetSample);
    this.#cache = cache;
    this.#views = views;
    this.#classes = dataset.classes.length;
    const [training, reference, test] = [of('training'), of('reference'), of('test')];
    this.#sets = { training, reference, test, balanced: balanced?.samples ?? [] };
  }

  async logits(set: JudgedSet, session: TrainSession): Promise<Float32Array> {
    const samples = this.#sets[set];
    const logits = new Float32Array(samples.length * this.#classes);
    let done = 0;
    for (const chunk of batchesOf(samples, CHUNK)) {
      const inputs = this.#read(chunk.map(({ digest }) => ({ digest, view: 0 })));
      logits.set(await session.forward(inputs, chunk.length), done * this.#classes);
      done += chunk.length;
    }
    return logits;
  }

  trainingData(seed: number): TrainingData {
    const { training } = this.#sets;
    const labels = Int32Array.from(training, ({ label }) => label);
    const viewOf = viewTurns(
      training.map(({ digest }) => digest),
      seed,
    );
    const itemOf = ({ sample, repetition }: Draw): { digest: string; view: number } => {
      const { digest, label } = training[sample] as DatasetSample;
      const count = this.#views[label] as number;
      return { digest, view: count === 0 ? 0 : viewOf(sample, repetition, count) + 1 };
    };
    const batchOf = (draws: readonly Draw[]): Batch => ({
      inputs: this.#read(draws.map(itemOf)),
      labels: Int32Array.from(draws, ({ sample }) => labels[sample] as number),
    });
    return {
      classes: this.#classes,
      labels,
      referenceLabels: Int32Array.from(this.#sets.reference, ({ label }) => label),
      batches: async function* (draws) {
        for (const batch of draws) yield batchOf(batch);
      },
      referenceLogits: (session) => this.logits('reference', session),
    };
  }

  #read(items: readonly { digest: string; view: number }[]): Float32Array {
    const { length } = this.#cache;
    const inputs = new Float32Array(items.length * length);
    items.forEach(({ digest, view }, i) =>
      this.#cache.read(digest, view, inputs.subarray(i * length, (i + 1) * length)),
    );
    return inputs;
  }
}
