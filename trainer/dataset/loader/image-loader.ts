import { availableParallelism } from 'node:os';
import { AppError } from '../../../common/runtime/errors.ts';
import type { Augmentation } from '../augment/draw.ts';
import type { Dataset } from '../dataset.ts';
import type { ThreadItem } from './messages.ts';
import type { NetworkInput } from './preparer.ts';
import { ThreadPool } from './thread-pool.ts';

export interface ImageLoaderOptions {
  input: NetworkInput;
  augmentation: Augmentation;
  /** Of augmentation; a draw is a function of it, the image and the repetition. */
  seed: number;
  /** Threads that prepare images. Default: one less than cores. */
  threads?: number;
  /** Largest memory for resized pictures; those beyond it are decoded each time. Default 1 GiB. */
  cacheBytes?: number;
}

export interface BatchItem {
  /** Position in the dataset's samples. */
  sample: number;
  /** Which augmentation of it; `null`: as it is. */
  repetition: number | null;
}

// One batch trains, one is ready, one is being prepared; more only costs memory.
const MAX_PREFETCHED = 2;

/**
 * Batches of network input from a dataset, prepared by threads beside the engine. What a batch holds depends on its items and the
 * seed alone, never on threads or cache.
 */
export class ImageLoader {
  readonly #dataset: Dataset;
  readonly #size: number;
  readonly #pool: ThreadPool;
  readonly #slots = new Map<number, { slot: number; cached: boolean }>();
  readonly #slotCount: number;
  readonly #prefetched = new Map<string, Promise<Float32Array>>();
  /** Outputs that can be used again. */
  #spare: SharedArrayBuffer[] = [];

  constructor(dataset: Dataset, options: ImageLoaderOptions) {
    const { input, augmentation, seed, threads = Math.max(1, availableParallelism() - 1) } = options;
    this.#dataset = dataset;
    this.#size = 3 * input.width * input.height;
    const bytes = this.#size * Float32Array.BYTES_PER_ELEMENT;
    // No eviction: in passes over more pictures than fit, a picture that stays saves more than the latest ones would.
    this.#slotCount = Math.min(dataset.samples.length, Math.floor((options.cacheBytes ?? 2 ** 30) / bytes));
    // The system gives the memory page by page as slots fill.
    const cache = new SharedArrayBuffer(this.#slotCount * bytes);
    this.#pool = new ThreadPool(threads, { input, augmentation, seed, cache });
  }

  /**
   * @returns the items' images one after the other, [n, 3, height, width]
   * @throws AppError SAMPLE_UNREADABLE, DATASET_CHANGED, LOADER_FAILED, LOADER_CLOSED
   */
  async batch(items: readonly BatchItem[]): Promise<Float32Array> {
    const key = keyOf(items);
    const prefetched = this.#prefetched.get(key);
    this.#prefetched.delete(key);
    return prefetched ?? this.#prepare(items);
  }

  /** Starts on a batch that will be asked for soon, with the same items. Errors wait for `batch`. */
  prefetch(items: readonly BatchItem[]): void {
    const key = keyOf(items);
    if (this.#prefetched.has(key)) return;
    const oldest = this.#prefetched.keys().next().value;
    if (oldest !== undefined && this.#prefetched.size >= MAX_PREFETCHED) this.#prefetched.delete(oldest);
    const prepared = this.#prepare(items);
    prepared.catch(() => undefined);
    this.#prefetched.set(key, prepared);
  }

  /** Ends the threads; batches under way fail with LOADER_CLOSED. */
  async close(): Promise<void> {
    this.#prefetched.clear();
    await this.#pool.close();
  }

  async #prepare(items: readonly BatchItem[]): Promise<Float32Array> {
    if (items.length === 0) return new Float32Array(0);
    const length = items.length * this.#size;
    const output = this.#takeOutput(length * Float32Array.BYTES_PER_ELEMENT);
    const entries = items.map((item, position) => this.#entryOf(item, position));
    await this.#pool.prepare(this.#shares(entries), output);
    for (const { sample } of items) {
      const slot = this.#slots.get(sample);
      if (slot) slot.cached = true;
    }
    // A copy in ordinary memory: ONNX Runtime takes no tensors in shared memory.
    const batch = new Float32Array(length);
    batch.set(new Float32Array(output));
    if (this.#spare.length < MAX_PREFETCHED) this.#spare.push(output);
    return batch;
  }

  #entryOf({ sample, repetition }: BatchItem, position: number): ThreadItem & { sample: number } {
    const known = this.#dataset.samples[sample];
    if (!known) throw new AppError('SAMPLE_UNKNOWN', `The dataset has no sample ${sample}; this is a bug.`);
    if (repetition !== null && known.part !== 'training') {
      throw new AppError(
        'SAMPLE_NOT_FOR_TRAINING',
        `${known.file} is a ${known.part} image; those are never augmented.`,
      );
    }
    const place = this.#slotOf(sample);
    const { file, digest } = known;
    return { sample, file, digest, repetition, position, slot: place?.slot ?? null, cached: place?.cached ?? false };
  }

  #slotOf(sample: number): { slot: number; cached: boolean } | undefined {
    if (!this.#slots.has(sample) && this.#slots.size < this.#slotCount) {
      this.#slots.set(sample, { slot: this.#slots.size, cached: false });
    }
    return this.#slots.get(sample);
  }

  /** Equal shares for the threads; repetitions of one sample side by side, so that one thread decodes it once. */
  #shares(entries: (ThreadItem & { sample: number })[]): ThreadItem[][] {
    const ordered = [...entries].sort((a, b) => a.sample - b.sample);
    const threads = Math.min(this.#pool.threads, ordered.length);
    return Array.from({ length: threads }, (_, i) =>
      ordered.slice(Math.floor((i * ordered.length) / threads), Math.floor(((i + 1) * ordered.length) / threads)),
    );
  }

  #takeOutput(bytes: number): SharedArrayBuffer {
    const fitting = this.#spare.findIndex((output) => output.byteLength === bytes);
    return fitting < 0 ? new SharedArrayBuffer(bytes) : (this.#spare.splice(fitting, 1)[0] as SharedArrayBuffer);
  }
}

const keyOf = (items: readonly BatchItem[]): string =>
  items.map(({ sample, repetition }) => `${sample}/${repetition}`).join();
