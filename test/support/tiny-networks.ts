import { seededNormal, seededRandom } from '../../common/domain/random.ts';
import type { Batch } from '../../trainer/engine/engine.ts';
import { initialParameters } from '../../trainer/engine/initialise.ts';
import type { ConvLayer, Layer, Network, Parameters, TensorValue } from '../../trainer/engine/network.ts';

export const CLASSES = 3;

export function conv(
  name: string,
  filters: number,
  kernel: readonly [number, number],
  more: Partial<ConvLayer> = {},
): ConvLayer {
  return { kind: 'conv', name, filters, kernel, stride: 1, padding: 'same', bias: true, ...more };
}

export const relu: Layer = { kind: 'relu' };

export function norm(name: string): Layer {
  return { kind: 'frozen-norm', name, epsilon: 1e-3 };
}

/** The layers between input and classifier, with a convolution below so that gradients have to pass through them. */
export function above(...layers: Layer[]): Layer[] {
  return [conv('below', 4, [3, 3]), ...layers];
}

export function tiny(layers: readonly Layer[], input: readonly number[] = [2, 7, 6]): Network {
  const dense: Layer = { kind: 'dense', name: 'predictions', units: CLASSES };
  const pooled: Layer[] = input.length === 3 ? [{ kind: 'global-average-pool' }] : [];
  return { name: 'tiny', input, layers: [...layers, ...pooled, dense], classes: CLASSES };
}

/** The branches of an Inception block with split branches, small. */
export function inceptionBlock(name: string): Layer {
  const unit = (own: string, filters: number, kernel: readonly [number, number]): Layer[] => [
    conv(`${name}/${own}`, filters, kernel, { bias: false }),
    norm(`${name}/${own}/norm`),
    relu,
  ];
  const split = (own: string): Layer => ({
    kind: 'concat',
    branches: [unit(`${own}/wide`, 2, [1, 3]), unit(`${own}/tall`, 2, [3, 1])],
  });
  return {
    kind: 'concat',
    branches: [
      unit('a', 3, [1, 1]),
      [...unit('b', 2, [1, 1]), split('b')],
      [...unit('c', 3, [1, 1]), ...unit('c2', 2, [3, 3]), split('c2')],
      [{ kind: 'average-pool', size: 3, stride: 1, padding: 'same' }, ...unit('d', 2, [1, 1])],
    ],
  };
}

/** One of each: what a single layer is tested with. */
export const layerCases: Record<string, Network> = {
  'conv 3×3 same': tiny(above(conv('c', 5, [3, 3]))),
  'conv 3×3 valid without bias': tiny(above(conv('c', 5, [3, 3], { padding: 'valid', bias: false }))),
  'conv 3×3 stride 2 valid, odd and even sizes': tiny(above(conv('c', 3, [3, 3], { padding: 'valid', stride: 2 }))),
  'conv 5×5 same': tiny(above(conv('c', 3, [5, 5]))),
  'conv 1×3 then 3×1': tiny(above(conv('c', 3, [1, 3]), conv('d', 3, [3, 1]))),
  'conv 1×1': tiny(above(conv('c', 6, [1, 1]))),
  'conv 1×1 stride 2': tiny(above(conv('c', 6, [1, 1], { stride: 2, padding: 'valid' }))),
  'conv with many channels': tiny([conv('below', 70, [1, 1]), conv('c', 3, [3, 3], { stride: 2, padding: 'valid' })]),
  'conv with norm': tiny(above(conv('c', 4, [3, 3], { bias: false }), norm('n'), relu)),
  'conv with bias and norm': tiny(above(conv('c', 4, [3, 3]), norm('n'))),
  'norm alone': tiny(above(relu, norm('n'))),
  relu: tiny(above(relu, conv('c', 4, [1, 1]), relu)),
  'max-pool 2/2': tiny(above({ kind: 'max-pool', size: 2, stride: 2, padding: 'valid' })),
  'max-pool 3/2 valid': tiny(above({ kind: 'max-pool', size: 3, stride: 2, padding: 'valid' })),
  'max-pool 3/1 same': tiny(above({ kind: 'max-pool', size: 3, stride: 1, padding: 'same' })),
  'average-pool 3/1 same': tiny(above({ kind: 'average-pool', size: 3, stride: 1, padding: 'same' })),
  'average-pool 2/1 same': tiny(above({ kind: 'average-pool', size: 2, stride: 1, padding: 'same' })),
  'average-pool 3/1 valid': tiny(above({ kind: 'average-pool', size: 3, stride: 1, padding: 'valid' })),
  'average-pool 2/2 valid': tiny(above({ kind: 'average-pool', size: 2, stride: 2, padding: 'valid' })),
  'average-pool 3/2 same': tiny(above({ kind: 'average-pool', size: 3, stride: 2, padding: 'same' })),
  'dense layers alone': tiny([{ kind: 'dense', name: 'hidden', units: 6 }, relu], [5]),
  'one branch': tiny(above({ kind: 'concat', branches: [[conv('c', 2, [3, 3])]] })),
  'branches, one of them empty': tiny(above({ kind: 'concat', branches: [[], [conv('c', 2, [3, 3]), relu]] })),
  'nested branches': tiny([inceptionBlock('first'), inceptionBlock('second')], [2, 4, 5]),
};

/** Parameters away from every special value: biases, betas, means and variances are drawn as well. */
export function drawnParameters(network: Network, seed: string): Map<string, TensorValue> {
  const parameters = initialParameters(network, { seed });
  return new Map(
    [...parameters].map(([name, { dims, data }]) => {
      const normal = seededNormal(`${seed}/${name}`);
      if (name.endsWith('/variance')) return [name, { dims, data: data.map(() => 0.5 + normal() ** 2) }];
      return [name, { dims, data: name.endsWith('/kernel') ? data : data.map(() => 0.3 * normal()) }];
    }),
  );
}

export function drawnBatch(network: Network, images: number, seed: string): Batch {
  const normal = seededNormal(`${seed}/inputs`);
  const random = seededRandom(`${seed}/labels`);
  const size = network.input.reduce((product, dim) => product * dim, 1);
  return {
    inputs: Float32Array.from({ length: images * size }, normal),
    labels: Int32Array.from({ length: images }, () => Math.floor(random() * network.classes)),
  };
}

export function doubles(parameters: Parameters): Map<string, Float64Array> {
  return new Map([...parameters].map(([name, { data }]) => [name, Float64Array.from(data)]));
}
