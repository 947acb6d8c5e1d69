import { AppError } from '../../common/runtime/errors.ts';
import { createRandom, shuffle } from './random.ts';

/** One sample of an iteration. */
export interface Draw {
  /** Index into the training part. */
  sample: number;
  /** How often this sample was drawn before in this run; decides its augmentation. */
  repetition: number;
}

/** What a checkpoint keeps of the queues: draws of each class so far. */
export interface QueueState {
  drawn: readonly number[];
}

/**
 * A shuffled queue a class, shuffled anew whenever it is used up: no image comes again before all others of its class came. The
 * order of a pass depends on (seed, class, pass) alone, so the numbers of draws are the whole state.
 */
export class ClassQueues {
  readonly #seed: number | string;
  readonly #samples: readonly (readonly number[])[];
  readonly #drawn: number[];
  readonly #orders = new Map<number, { pass: number; order: number[] }>();

  /** @param samples indices of the training images of each class */
  constructor(seed: number | string, samples: readonly (readonly number[])[]) {
    this.#seed = seed;
    this.#samples = samples;
    this.#drawn = samples.map(() => 0);
  }

  /**
   * @returns the next `count` draws of a class
   * @throws AppError `QUEUE_EMPTY` for a class without images
   */
  take(classIndex: number, count: number): Draw[] {
    const images = this.#samples[classIndex]?.length ?? 0;
    if (count > 0 && images === 0) {
      throw new AppError(
        'QUEUE_EMPTY',
        `Class ${classIndex} has no training image, but ${count} samples of it were asked for.`,
      );
    }
    return Array.from({ length: count }, () => {
      const drawn = this.#drawn[classIndex] as number;
      this.#drawn[classIndex] = drawn + 1;
      const pass = Math.floor(drawn / images);
      return { sample: this.#orderOf(classIndex, pass)[drawn % images] as number, repetition: pass };
    });
  }

  state(): QueueState {
    return { drawn: [...this.#drawn] };
  }

  /** @throws AppError `QUEUE_STATE` where the state is of another number of classes */
  restore(state: QueueState): void {
    if (state.drawn.length !== this.#drawn.length) {
      throw new AppError(
        'QUEUE_STATE',
        `The checkpoint has queues of ${state.drawn.length} classes, the data set has ${this.#drawn.length}; resume with the data set that the run began with.`,
      );
    }
    state.drawn.forEach((drawn, j) => (this.#drawn[j] = drawn));
  }

  #orderOf(classIndex: number, pass: number): number[] {
    const known = this.#orders.get(classIndex);
    if (known?.pass === pass) return known.order;
    const order = shuffle(
      [...(this.#samples[classIndex] as readonly number[])],
      createRandom(this.#seed, 'queue', classIndex, pass),
    );
    this.#orders.set(classIndex, { pass, order });
    return order;
  }
}

/** Indices of the images of each class, in order. */
export function samplesByClass(labels: ArrayLike<number>, classes: number): number[][] {
  const samples: number[][] = Array.from({ length: classes }, () => []);
  for (let i = 0; i < labels.length; i++) samples[labels[i] as number]?.push(i);
  return samples;
}
