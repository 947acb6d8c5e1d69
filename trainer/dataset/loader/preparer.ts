import { readFile } from 'node:fs/promises';
import { decodeRgb } from '../../../common/inference/decode.ts';
import { buildResize } from '../../../common/inference/graphs.ts';
import { Resizer } from '../../../common/inference/resizer.ts';
import { AppError, messageOf } from '../../../common/runtime/errors.ts';
import type { Digest } from '../../../common/storage/digest.ts';
import { sha256 } from '../../../common/storage/digest.ts';
import { affineOf, warp } from '../augment/affine.ts';
import type { Augmentation } from '../augment/draw.ts';
import { drawWarp } from '../augment/draw.ts';

/** What the network wants: its size in pixels, and value · scale + offset of 0…255. */
export interface NetworkInput {
  width: number;
  height: number;
  scale: number;
  offset: number;
}

/**
 * From a file to network input [3, height, width], in the agent's own steps: decode, resize; then, for training images only, the
 * warp; then scaling. Without a warp the result is what the artifact's resize graph gives.
 */
export class ImagePreparer {
  readonly #input: NetworkInput;
  readonly #resizer: Resizer;

  private constructor(input: NetworkInput, resizer: Resizer) {
    this.#input = input;
    this.#resizer = resizer;
  }

  static async load(input: NetworkInput): Promise<ImagePreparer> {
    const { width, height } = input;
    const graph = buildResize({ width, height, layout: 'nchw', scale: 1, offset: 0 });
    // One thread: many preparers work side by side.
    return new ImagePreparer(input, await Resizer.load(graph, { threads: 1 }));
  }

  /** Numbers in one prepared image. */
  get size(): number {
    return 3 * this.#input.width * this.#input.height;
  }

  /**
   * @returns the picture in network size, 0…255, not scaled
   * @throws AppError SAMPLE_UNREADABLE; DATASET_CHANGED where the file is not the one that was listed
   */
  async resized(file: string, digest: Digest): Promise<Float32Array> {
    const bytes = await readFile(file).catch((error: unknown) => {
      throw new AppError('SAMPLE_UNREADABLE', `The image ${file} cannot be read: ${messageOf(error)}`, {
        cause: error,
      });
    });
    if (sha256(bytes) !== digest) {
      throw new AppError(
        'DATASET_CHANGED',
        `The image ${file} changed while it was used; start again with the new data.`,
      );
    }
    try {
      return await this.#resizer.run(await decodeRgb(bytes));
    } catch (error) {
      throw new AppError('SAMPLE_UNREADABLE', `The image ${file} cannot be prepared: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Writes one view of a resized picture to `to`; without a draw the picture itself. */
  view(resized: Float32Array, to: Float32Array, draw: ViewDraw | null): void {
    const { width, height } = this.#input;
    if (draw === null) to.set(resized);
    else {
      const drawn = drawWarp(draw.augmentation, draw, height, width);
      const { order } = draw.augmentation;
      warp(resized, to, { channels: 3, height, width }, affineOf(drawn, height, width), order, drawn.flip);
    }
    this.#scale(to);
  }

  // Every step rounds to float32 as the graph's does: the same numbers for trainer and agent.
  #scale(values: Float32Array): void {
    const scale = Math.fround(this.#input.scale);
    const offset = Math.fround(this.#input.offset);
    for (let i = 0; i < values.length; i++) values[i] = Math.fround((values[i] as number) * scale) + offset;
  }

  /** Releases memory; the preparer must not be used afterwards. */
  close(): Promise<void> {
    return this.#resizer.close();
  }
}

export interface ViewDraw {
  augmentation: Augmentation;
  seed: number;
  digest: Digest;
  repetition: number;
}
