import type { Tensor, Variable } from '@tensorflow/tfjs-core';
import { AppError } from '../../../common/runtime/errors.ts';
import type { Layer, Parameters, TensorValue } from '../network.ts';
import type { Tf } from './load.ts';

/** Names of everything that the layers look up, and whether it can train. */
export function namesOf(layers: readonly Layer[]): Map<string, { trains: boolean }> {
  const names = new Map<string, { trains: boolean }>();
  const add = (name: string, trains = true) => void names.set(name, { trains });
  const visit = (layer: Layer): void => {
    if (layer.kind === 'concat') layer.branches.flat().forEach(visit);
    if (layer.kind === 'conv' || layer.kind === 'dense') add(`${layer.name}/kernel`);
    if (layer.kind === 'dense' || (layer.kind === 'conv' && layer.bias)) add(`${layer.name}/bias`);
    if (layer.kind === 'frozen-norm') {
      add(`${layer.name}/beta`);
      add(`${layer.name}/mean`, false);
      add(`${layer.name}/variance`, false);
    }
  };
  layers.forEach(visit);
  return names;
}

/** Kernels of convolutions are [out, in, height, width] at the border and [height, width, in, out] in TensorFlow. */
const TO_TENSORFLOW = [2, 3, 1, 0];
const TO_BORDER = [3, 2, 0, 1];

/** A set of tensors by name that live until `dispose`. */
export class Weights {
  readonly #tf: Tf;
  readonly #variables = new Map<string, Variable>();

  /** Throws `PARAMETER_MISSING`. The values are copied. */
  constructor(tf: Tf, names: Iterable<string>, values: Parameters) {
    this.#tf = tf;
    for (const name of names)
      this.#variables.set(
        name,
        tf.tidy(() => tf.variable(this.#imported(name, values), true)),
      );
  }

  get names(): IterableIterator<string> {
    return this.#variables.keys();
  }

  of(name: string): Variable {
    const found = this.#variables.get(name);
    if (found === undefined) throw new AppError('PARAMETER_MISSING', `There is no parameter ${name}; this is a bug.`);
    return found;
  }

  /** Puts new values in place. Throws `PARAMETER_MISSING`, `PARAMETER_SHAPE`; then nothing has changed. */
  assign(values: Parameters): void {
    const { tidy } = this.#tf;
    tidy(() => {
      const fresh = [...this.#variables].map(([name, variable]) => ({ variable, value: this.#imported(name, values) }));
      fresh.forEach(({ variable, value }, at) => {
        if (String(variable.shape) === String(value.shape)) return;
        throw new AppError(
          'PARAMETER_SHAPE',
          `${[...this.names][at]} is [${borderDims(variable)}] here and [${borderDims(value)}] in what is to be restored; ` +
            'it belongs to another network.',
        );
      });
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
    if (value === undefined) {
      throw new AppError('PARAMETER_MISSING', `The network needs ${name}, and the values given have no such name.`);
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
