import type { NamedTensorMap, Scalar, Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { AppError } from '../../../common/runtime/errors.ts';
import { checkBatch } from '../batch.ts';
import type { Batch, OpenOptions, StepResult, StepSettings, TrainSession, TrainState } from '../engine.ts';
import type { Network, TensorValue } from '../network.ts';
import { checkParameters, parameterSpecs, trainableNames } from '../shapes.ts';
import { applyLayers, inputTensor } from './layers.ts';
import type { Tf } from './load.ts';
import { Weights } from './weights.ts';

/**
 * One network in training. All tensors that outlive a call are in three sets of weights; everything else is made and freed
 * inside `tf.tidy`, so `tf.memory().numTensors` is the same before and after every call. Calls must not overlap.
 */
export class TfjsSession implements TrainSession {
  readonly #tf: Tf;
  readonly #network: Network;
  /** Constants and frozen parameters: no gradient is computed for these. */
  readonly #fixed: Weights;
  readonly #trained: Weights;
  readonly #momenta: Weights;
  #closed = false;

  /** Throws `NETWORK_INVALID`, `PARAMETERS_INVALID`. */
  constructor(tf: Tf, network: Network, { parameters, frozen = [] }: OpenOptions) {
    checkParameters(network, parameters);
    this.#tf = tf;
    this.#network = network;
    const trained = trainableNames(network, frozen);
    const fixed = parameterSpecs(network).flatMap(({ name }) => (trained.has(name) ? [] : [name]));
    this.#trained = new Weights(tf, trained, parameters);
    this.#fixed = new Weights(tf, fixed, parameters);
    this.#momenta = new Weights(tf, trained, zerosLike(parameters));
  }

  async step(batch: Batch, settings: StepSettings): Promise<StepResult> {
    this.#requireOpen();
    checkBatch(this.#network, batch);
    const { value, grads } = this.#gradients(batch);
    const figures = this.#tf.tidy(() => this.#tf.stack([value, this.#globalNorm(Object.values(grads))]));
    value.dispose();
    const [loss = NaN, gradientNorm = NaN] = await figures.data<'float32'>();
    figures.dispose();
    this.#update(grads, settings, gradientNorm);
    this.#tf.dispose(grads);
    return { loss, gradientNorm };
  }

  async forward(inputs: Float32Array, images: number): Promise<Float32Array> {
    this.#requireOpen();
    const wanted = this.#network.input.reduce((product, dim) => product * dim, images);
    if (images < 1 || inputs.length !== wanted) {
      throw new AppError('BATCH_INVALID', `${images} images need ${wanted} numbers, not ${inputs.length}.`);
    }
    const logits = this.#tf.tidy(() => this.#logits(inputs, images));
    const values = Float32Array.from(await logits.data());
    logits.dispose();
    return values;
  }

  async state(): Promise<TrainState> {
    this.#requireOpen();
    const values = new Map([...(await this.#trained.values()), ...(await this.#fixed.values())]);
    const inOrder = parameterSpecs(this.#network).map(({ name }) => [name, values.get(name) as TensorValue] as const);
    return { parameters: new Map(inOrder), momenta: await this.#momenta.values() };
  }

  async restore({ parameters, momenta }: TrainState): Promise<void> {
    this.#requireOpen();
    checkParameters(this.#network, parameters);
    // First what can still be refused.
    this.#momenta.assign(new Map([...zerosLike(parameters), ...(momenta ?? [])]));
    this.#fixed.assign(parameters);
    this.#trained.assign(parameters);
  }

  async close(): Promise<void> {
    this.#closed = true;
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
    const names = [...this.#trained.names];
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

  #requireOpen(): void {
    if (this.#closed) throw new AppError('SESSION_CLOSED', 'This training session was closed; open another one.');
  }
}

function zerosLike(parameters: ReadonlyMap<string, TensorValue>): Map<string, TensorValue> {
  return new Map(
    [...parameters].map(([name, { dims, data }]) => [name, { dims, data: new Float32Array(data.length) }]),
  );
}
