import { ELEMENT, buildOnnx } from '../../common/inference/onnx-format.ts';
import type { GraphSpec, NodeSpec } from '../../common/inference/onnx-format.ts';
import type { Layer, Parameters } from '../engine/network.ts';
import { foldNorms, valueOf } from './fold.ts';
import { shapesOf } from './parameters.ts';

export interface InferenceGraph {
  name: string;
  /** Of one image: [C, H, W] or [C]. */
  input: readonly number[];
  layers: readonly Layer[];
  parameters: Parameters;
}

/**
 * `input` [N, …] → `features` [N, …]: the network for inference, with its parameters inside and its normalisations folded into
 * the convolutions.
 */
export function buildInference({ name, input, layers, parameters }: InferenceGraph): Buffer {
  const builder = new Builder(foldNorms(layers, parameters));
  const last = builder.chain(builder.folded.layers, 'input');
  builder.nodes.push({ op: 'Identity', inputs: [last], outputs: ['features'] });
  return buildOnnx({
    name,
    inputs: [{ name: 'input', type: ELEMENT.float, shape: ['N', ...input] }],
    outputs: [{ name: 'features', type: ELEMENT.float, shape: ['N', ...shapesOf(layers, input).output] }],
    nodes: builder.nodes,
    constants: builder.constants,
  });
}

class Builder {
  readonly nodes: NodeSpec[] = [];
  readonly constants: GraphSpec['constants'] = {};
  readonly folded: { layers: readonly Layer[]; parameters: Parameters };
  #count = 0;

  constructor(folded: { layers: readonly Layer[]; parameters: Parameters }) {
    this.folded = folded;
  }

  /** Appends `layers` behind the tensor `input`; gives the name of what comes out. */
  chain(layers: readonly Layer[], input: string): string {
    return layers.reduce((tensor, layer) => this.#add(layer, tensor), input);
  }

  #add(layer: Layer, input: string): string {
    switch (layer.kind) {
      case 'conv': {
        const inputs = [input, this.#constant(`${layer.name}/kernel`)];
        if (layer.bias) inputs.push(this.#constant(`${layer.name}/bias`));
        return this.#node('Conv', inputs, window(layer.kernel, layer), layer.name);
      }
      case 'frozen-norm':
        return this.#norm(layer.name, layer.epsilon, input);
      case 'relu':
        return this.#node('Relu', [input]);
      case 'max-pool':
        return this.#node('MaxPool', [input], window([layer.size, layer.size], layer));
      case 'average-pool':
        return this.#node('AveragePool', [input], {
          ...window([layer.size, layer.size], layer),
          count_include_pad: 0,
        });
      case 'global-average-pool':
        return this.#node('Flatten', [this.#node('GlobalAveragePool', [input])]);
      case 'dense':
        return this.#node(
          'Gemm',
          [input, this.#constant(`${layer.name}/kernel`), this.#constant(`${layer.name}/bias`)],
          {},
          layer.name,
        );
      case 'concat':
        return this.#node(
          'Concat',
          layer.branches.map((branch) => this.chain(branch, input)),
          { axis: 1 },
        );
    }
  }

  /** A normalisation that follows no convolution: two operations with constants made from its values. */
  #norm(name: string, epsilon: number, input: string): string {
    const [beta, mean, variance] = ['beta', 'mean', 'variance'].map(
      (part) => valueOf(this.folded.parameters, `${name}/${part}`).data,
    ) as [Float32Array, Float32Array, Float32Array];
    const scale = variance.map((value) => 1 / Math.sqrt(value + epsilon));
    const shift = beta.map((value, i) => value - (mean[i] as number) * (scale[i] as number));
    const dims = [1, scale.length, 1, 1];
    this.constants[`${name}/scale`] = { type: ELEMENT.float, dims, data: scale };
    this.constants[`${name}/shift`] = { type: ELEMENT.float, dims, data: shift };
    return this.#node('Add', [this.#node('Mul', [input, `${name}/scale`]), `${name}/shift`]);
  }

  #constant(name: string): string {
    const { dims, data } = valueOf(this.folded.parameters, name);
    this.constants[name] = { type: ELEMENT.float, dims: [...dims], data };
    return name;
  }

  #node(op: string, inputs: string[], attributes: NonNullable<NodeSpec['attributes']> = {}, name?: string): string {
    this.#count += 1;
    const output = name ?? `${op.toLowerCase()}_${this.#count}`;
    this.nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  }
}

function window(
  [height, width]: readonly [number, number],
  { stride, padding }: { stride: number; padding: 'same' | 'valid' },
): Record<string, number[]> {
  // 'same' is used with odd windows and stride 1 only, so half a window on every side is exact.
  const [rows, columns] = padding === 'same' ? [(height - 1) / 2, (width - 1) / 2] : [0, 0];
  return {
    kernel_shape: [height, width],
    strides: [stride, stride],
    pads: [rows, columns, rows, columns],
  };
}
