import { InferenceSession, Tensor } from 'onnxruntime-node';
import { AppError, messageOf } from '../runtime/errors.ts';

export interface TensorRunnerOptions {
  /** Threads of one run. */
  threads: number;
  /** Tensor that is fed; default: the only input. */
  input?: string;
  /** Tensor that is fetched; default: the only output. */
  output?: string;
  /** Dimensions of one item of the input where the network leaves them free. */
  inputDims?: readonly number[];
}

export interface TensorValues {
  /** With the number of items in front. */
  dims: readonly number[];
  data: Float32Array;
}

/** A network with one float32 input and one float32 output, run on batches. Close it. */
export class TensorRunner {
  readonly input: string;
  readonly output: string;
  /** Of one item. */
  readonly inputDims: readonly number[];
  /** The network takes exactly one item a run. */
  readonly #oneByOne: boolean;
  readonly #session: InferenceSession;

  private constructor(
    session: InferenceSession,
    names: { input: string; output: string },
    dims: readonly (number | string)[],
    given: readonly number[] | undefined,
  ) {
    this.#session = session;
    this.input = names.input;
    this.output = names.output;
    this.#oneByOne = dims[0] === 1;
    const item = dims.slice(1).map((size, i) => (typeof size === 'number' && size > 0 ? size : given?.[i]));
    if (item.some((size) => size === undefined)) {
      throw invalid(`its input "${names.input}" has the free dimensions [${dims.join(', ')}]; say how large it is`);
    }
    this.inputDims = item as number[];
  }

  /**
   * @param model path or bytes
   * @throws AppError `ONNX_UNLOADABLE`
   */
  static async load(model: string | Uint8Array, options: TensorRunnerOptions): Promise<TensorRunner> {
    const settings = { intraOpNumThreads: options.threads, interOpNumThreads: 1 };
    const session = await (
      typeof model === 'string' ? InferenceSession.create(model, settings) : InferenceSession.create(model, settings)
    ).catch((error: unknown) => {
      throw invalid(messageOf(error), error);
    });
    try {
      const input = options.input ?? only(session.inputNames, 'input');
      const output = options.output ?? only(session.outputNames, 'output');
      const meta = session.inputMetadata.find(({ name }) => name === input);
      if (!meta?.isTensor || meta.type !== 'float32' || !session.outputNames.includes(output)) {
        throw invalid(`it needs a float32 input "${input}" and an output "${output}"`);
      }
      return new TensorRunner(session, { input, output }, meta.shape, options.inputDims);
    } catch (error) {
      await session.release();
      throw error;
    }
  }

  /**
   * @param values of `items` items, one after another
   * @returns the output of the items, one after another
   */
  async run(values: Float32Array, items: number): Promise<Float32Array> {
    const size = this.inputDims.reduce((product, dim) => product * dim, 1);
    if (values.length !== size * items) {
      throw invalid(
        `${items} items of [${this.inputDims.join(', ')}] are ${size * items} numbers, found ${values.length}`,
      );
    }
    if (!this.#oneByOne || items === 1) return this.#run(values, items);
    const outputs: Float32Array[] = [];
    for (let i = 0; i < items; i++) outputs.push(await this.#run(values.subarray(i * size, (i + 1) * size), 1));
    const all = new Float32Array(items * (outputs[0]?.length ?? 0));
    outputs.forEach((output, i) => all.set(output, i * output.length));
    return all;
  }

  async #run(values: Float32Array, items: number): Promise<Float32Array> {
    return (await this.#tensor(values, items)).data as Float32Array;
  }

  async #tensor(values: Float32Array, items: number): Promise<Tensor> {
    const feeds = { [this.input]: new Tensor('float32', values, [items, ...this.inputDims]) };
    return (await this.#session.run(feeds, [this.output]))[this.output] as Tensor;
  }

  /** Every output of the network by name, for the items together. */
  async runAll(values: Float32Array, items: number): Promise<Map<string, TensorValues>> {
    const feeds = { [this.input]: new Tensor('float32', values, [items, ...this.inputDims]) };
    const outputs = Object.entries(await this.#session.run(feeds));
    return new Map(outputs.map(([name, { dims, data }]) => [name, { dims, data: data as Float32Array }]));
  }

  /** Dimensions of one item of the output, found by a run on zeros. */
  async outputDims(): Promise<number[]> {
    const size = this.inputDims.reduce((product, dim) => product * dim, 1);
    return (await this.#tensor(new Float32Array(size), 1)).dims.slice(1);
  }

  /** Releases memory; the runner must not be used afterwards. */
  async close(): Promise<void> {
    await this.#session.release();
  }
}

function only(names: readonly string[], what: string): string {
  if (names.length === 1) return names[0] as string;
  throw invalid(`it has ${names.length} ${what}s (${names.join(', ')}); name the one that is meant`);
}

const invalid = (why: string, cause?: unknown): AppError =>
  new AppError('ONNX_UNLOADABLE', `The network cannot be run: ${why}.`, { cause });
