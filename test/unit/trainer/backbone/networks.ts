import { File, ready } from 'h5wasm/node';
import type { Group } from 'h5wasm/node';
import { initialParameters } from '../../../../trainer/engine/initialise.ts';
import type { Layer, Network, Parameters, TensorValue } from '../../../../trainer/engine/network.ts';
import { parameterSpecs } from '../../../../trainer/engine/shapes.ts';

/** A small Inception: the kinds of layers and the ways to pad of the large one, nested branches included. */
export function miniInception(): Network {
  let number = 0;
  const conv = (filters: number, kernel: [number, number], stride = 1, padding: 'same' | 'valid' = 'same'): Layer[] => {
    number += 1;
    return [
      { kind: 'conv', name: `conv2d_${number}`, filters, kernel, stride, padding, bias: false },
      { kind: 'frozen-norm', name: `batch_normalization_${number}`, epsilon: 1e-3 },
      { kind: 'relu' },
    ];
  };
  return {
    name: 'mini-inception',
    input: [3, 17, 17],
    layers: [
      ...conv(4, [3, 3], 2, 'valid'),
      {
        kind: 'concat',
        branches: [
          conv(3, [1, 1]),
          [...conv(2, [1, 7]), ...conv(3, [7, 1])],
          [...conv(2, [1, 1]), { kind: 'concat', branches: [conv(2, [1, 3]), conv(2, [3, 1])] }],
          [{ kind: 'average-pool', size: 3, stride: 1, padding: 'same' }, ...conv(2, [1, 1])],
        ],
      },
      {
        kind: 'concat',
        branches: [conv(4, [3, 3], 2, 'valid'), [{ kind: 'max-pool', size: 3, stride: 2, padding: 'valid' }]],
      },
      { kind: 'global-average-pool' },
      { kind: 'dense', name: 'logits', units: 3 },
    ],
    classes: 3,
  };
}

/** Drawn parameters in which normalisation does something. */
export function drawnParameters(network: Network): Map<string, TensorValue> {
  const wave = (from: number, swing: number) => (_: unknown, i: number) => from + swing * Math.sin(i + 1);
  return new Map(
    [...initialParameters(network, { seed: 1 })].map(([name, { dims, data }]) => {
      if (name.endsWith('/beta') || name.endsWith('/mean')) return [name, { dims, data: data.map(wave(0, 0.3)) }];
      if (name.endsWith('/variance')) return [name, { dims, data: data.map(wave(1, 0.5)) }];
      return [name, { dims, data }];
    }),
  );
}

export interface KerasFileOptions {
  /** Keras 2 counts from 1, Keras 3 from 0 (and writes no number for 0). */
  first?: 0 | 1;
  change?: (layers: Map<string, Map<string, TensorValue>>) => void;
  /** Whole models keep their weights one group below. */
  inside?: string;
}

const KERAS = { mean: 'moving_mean', variance: 'moving_variance' } as Record<string, string>;

/** Writes what Keras writes: a group a layer, `layer_names`, `weight_names`; kernels [height, width, in, out]. */
export async function writeKerasFile(
  path: string,
  network: Network,
  parameters: Parameters,
  { first = 1, change, inside }: KerasFileOptions = {},
): Promise<void> {
  await ready;
  const layers = new Map<string, Map<string, TensorValue>>();
  for (const { name } of parameterSpecs(network)) {
    const [layer = '', part = ''] = name.split('/');
    const [, kind = layer, number] = /^(.*)_(\d+)$/.exec(layer) ?? [];
    const counted = Number(number) - 1 + first;
    const theirs = number === undefined ? layer : counted === 0 ? kind : `${kind}_${counted}`;
    const arrays = layers.get(theirs) ?? new Map<string, TensorValue>();
    layers.set(theirs, arrays.set(KERAS[part] ?? part, parameters.get(name) as TensorValue));
  }
  change?.(layers);
  const file = new File(path, 'w');
  const root = inside === undefined ? file : file.create_group(inside);
  root.create_attribute('layer_names', [...layers.keys()]);
  for (const [layer, arrays] of layers) writeLayer(root, layer, arrays);
  file.close();
}

function writeLayer(root: Group, layer: string, arrays: ReadonlyMap<string, TensorValue>): void {
  const group = root.create_group(layer);
  const inner = group.create_group(layer);
  group.create_attribute(
    'weight_names',
    [...arrays.keys()].map((array) => `${layer}/${array}:0`),
  );
  for (const [array, value] of arrays) {
    const { dims, data } = kerasOrder(value);
    inner.create_dataset({ name: `${array}:0`, data, shape: [...dims] });
  }
}

function kerasOrder({ dims, data }: TensorValue): TensorValue {
  if (dims.length !== 4) return { dims, data };
  const [out, into, height, width] = dims as [number, number, number, number];
  const turned = new Float32Array(data.length);
  for (let o = 0; o < out; o++)
    for (let i = 0; i < into; i++)
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++)
          turned[((y * width + x) * into + i) * out + o] = data[((o * into + i) * height + y) * width + x] as number;
  return { dims: [height, width, into, out], data: turned };
}
