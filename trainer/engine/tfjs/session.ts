import type { NamedTensorMap, Scalar, Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { AppError } from '../../../common/runtime/errors.ts';
import type { Batch, OpenOptions, StepResult, StepSettings, TrainSession, TrainState } from '../engine.ts';
import type { Network, TensorValue } from '../network.ts';
import { applyLayers, inputTensor } from './layers.ts';
import type { Tf } from './load.ts';
import { namesOf, Weights } from './weights.ts';

/**
 * One network in training. All tensors that outlive a call are in three sets of weights; everything else is made and freed
 * inside `tf.tidy`, so `tf.memory().numTensors` is the same before and after every call.
 */
export class TfjsSession implements TrainSession {
  readonly #tf: Tf;
  readonly #network: Network;
  /** Constants and frozen parameters: no gradient is computed for these. */
  readonly #fixed: Weights;
  readonly #trained: Weights;
  readonly #momenta: Weights;

  constructor(tf: Tf, network: Network, { parameters, frozen = [] }: OpenOptions) {
    this.#tf = tf;
    this.#network = network;
    const names = [...namesOf(network.layers)];
    const isTrained = ([name, { trains }]: (typeof names)[number]): boolean => trains && !isBelow(name, frozen);
    const trained = names.filter(isTrained).map(([name]) => name);
    const fixed = names.filter((entry) => !isTrained(entry)).map(([name]) => name);
    this.#trained = new Weights(tf, trained, parameters);
    this.#fixed = new Weights(tf, fixed, parameters);
    this.#momenta = new Weights(tf, trained, zerosLike(parameters));
  }

  async step(batch: Batch, settings: StepSettings): Promise<StepResult> {
    const { value, grads } = this.#gradients(batch);
    const figures = this.#tf.tidy(() => this.#tf.stack([value, this.#globalNorm(Object.values(grads))]));
    value.dispose();
    const [loss, gradientNorm] = (await figures.data()) as Float32Array as unknown as [number, number];
    figures.dispose();
    this.#update(grads, settings, gradientNorm);
    this.#tf.dispose(grads);
    return { loss, gradientNorm };
  }

  async forward(inputs: Float32Array, images: number): Promise<Float32Array> {
    this.#check(inputs, images);
    const logits = this.#tf.tidy(() => this.#logits(inputs, images));
    const values = Float32Array.from(await logits.data());
    logits.dispose();
    return values;
  }

  async state(): Promise<TrainState> {
    const parameters = new Map([...(await this.#trained.values()), ...(await this.#fixed.values())]);
    return { parameters, momenta: await this.#momenta.values() };
  }

  async restore({ parameters, momenta }: TrainState): Promise<void> {
    this.#fixed.assign(parameters);
    this.#trained.assign(parameters);
    this.#momenta.assign(momenta ?? zerosLike(parameters));
  }

  async close(): Promise<void> {
    for (const weights of [this.#trained, this.#fixed, this.#momenta]) weights.dispose();
  }

  #logits(inputs: Float32Array, images: number): Tensor2D {
    const trained = new Set(this.#trained.names);
    const lookup = (name: string): Tensor => (trained.has(name) ? this.#trained : this.#fixed).of(name);
    const input = inputTensor(this.#tf, this.#network, inputs, images);
    return applyLayers(this.#tf, this.#network.layers, input, lookup) as Tensor2D;
  }

  /** Σ w · CE(softmax(z + b), y) / n and its gradients by TensorFlow.js' own differentiation, by parameter. */
  #gradients(batch: Batch): { value: Scalar; grads: NamedTensorMap } {
    this.#check(batch.inputs, batch.labels.length);
    const names = [...this.#trained.names];
    if (names.length === 0) throw new AppError('NOTHING_TRAINS', 'Every parameter of the network is frozen.');
    const variables = names.map((name) => this.#trained.of(name));
    const { value, grads } = this.#tf.variableGrads(() => this.#loss(batch), variables);
    return { value, grads: Object.fromEntries(variables.map(({ name }, at) => [names[at], grads[name] as Tensor])) };
  }

  #loss({ inputs, labels, weights, logPriors }: Batch): Scalar {
    const tf = this.#tf;
    const { classes } = this.#network;
    const logits = this.#logits(inputs, labels.length);
    const shifted = logPriors === undefined ? logits : tf.add(logits, tf.tensor1d(logPriors));
    const truth = tf.oneHot(tf.tensor1d(labels, 'int32'), classes);
    const entropies = tf.neg(tf.sum(tf.mul(tf.logSoftmax(shifted), truth), 1));
    const weighted = weights === undefined ? entropies : tf.mul(entropies, tf.tensor1d(weights));
    return tf.div(tf.sum(weighted as Tensor1D), labels.length);
  }

  #globalNorm(gradients: readonly Tensor[]): Tensor {
    const tf = this.#tf;
    return tf.sqrt(tf.addN(gradients.map((gradient) => tf.sum(tf.square(gradient)))));
  }

  #update(gradients: NamedTensorMap, { learningRate, momentum, clipNorm }: StepSettings, norm: number): void {
    const tf = this.#tf;
    const rate = norm > clipNorm ? (learningRate * clipNorm) / norm : learningRate;
    for (const [name, gradient] of Object.entries(gradients)) {
      tf.tidy(() => {
        const velocity = this.#momenta.of(name);
        const parameter = this.#trained.of(name);
        velocity.assign(tf.sub(tf.mul(velocity, momentum), tf.mul(gradient, rate)));
        parameter.assign(tf.add(parameter, velocity));
      });
    }
  }

  /** TensorFlow would take a wrong number of values for another shape, and a label that is no class for none. */
  #check(inputs: Float32Array, images: number): void {
    const wanted = this.#network.input.reduce((product, dim) => product * dim, images);
    if (images > 0 && inputs.length === wanted) return;
    throw new AppError(
      'BATCH_SHAPE',
      `${images} images of [${this.#network.input}] are ${wanted} values; ${inputs.length} were given.`,
    );
  }
}

function isBelow(name: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => name === prefix || name.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`));
}

function zerosLike(parameters: ReadonlyMap<string, TensorValue>): Map<string, TensorValue> {
  return new Map(
    [...parameters].map(([name, { dims, data }]) => [name, { dims, data: new Float32Array(data.length) }]),
  );
}
