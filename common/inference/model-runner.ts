import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { ModelManifest } from '../domain/model.ts';
import { AppError } from '../runtime/errors.ts';
import { decodeRgb } from './decode.ts';
import type { RgbImage } from './decode.ts';
import { Resizer } from './resizer.ts';

/** Probabilities over the manifest's labels, one list a head. */
export interface HeadScores {
  m0: Float32Array;
  m1?: Float32Array;
}

export interface RunnerOptions {
  /** Threads of one run; agents give all cores, since batches run one after another. */
  threads: number;
}

/** A model artifact loaded into ONNX Runtime. The trunk runs once a picture, whatever the number of heads. */
export class ModelRunner {
  readonly manifest: ModelManifest;
  readonly #resize: Resizer;
  readonly #trunk: InferenceSession;
  readonly #heads: { m0: InferenceSession; m1?: InferenceSession };

  private constructor(
    manifest: ModelManifest,
    resize: Resizer,
    trunk: InferenceSession,
    heads: { m0: InferenceSession; m1?: InferenceSession },
  ) {
    this.manifest = manifest;
    this.#resize = resize;
    this.#trunk = trunk;
    this.#heads = heads;
  }

  /** @throws AppError `MODEL_UNLOADABLE` when ONNX Runtime refuses a file */
  static async load(folder: string, manifest: ModelManifest, { threads }: RunnerOptions): Promise<ModelRunner> {
    const open = (name: string) =>
      InferenceSession.create(join(folder, name), { intraOpNumThreads: threads, interOpNumThreads: 1 });
    try {
      const m0 = await open('head-m0.onnx');
      const heads = manifest.files['head-m1.onnx'] ? { m0, m1: await open('head-m1.onnx') } : { m0 };
      const resize = await Resizer.load(join(folder, 'resize.onnx'), { threads });
      return new ModelRunner(manifest, resize, await open('trunk.onnx'), heads);
    } catch (error) {
      throw new AppError('MODEL_UNLOADABLE', `ONNX Runtime cannot load ${manifest.name}: ${String(error)}`, {
        cause: error,
      });
    }
  }

  async classify(pictures: readonly Buffer[]): Promise<HeadScores[]> {
    return this.classifyImages(await Promise.all(pictures.map(decodeRgb)));
  }

  async classifyImages(images: readonly RgbImage[]): Promise<HeadScores[]> {
    const inputs: Float32Array[] = [];
    for (const image of images) inputs.push(await this.#resize.run(image));
    return this.#fixedBatch()
      ? (await Promise.all(inputs.map((input) => this.#run([input])))).flat()
      : this.#run(inputs);
  }

  async close(): Promise<void> {
    await this.#resize.close();
    for (const session of [this.#trunk, this.#heads.m0, this.#heads.m1]) await session?.release();
  }

  async #run(inputs: readonly Float32Array[]): Promise<HeadScores[]> {
    const { trunk, input } = this.manifest;
    const picture = input.layout === 'nchw' ? [3, input.height, input.width] : [input.height, input.width, 3];
    const features = (
      await this.#trunk.run({ [trunk.input]: new Tensor('float32', joined(inputs), [inputs.length, ...picture]) }, [
        trunk.output,
      ])
    )[trunk.output] as Tensor;
    const m0 = await this.#head(this.#heads.m0, features, inputs.length);
    const m1 = this.#heads.m1 && (await this.#head(this.#heads.m1, features, inputs.length));
    return inputs.map((_, i) =>
      m1 ? { m0: m0[i] as Float32Array, m1: m1[i] as Float32Array } : { m0: m0[i] as Float32Array },
    );
  }

  async #head(head: InferenceSession, features: Tensor, count: number): Promise<Float32Array[]> {
    const [meta] = head.inputMetadata;
    const rank = meta?.isTensor ? meta.shape.length : 2;
    const input = rank === 2 ? features.reshape([count, features.size / count]) : features;
    const outputs = await head.run({ [head.inputNames[0] as string]: input });
    const scores = (outputs[head.outputNames[0] as string] as Tensor).data as Float32Array;
    const classes = this.manifest.labels.length;
    if (scores.length !== classes * count) {
      throw new AppError('MODEL_INVALID', `A head gives ${scores.length / count} scores for ${classes} labels.`);
    }
    return Array.from({ length: count }, (_, i) => scores.slice(i * classes, (i + 1) * classes));
  }

  #fixedBatch(): boolean {
    const meta = this.#trunk.inputMetadata.find((entry) => entry.name === this.manifest.trunk.input);
    return meta?.isTensor === true && meta.shape[0] === 1;
  }
}

function joined(inputs: readonly Float32Array[]): Float32Array {
  if (inputs.length === 1) return inputs[0] as Float32Array;
  const size = (inputs[0] as Float32Array).length;
  const all = new Float32Array(size * inputs.length);
  inputs.forEach((input, i) => all.set(input, i * size));
  return all;
}

/** The golden frames of the manifest through this installation; says which one differs and by how much. */
export async function selfTest(runner: ModelRunner): Promise<{ maxDifference: number; msPerPicture: number }> {
  const { golden, tolerance } = runner.manifest;
  const started = performance.now();
  const results = await runner.classify(golden.map((frame) => Buffer.from(frame.jpeg, 'base64')));
  let maxDifference = 0;
  results.forEach((scores, i) => {
    for (const head of ['m0', 'm1'] as const) {
      golden[i]?.[head]?.forEach((expected, j) => {
        const difference = Math.abs(expected - (scores[head]?.[j] ?? Number.POSITIVE_INFINITY));
        maxDifference = Math.max(maxDifference, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
      });
    }
  });
  if (maxDifference > tolerance) {
    throw new AppError(
      'MODEL_SELF_TEST_FAILED',
      `On its golden frames this model differs by ${maxDifference} from what it should give (at most ${tolerance}).`,
    );
  }
  return { maxDifference, msPerPicture: (performance.now() - started) / golden.length };
}
