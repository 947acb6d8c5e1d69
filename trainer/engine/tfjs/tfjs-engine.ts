import type { OpenOptions, TrainEngine, TrainSession } from '../engine.ts';
import type { Network } from '../network.ts';
import { loadTfjs } from './load.ts';
import type { LoadOptions, Tfjs } from './load.ts';
import { TfjsSession } from './session.ts';

/**
 * Training with the optional package tfjs-node-gpu: TensorFlow's kernels, on an NVIDIA GPU where it finds one, and the
 * differentiation of TensorFlow.js, which knows nothing of the graph that the onnxruntime engine generates.
 */
export class TfjsEngine implements TrainEngine {
  readonly name = 'tfjs-node-gpu';
  readonly #tfjs: Tfjs;

  private constructor(tfjs: Tfjs) {
    this.#tfjs = tfjs;
  }

  /**
   * Throws `TFJS_UNAVAILABLE` where the package or its native library is absent.
   * The threads of TensorFlow's pool are decided here, for the whole process: `open` cannot change them.
   */
  static async load(options: LoadOptions = {}): Promise<TfjsEngine> {
    return new TfjsEngine(await loadTfjs(options));
  }

  describe(): string {
    const { package: name, version, tensorflow, device } = this.#tfjs;
    return `${name} ${version}, TensorFlow ${tensorflow}, ${device === 'gpu' ? 'GPU' : 'CPU (no GPU found)'}`;
  }

  /** Tensors that exist now in this process, for leak checks. */
  get tensors(): number {
    return this.#tfjs.tf.memory().numTensors;
  }

  /** Throws `NETWORK_INVALID`, `PARAMETERS_INVALID`. */
  async open(network: Network, options: OpenOptions): Promise<TrainSession> {
    return new TfjsSession(this.#tfjs.tf, network, options);
  }
}
