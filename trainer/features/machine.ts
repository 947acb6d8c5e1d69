import { TensorRunner } from '../../common/inference/tensor-runner.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { buildPooledFeatures, openTrunk } from '../backbone/backbone.ts';
import type { Backbone } from '../backbone/backbone.ts';
import type { Augmentation } from '../dataset/augment/draw.ts';
import type { Dataset } from '../dataset/dataset.ts';
import { ImageLoader } from '../dataset/loader/image-loader.ts';
import type { BatchItem } from '../dataset/loader/image-loader.ts';
import { batchesOf } from '../sampling/draw.ts';

/** Pictures of one run of the trunk: beyond eight a CPU gains nothing. */
export const CHUNK = 8;

export interface MachineOptions {
  backbone: Backbone;
  /** One of `featureLayers`, pooled; `null`: the trunk's own output as it is, for training what lies behind it. */
  layer: string | null;
  augmentation: Augmentation;
  /** Of augmentation. */
  seed: number;
  threads: number;
  /** Threads that prepare pictures. */
  loaderThreads: number;
  /** Memory for decoded pictures, in bytes; 0 where every picture is used once. */
  cacheBytes: number;
}

/** What the features of one picture look like, and the network that pools them; `undefined`: nothing is pooled. */
export function featureShape(
  backbone: Backbone,
  layer: string | null,
): { dims: readonly number[]; length: number; pooling: Buffer | undefined } {
  const pooled = layer === null ? undefined : buildPooledFeatures(backbone, layer);
  const dims = pooled?.dims ?? backbone.featureDims;
  return { dims, length: dims.reduce((product, dim) => product * dim, 1), pooling: pooled?.onnx };
}

/** From a dataset's files to features: loader threads, trunk and pooling, ready to run. Close it. */
export class FeatureMachine {
  readonly length: number;
  readonly #loader: ImageLoader;
  readonly #trunk: TensorRunner;
  readonly #pooling: TensorRunner | undefined;

  private constructor(length: number, loader: ImageLoader, trunk: TensorRunner, pooling: TensorRunner | undefined) {
    this.length = length;
    this.#loader = loader;
    this.#trunk = trunk;
    this.#pooling = pooling;
  }

  /** @throws AppError `BACKBONE_LAYER_UNKNOWN`, `BACKBONE_LAYOUT` */
  static async open(dataset: Dataset, options: MachineOptions): Promise<FeatureMachine> {
    const { backbone, layer, augmentation, seed, threads, loaderThreads, cacheBytes } = options;
    requireChannelsFirst(backbone);
    const { length, pooling } = featureShape(backbone, layer);
    const { width, height, scale, offset } = backbone.input;
    const input = { width, height, scale, offset };
    const loader = new ImageLoader(dataset, { input, augmentation, seed, threads: loaderThreads, cacheBytes });
    const trunk = await openTrunk(backbone, { threads });
    return new FeatureMachine(length, loader, trunk, pooling && (await TensorRunner.load(pooling, { threads })));
  }

  /**
   * @param next what will be asked for afterwards: it is prepared while the trunk works
   * @returns the features of the items, one after another
   */
  async features(items: readonly BatchItem[], next?: readonly BatchItem[]): Promise<Float32Array> {
    const inputs = this.#loader.batch(items);
    if (next && next.length > 0) this.#loader.prefetch(next);
    const pictures = await inputs;
    const size = pictures.length / Math.max(1, items.length);
    const features = new Float32Array(items.length * this.length);
    let done = 0;
    for (const chunk of batchesOf(items, CHUNK)) {
      const part = pictures.subarray(done * size, (done + chunk.length) * size);
      const maps = await this.#trunk.run(part, chunk.length);
      features.set(this.#pooling ? await this.#pooling.run(maps, chunk.length) : maps, done * this.length);
      done += chunk.length;
    }
    return features;
  }

  async close(): Promise<void> {
    await this.#loader.close();
    await this.#trunk.close();
    await this.#pooling?.close();
  }
}

/** @throws AppError `BACKBONE_LAYOUT` */
export function requireChannelsFirst({ input, name }: Backbone): void {
  if (input.layout === 'nchw') return;
  throw new AppError(
    'BACKBONE_LAYOUT',
    `The backbone ${name} takes pictures as [height, width, channels]; the trainer prepares [channels, height, width]. Export it with channels first.`,
  );
}
