import type { Batch, TrainSession } from '../engine/engine.ts';
import type { DatasetSample } from '../dataset/dataset.ts';
import { batchesOf } from '../sampling/draw.ts';
import type { Draw } from '../sampling/queues.ts';
import type { FeatureCache } from './cache.ts';
import { viewTurns } from './view-turns.ts';

/** Maps of one forward pass. */
const CHUNK = 16;

/** One view of one picture; view 0 is the picture as it is. */
export interface View {
  digest: string;
  view: number;
}

/** Cached features read from the disk batch by batch: maps of a whole dataset would not fit into memory. */
export class CachedViews {
  readonly #cache: Pick<FeatureCache, 'length' | 'read'>;

  constructor(cache: Pick<FeatureCache, 'length' | 'read'>) {
    this.#cache = cache;
  }

  /** Features of the views, one after another. */
  read(views: readonly View[]): Float32Array {
    const { length } = this.#cache;
    const inputs = new Float32Array(views.length * length);
    views.forEach(({ digest, view }, i) =>
      this.#cache.read(digest, view, inputs.subarray(i * length, (i + 1) * length)),
    );
    return inputs;
  }

  /** Logits of pictures as they are, in order. */
  async logits(
    samples: readonly Pick<DatasetSample, 'digest'>[],
    session: TrainSession,
    classes: number,
  ): Promise<Float32Array> {
    const logits = new Float32Array(samples.length * classes);
    let done = 0;
    for (const chunk of batchesOf(samples, CHUNK)) {
      const inputs = this.read(chunk.map(({ digest }) => ({ digest, view: 0 })));
      logits.set(await session.forward(inputs, chunk.length), done * classes);
      done += chunk.length;
    }
    return logits;
  }

  /**
   * Batches of draws from the training images.
   *
   * @param views of an image of each class; 0: the picture as it is
   * @param seed decides with which view each image begins; its views then follow in turn
   */
  batches(
    training: readonly DatasetSample[],
    views: readonly number[],
    seed: number,
  ): (draws: readonly (readonly Draw[])[]) => AsyncGenerator<Batch> {
    const digests = training.map(({ digest }) => digest);
    const viewOf = viewTurns(digests, seed);
    const itemOf = ({ sample, repetition }: Draw): View => {
      const { digest, label } = training[sample] as DatasetSample;
      const count = views[label] as number;
      return { digest, view: count === 0 ? 0 : viewOf(sample, repetition, count) + 1 };
    };
    const batchOf = (draws: readonly Draw[]): Batch => ({
      inputs: this.read(draws.map(itemOf)),
      labels: Int32Array.from(draws, ({ sample }) => (training[sample] as DatasetSample).label),
    });
    return async function* (draws) {
      for (const batch of draws) yield await Promise.resolve(batchOf(batch));
    };
  }
}
