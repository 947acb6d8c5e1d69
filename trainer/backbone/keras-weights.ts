import type { Dataset } from 'h5wasm/node';
import { AppError } from '../../common/runtime/errors.ts';
import type { TensorValue } from '../engine/network.ts';
import { KerasFile, damagedIfItThrows } from './keras-file.ts';
import type { KerasLayer } from './keras-file.ts';
import type { ParameterSpec } from '../engine/shapes.ts';

export interface KerasWeights {
  parameters: Map<string, TensorValue>;
  /** How the file numbers its layers, in words. */
  naming: string;
}

/** Our name of an array → Keras'. */
const KERAS_ARRAY: Readonly<Record<string, string>> = {
  kernel: 'kernel',
  bias: 'bias',
  beta: 'beta',
  mean: 'moving_mean',
  variance: 'moving_variance',
};

/**
 * Reads the arrays that `specs` name from Keras' own .h5, by name, never by position, and checks every shape. Kernels are
 * turned from [height, width, in, out] to [out, in, height, width].
 *
 * @throws AppError `WEIGHTS_LAYER_MISSING`, `WEIGHTS_SHAPE_WRONG`, `WEIGHTS_DAMAGED` and what `KerasFile.open` throws
 */
export async function readKerasWeights(path: string, specs: readonly ParameterSpec[]): Promise<KerasWeights> {
  const file = await KerasFile.open(path);
  try {
    const naming = namingOf(file.layers);
    const parameters = new Map<string, TensorValue>();
    for (const spec of specs) {
      const dataset = find(path, file.layers, naming, spec);
      const data = damagedIfItThrows(path, () => dataset.value);
      parameters.set(spec.name, { dims: spec.dims, data: toOurOrder(path, spec, data) });
    }
    return { parameters, naming: naming.words };
  } finally {
    file.close();
  }
}

interface Naming {
  words: string;
  /** Our name of a layer (`conv2d_1` is the first) → the file's. */
  nameOf(layer: string): string;
}

/** Keras 2 counts `conv2d_1`, `conv2d_2`, …; Keras 3 `conv2d`, `conv2d_1`, …, and goes on counting over the models of a program. */
function namingOf(layers: ReadonlyMap<string, KerasLayer>): Naming {
  const firstOf = (kind: string): number => {
    const numbers = [...layers.keys()].flatMap((name) => {
      const [, number, matches] = new RegExp(`^${kind}(?:_(\\d+))?()$`).exec(name) ?? [];
      return matches === undefined ? [] : [Number(number ?? 0)];
    });
    if (numbers.length === 0 || numbers.includes(1)) return numbers.includes(0) ? 0 : 1;
    return Math.min(...numbers);
  };
  const firsts = new Map<string, number>();
  const first = (kind: string): number => {
    if (!firsts.has(kind)) firsts.set(kind, firstOf(kind));
    return firsts.get(kind) as number;
  };
  const words = first('conv2d') === 1 ? 'Keras 2 names (conv2d_1, …)' : 'Keras 3 names (conv2d, conv2d_1, …)';
  return {
    words,
    nameOf: (layer) => {
      const [, kind = layer, number] = /^(.*)_(\d+)$/.exec(layer) ?? [];
      if (number === undefined) return layer;
      const counted = first(kind) + Number(number) - 1;
      return counted === 0 ? kind : `${kind}_${counted}`;
    },
  };
}

function find(
  path: string,
  layers: ReadonlyMap<string, KerasLayer>,
  naming: Naming,
  { name, dims }: ParameterSpec,
): Dataset {
  const [layer = '', part = ''] = name.split('/');
  const theirs = naming.nameOf(layer);
  const array = KERAS_ARRAY[part] ?? part;
  const dataset = layers.get(theirs)?.get(array);
  if (!dataset) {
    throw new AppError(
      'WEIGHTS_LAYER_MISSING',
      `${path} lacks ${theirs}/${array}: it has weights of ${layers.size} layers, in ${naming.words}. ` +
        'Expected the weights of the whole network, e.g. inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5.',
    );
  }
  const expected = kerasDims(dims);
  const found = dataset.shape ?? [];
  if (found.length !== expected.length || found.some((size, i) => size !== expected[i])) {
    throw new AppError(
      'WEIGHTS_SHAPE_WRONG',
      `${path} holds other weights: ${theirs}/${array} should have the shape [${expected.join(', ')}], found [${found.join(', ')}].`,
    );
  }
  return dataset;
}

const kerasDims = (dims: readonly number[]): number[] => {
  if (dims.length !== 4) return [...dims];
  const [out, into, height, width] = dims as [number, number, number, number];
  return [height, width, into, out];
};

function toOurOrder(path: string, { name, dims }: ParameterSpec, value: unknown): Float32Array {
  if (!(value instanceof Float32Array || value instanceof Float64Array)) {
    throw new AppError('WEIGHTS_DAMAGED', `${path}: ${name} does not hold floating-point numbers.`);
  }
  const isVariance = name.endsWith('/variance');
  for (const number of value) {
    if (Number.isFinite(number) && !(isVariance && number < 0)) continue;
    throw new AppError('WEIGHTS_DAMAGED', `${path}: ${name} contains ${number}; get the file again.`);
  }
  return dims.length === 4 ? outerFirst(value, dims) : Float32Array.from(value);
}

/** [height, width, in, out] → [out, in, height, width] */
function outerFirst(source: Float32Array | Float64Array, dims: readonly number[]): Float32Array {
  const [out, into, height, width] = dims as [number, number, number, number];
  const area = height * width;
  const target = new Float32Array(source.length);
  let from = 0;
  for (let at = 0; at < area; at++)
    for (let i = 0; i < into; i++)
      for (let o = 0; o < out; o++) target[(o * into + i) * area + at] = source[from++] as number;
  return target;
}
