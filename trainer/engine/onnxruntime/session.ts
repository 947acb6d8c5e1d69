import { InferenceSession, Tensor } from 'onnxruntime-node';
import { AppError } from '../../../common/runtime/errors.ts';
import type { Batch, OpenOptions, StepResult, StepSettings, TrainSession, TrainState } from '../engine.ts';
import type { Network, Parameters, TensorValue } from '../network.ts';
import { checkParameters, trainableNames } from '../shapes.ts';
import { checkBatch, targetsOf, weightsOf } from '../batch.ts';
import { PORT, buildForward, buildStep, momentumName, nextName } from './network-graph.ts';
import { TensorPair } from './tensor-pair.ts';

/** Images of one forward run: more would only cost memory. */
const FORWARD_IMAGES = 64;

/** One network in training. Calls must not overlap: each step starts from what the last one left. */
export class OrtSession implements TrainSession {
  readonly #network: Network;
  readonly #threads: number;
  readonly #trainable: ReadonlySet<string>;
  /** Parameters and momenta that a step moves, by their names in the graph. */
  readonly #moving = new Map<string, TensorPair>();
  /** Parameters that are constants of the graphs. */
  #fixed: Parameters = new Map();
  #step: InferenceSession | undefined;
  #forward: InferenceSession | undefined;
  #closed = false;

  private constructor(network: Network, trainable: ReadonlySet<string>, threads: number) {
    this.#network = network;
    this.#trainable = trainable;
    this.#threads = threads;
  }

  /** @throws AppError `NETWORK_INVALID`, `PARAMETERS_INVALID` */
  static async open(network: Network, { parameters, frozen, threads }: OpenOptions): Promise<OrtSession> {
    checkParameters(network, parameters);
    const session = new OrtSession(network, trainableNames(network, frozen), threads);
    await session.restore({ parameters });
    return session;
  }

  async step(batch: Batch, settings: StepSettings): Promise<StepResult> {
    const images = checkBatch(this.#network, batch);
    const { classes } = this.#network;
    this.#step ??= await this.#load(buildStep(this.#network, this.#parameters(), this.#trainable));
    const feeds: Record<string, Tensor> = {
      [PORT.features]: floats(batch.inputs, [images, ...this.#network.input]),
      [PORT.targets]: floats(targetsOf(batch, classes), [images, classes]),
      [PORT.weights]: floats(weightsOf(batch), [images, 1]),
      [PORT.logPriors]: floats(batch.logPriors ?? new Float32Array(classes), [classes]),
      [PORT.learningRate]: scalar(settings.learningRate),
      [PORT.momentum]: scalar(settings.momentum),
      [PORT.clipNorm]: scalar(settings.clipNorm),
    };
    const fetches: Record<string, Tensor | null> = { [PORT.loss]: null, [PORT.gradientNorm]: null };
    for (const [name, pair] of this.#moving) {
      feeds[name] = pair.current;
      fetches[nextName(name)] = pair.spare;
    }
    const results = await this.#open(this.#step).run(feeds, fetches);
    // Only now: a run that failed half-way has touched nothing but the spares.
    for (const pair of this.#moving.values()) pair.swap();
    return { loss: numberOf(results[PORT.loss]), gradientNorm: numberOf(results[PORT.gradientNorm]) };
  }

  async forward(inputs: Float32Array, images: number): Promise<Float32Array> {
    const { input, classes } = this.#network;
    const size = input.reduce((product, dim) => product * dim, 1);
    if (inputs.length !== images * size) {
      throw new AppError('BATCH_INVALID', `${images} images need ${images * size} numbers, not ${inputs.length}.`);
    }
    const options = { softmax: false, open: this.#trainable };
    this.#forward ??= await this.#load(buildForward(this.#network, this.#parameters(), options));
    const logits = new Float32Array(images * classes);
    for (let start = 0; start < images; start += FORWARD_IMAGES) {
      const end = Math.min(images, start + FORWARD_IMAGES);
      const feeds: Record<string, Tensor> = {
        [PORT.features]: floats(inputs.subarray(start * size, end * size), [end - start, ...input]),
      };
      for (const name of this.#trainable) feeds[name] = this.#pair(name).current;
      const into = floats(logits.subarray(start * classes, end * classes), [end - start, classes]);
      await this.#open(this.#forward).run(feeds, { [PORT.scores]: into });
    }
    return logits;
  }

  async state(): Promise<TrainState> {
    this.#open(undefined);
    const copy = ({ dims, data }: TensorValue): TensorValue => ({ dims: [...dims], data: data.slice() });
    const parameters = new Map([...this.#parameters()].map(([name, value]) => [name, copy(value)]));
    const momenta = new Map([...this.#trainable].map((name) => [name, copy(this.#pair(momentumName(name)).value())]));
    return Promise.resolve({ parameters, momenta });
  }

  async restore({ parameters, momenta }: TrainState): Promise<void> {
    this.#open(undefined);
    checkParameters(this.#network, parameters, momenta);
    const fixed = new Map([...parameters].filter(([name]) => !this.#trainable.has(name)));
    if (!sameBits(fixed, this.#fixed)) await this.#release();
    this.#fixed = new Map([...fixed].map(([name, { dims, data }]) => [name, { dims, data: data.slice() }]));
    for (const name of this.#trainable) {
      const value = parameters.get(name) as TensorValue;
      const momentum = momenta?.get(name)?.data ?? new Float32Array(value.data.length);
      this.#moving.set(name, new TensorPair(value.dims, value.data));
      this.#moving.set(momentumName(name), new TensorPair(value.dims, momentum));
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#moving.clear();
    await this.#release();
  }

  /** All parameters in the network's order, without copies. */
  #parameters(): Parameters {
    const fixed = [...this.#fixed];
    return new Map([...fixed, ...[...this.#trainable].map((name) => [name, this.#pair(name).value()] as const)]);
  }

  #pair(name: string): TensorPair {
    this.#open(undefined);
    return this.#moving.get(name) as TensorPair;
  }

  #open<T>(value: T): T {
    if (this.#closed) throw new AppError('SESSION_CLOSED', 'This training session was closed; open another one.');
    return value;
  }

  #load(graph: Buffer): Promise<InferenceSession> {
    // Level 3, errors: ONNX Runtime warns of constants that its own folding made superfluous.
    return InferenceSession.create(graph, {
      intraOpNumThreads: this.#threads,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
      // Planned in one piece, the buffers of a step of InceptionV3's top take 300 MB more, and the step is no faster.
      enableMemPattern: false,
      // A thread that spins while it waits takes the cores from the workers that prepare the next batch.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    });
  }

  async #release(): Promise<void> {
    const sessions = [this.#step, this.#forward];
    this.#step = this.#forward = undefined;
    for (const session of sessions) await session?.release();
  }
}

function floats(data: Float32Array, dims: readonly number[]): Tensor {
  return new Tensor('float32', data, [...dims]);
}

function scalar(value: number): Tensor {
  return floats(Float32Array.of(value), []);
}

function numberOf(value: unknown): number {
  return ((value as Tensor).data as Float32Array)[0] as number;
}

function sameBits(a: Parameters, b: Parameters): boolean {
  if (a.size !== b.size) return false;
  return [...a].every(([name, { data }]) => {
    const other = b.get(name)?.data;
    return other?.length === data.length && data.every((value, i) => Object.is(value, other[i]));
  });
}
