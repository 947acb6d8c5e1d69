import type { Network, Parameters } from './network.ts';

/**
 * What a training step is to the loop. Two adapters stand behind it (ONNX Runtime, tfjs-node-gpu), held to the same
 * conformance suite.
 *
 * Step: L = Σ_i w_i · CE(softmax(z_i + b), y_i) / n over a batch of n images, b the log-priors (0 where there are none);
 * with clipping the gradient is scaled to a global norm of at most `clipNorm`; then v ← μ·v − lr·g and p ← p + v (Keras' SGD:
 * the learning rate is inside the momentum).
 */
export interface TrainEngine {
  readonly name: 'onnxruntime' | 'tfjs-node-gpu';
  /** Version of the engine and the device it runs on, for the report. */
  describe(): string;
  open(network: Network, options: OpenOptions): Promise<TrainSession>;
}

export interface OpenOptions {
  /** Starting values of every parameter and constant. */
  parameters: Parameters;
  /** Parameters that do not train; a prefix of a name freezes all below it. Default: none. */
  frozen?: readonly string[];
  threads: number;
}

export interface Batch {
  /** n images one after the other, as the network's input wants them. */
  inputs: Float32Array;
  /** Class of each image; their number is n. */
  labels: Int32Array;
  /** Weight of each image; default 1. */
  weights?: Float32Array;
  /** Added to the logits in the loss only (balanced softmax, logit adjustment); one a class. */
  logPriors?: Float32Array;
}

export interface StepSettings {
  learningRate: number;
  momentum: number;
  /** Largest global norm of the gradient; `Infinity` clips nothing. */
  clipNorm: number;
}

export interface StepResult {
  loss: number;
  /** Global norm of the gradient before clipping. */
  gradientNorm: number;
}

export interface TrainSession {
  step(batch: Batch, settings: StepSettings): Promise<StepResult>;
  /** @returns logits, n × classes. */
  forward(inputs: Float32Array, images: number): Promise<Float32Array>;
  /** Copies of everything that a checkpoint needs; a session opened from it goes on bit for bit on onnxruntime with equal threads. */
  state(): Promise<TrainState>;
  /** Puts parameters and, where given, momenta (else zero) in place. */
  restore(state: TrainState): Promise<void>;
  /** Releases memory; the session must not be used afterwards. */
  close(): Promise<void>;
}

export interface TrainState {
  parameters: Parameters;
  /** Of trainable parameters, by the same names. */
  momenta?: Parameters;
}
