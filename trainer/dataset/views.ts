import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { endianness } from 'node:os';
import { crc32 } from 'node:zlib';
import { AppError, codeOf, messageOf } from '../../common/runtime/errors.ts';
import type { Digest } from '../../common/storage/digest.ts';
import { DIGEST_PATTERN } from '../../common/storage/digest.ts';
import { fromHalves, toHalves } from './half.ts';

/** Fewest and most views of an image: a head class needs some variety too, and a hundredth view of three images adds little. */
const FEWEST_VIEWS = 4;
const MOST_VIEWS = 32;

/**
 * Views of one image of each class: as many as its images are repeated in a balanced iteration, max(4, min(32, ⌈N* / n_j⌉)) with
 * N* = training images / classes. A class without training images gets none.
 */
export function viewsPerClass(trainingCounts: readonly number[]): number[] {
  const average = trainingCounts.reduce((sum, count) => sum + count, 0) / trainingCounts.length;
  return trainingCounts.map((count) =>
    count === 0 ? 0 : Math.max(FEWEST_VIEWS, Math.min(MOST_VIEWS, Math.ceil(average / count))),
  );
}

export interface ViewStoreOptions {
  /** Of everything that decides an activation: weights, cut, resize, preprocessing, augmentation and its seed. */
  trunk: Digest;
  /** Numbers in one view. */
  length: number;
  precision: 'float16' | 'float32';
}

const BYTES = { float16: 2, float32: 4 } as const;
/** An entry of the index: image digest (32 bytes), view (4), CRC-32 of the numbers (4). */
const ENTRY = 40;

/**
 * Activations of a trunk on disk, by image and view: view 0 is the image itself, 1… its augmentations. Two files that only grow,
 * numbers and index, in order of arrival; what a crash left half-written is cut off when they are opened again. One process at
 * a time.
 */
export class ViewStore {
  readonly #options: ViewStoreOptions;
  readonly #recordBytes: number;
  readonly #data: number;
  readonly #index: number;
  readonly #places = new Map<string, { record: number; crc: number }>();
  #records = 0;

  /**
   * @param folder is made where it is missing
   * @throws AppError VIEWS_UNREADABLE, DISK_FULL
   */
  constructor(folder: string, options: ViewStoreOptions) {
    if (!DIGEST_PATTERN.test(options.trunk)) throw new AppError('VIEWS_UNREADABLE', `"${options.trunk}" is no digest.`);
    this.#options = options;
    this.#recordBytes = options.length * BYTES[options.precision];
    // Length and precision are in the name: another choice makes other files, never a wrong reading.
    const name = join(folder, `${options.trunk.slice(0, 32)}-${options.length}-${options.precision}-${endianness()}`);
    try {
      mkdirSync(folder, { recursive: true });
      this.#data = openSync(`${name}.views`, 'a+');
      this.#index = openSync(`${name}.index`, 'a+');
      this.#recover();
    } catch (error) {
      throw storageError(error, `The view cache ${name} cannot be opened`);
    }
  }

  /** Views that are stored. */
  get size(): number {
    return this.#places.size;
  }

  has(image: Digest, view: number): boolean {
    return this.#places.has(`${image}/${view}`);
  }

  /**
   * Keeps one view; one that is there already stays as it is.
   *
   * @throws AppError DISK_FULL; the store stays usable, and what it holds stays
   * @throws AppError VIEW_NOT_FINITE for numbers that the precision cannot hold
   */
  put(image: Digest, view: number, values: Float32Array): void {
    if (this.has(image, view)) return;
    const bytes = this.#encoded(values, `${image}/${view}`);
    const crc = crc32(bytes);
    const entry = Buffer.alloc(ENTRY);
    entry.write(image, 'hex');
    entry.writeUInt32LE(view, 32);
    entry.writeUInt32LE(crc, 36);
    try {
      // Numbers before their entry: an entry must never point at nothing.
      writeAll(this.#data, bytes);
      writeAll(this.#index, entry);
    } catch (error) {
      this.#cutTo(this.#records);
      throw storageError(error, `View ${view} of image ${image} cannot be stored`);
    }
    this.#places.set(`${image}/${view}`, { record: this.#records++, crc });
  }

  /**
   * @param to where the numbers go; default: a new array
   * @returns `undefined` for a view that is not stored
   * @throws AppError VIEWS_DAMAGED when the disk gives other numbers than were written
   */
  get(image: Digest, view: number, to = new Float32Array(this.#options.length)): Float32Array | undefined {
    const place = this.#places.get(`${image}/${view}`);
    if (!place) return undefined;
    const bytes = new Uint8Array(this.#recordBytes);
    const read = readSync(this.#data, bytes, 0, bytes.length, place.record * this.#recordBytes);
    if (read !== bytes.length || crc32(bytes) !== place.crc) {
      throw new AppError('VIEWS_DAMAGED', `View ${view} of image ${image} is damaged on disk; delete the view cache.`);
    }
    if (this.#options.precision === 'float16') fromHalves(new Uint16Array(bytes.buffer), to);
    else to.set(new Float32Array(bytes.buffer));
    return to;
  }

  /** Returns once everything is on the disk. */
  flush(): void {
    try {
      fdatasyncSync(this.#data);
      fdatasyncSync(this.#index);
    } catch (error) {
      throw storageError(error, 'The view cache cannot be written');
    }
  }

  close(): void {
    closeSync(this.#data);
    closeSync(this.#index);
  }

  #encoded(values: Float32Array, name: string): Uint8Array {
    if (values.length !== this.#options.length) {
      throw new AppError('VIEW_INVALID', `View ${name} has ${values.length} numbers, not ${this.#options.length}.`);
    }
    const limit = this.#options.precision === 'float16' ? 65_504 : Number.MAX_VALUE;
    const bad = values.findIndex((value) => !(Math.abs(value) <= limit));
    if (bad >= 0) {
      throw new AppError(
        'VIEW_NOT_FINITE',
        `View ${name} holds ${values[bad]}, which ${this.#options.precision} cannot.`,
      );
    }
    const stored = this.#options.precision === 'float16' ? toHalves(values) : values;
    return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
  }

  #recover(): void {
    const whole = (file: number, bytes: number) => Math.floor(fstatSync(file).size / bytes);
    this.#records = Math.min(whole(this.#data, this.#recordBytes), whole(this.#index, ENTRY));
    this.#cutTo(this.#records);
    const index = Buffer.alloc(this.#records * ENTRY);
    readSync(this.#index, index, 0, index.length, 0);
    for (let record = 0; record < this.#records; record++) {
      const entry = index.subarray(record * ENTRY, (record + 1) * ENTRY);
      const key = `${entry.toString('hex', 0, 32)}/${entry.readUInt32LE(32)}`;
      this.#places.set(key, { record, crc: entry.readUInt32LE(36) });
    }
  }

  /** Takes away what stands behind the last whole record, so that the next one is where its number says. */
  #cutTo(records: number): void {
    for (const [file, bytes] of [
      [this.#data, records * this.#recordBytes],
      [this.#index, records * ENTRY],
    ] as const) {
      if (fstatSync(file).size > bytes) ftruncateSync(file, bytes);
    }
  }
}

/** A file on a full disk may take a part. */
function writeAll(file: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
}

function storageError(error: unknown, what: string): AppError {
  const code = codeOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new AppError(
      'DISK_FULL',
      `${what}: the disk is full. Free some space or use fewer views, and start again; what is stored stays.`,
      {
        cause: error,
      },
    );
  }
  return new AppError('VIEWS_UNREADABLE', `${what}: ${messageOf(error)}`, { cause: error });
}
