import type { Tensor, Variable } from '@tensorflow/tfjs-core';
import { AppError } from '../../../common/runtime/errors.ts';
import type { Parameters, TensorValue } from '../network.ts';
import type { Tf } from './load.ts';

/** Kernels of convolutions are [out, in, height, width] at the border and [height, width, in, out] in TensorFlow. */
const TO_TENSORFLOW = [2, 3, 1, 0];
const TO_BORDER = [3, 2, 0, 1];

/** A set of tensors by name that live until `dispose`. */
export class Weights {
  readonly #tf: Tf;
  readonly #variables = new Map<string, Variable>();

  /** Throws `PARAMETERS_INVALID`. The values are copied. */
  constructor(tf: Tf, names: Iterable<string>, values: Parameters) {
    this.#tf = tf;
    for (const name of names) {
      const variable = tf.tidy(() => tf.variable(this.#imported(name, values)));
      this.#variables.set(name, variable);
    }
  }

  get names(): IterableIterator<string> {
    return this.#variables.keys();
  }

  of(name: string): Variable {
    const found = this.#variables.get(name);
    if (found === undefined)
      throw new AppError('SESSION_CLOSED', `There is no tensor ${name}; the session was closed.`);
    return found;
  }

  /** Puts new values of the same names and dimensions in place. Throws `PARAMETERS_INVALID`; then nothing has changed. */
  assign(values: Parameters): void {
    this.#tf.tidy(() => {
      const fresh = [...this.#variables].map(([name, variable]) => ({ variable, value: this.#imported(name, values) }));
      for (const { variable, value } of fresh) variable.assign(value);
    });
  }

  /** Copies in the border's layout. */
  async values(): Promise<Parameters> {
    const copies = new Map<string, TensorValue>();
    for (const [name, variable] of this.#variables) {
      const tensor = this.#tf.tidy(() => this.#exported(variable));
      // The backend may hand out the very array that it keeps.
      const data = Float32Array.from(await tensor.data());
      tensor.dispose();
      copies.set(name, { dims: borderDims(variable), data });
    }
    return copies;
  }

  dispose(): void {
    for (const variable of this.#variables.values()) variable.dispose();
    this.#variables.clear();
  }

  #imported(name: string, values: Parameters): Tensor {
    const value = values.get(name);
    const here = this.#variables.get(name);
    const wanted = here === undefined ? value?.dims : borderDims(here);
    if (value === undefined || String(value.dims) !== String(wanted)) {
      const found = value ? `[${value.dims}]` : 'nothing';
      throw new AppError('PARAMETERS_INVALID', `"${name}" is wanted as [${wanted}], and ${found} is given.`);
    }
    // TensorFlow.js keeps the array that it is given until first use; the caller may change it meanwhile.
    const tensor = this.#tf.tensor(Float32Array.from(value.data), [...value.dims]);
    return value.dims.length === 4 ? this.#tf.transpose(tensor, TO_TENSORFLOW) : tensor;
  }

  #exported(variable: Variable): Tensor {
    return variable.rank === 4 ? this.#tf.transpose(variable as Tensor, TO_BORDER) : variable.clone();
  }
}

function borderDims({ shape }: Tensor): number[] {
  return shape.length === 4 ? TO_BORDER.map((axis) => shape[axis] as number) : [...shape];
}
