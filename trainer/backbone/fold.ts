import { AppError } from '../../common/runtime/errors.ts';
import type { FrozenNormLayer, Layer, Parameters, TensorValue } from '../engine/network.ts';

export interface FoldedLayers {
  layers: Layer[];
  parameters: Parameters;
}

/**
 * The same function with fewer operations: a normalisation right behind a convolution goes into its kernel and bias,
 * s = 1 / √(variance + ε), kernel ← kernel · s, bias ← (bias − mean) · s + beta. Everything else is left as it is.
 */
export function foldNorms(layers: readonly Layer[], parameters: Parameters): FoldedLayers {
  const folded = new Map(parameters);
  return { layers: foldInto(layers, folded), parameters: folded };
}

function foldInto(layers: readonly Layer[], parameters: Map<string, TensorValue>): Layer[] {
  const out: Layer[] = [];
  for (let at = 0; at < layers.length; at++) {
    const layer = layers[at] as Layer;
    const next = layers[at + 1];
    if (layer.kind === 'concat') {
      out.push({ kind: 'concat', branches: layer.branches.map((branch) => foldInto(branch, parameters)) });
    } else if (layer.kind === 'conv' && next?.kind === 'frozen-norm') {
      foldOne(layer.name, next, parameters);
      out.push({ ...layer, bias: true });
      at += 1;
    } else {
      out.push(layer);
    }
  }
  return out;
}

function foldOne(conv: string, norm: FrozenNormLayer, parameters: Map<string, TensorValue>): void {
  const kernel = valueOf(parameters, `${conv}/kernel`);
  const [beta, mean, variance] = ['beta', 'mean', 'variance'].map(
    (part) => valueOf(parameters, `${norm.name}/${part}`).data,
  ) as [Float32Array, Float32Array, Float32Array];
  const bias = parameters.get(`${conv}/bias`)?.data;
  const filters = kernel.dims[0] as number;
  const size = kernel.data.length / filters;
  const data = new Float32Array(kernel.data.length);
  const folded = new Float32Array(filters);
  for (let filter = 0; filter < filters; filter++) {
    const scale = 1 / Math.sqrt((variance[filter] as number) + norm.epsilon);
    folded[filter] = ((bias?.[filter] ?? 0) - (mean[filter] as number)) * scale + (beta[filter] as number);
    for (let i = filter * size; i < (filter + 1) * size; i++) data[i] = (kernel.data[i] as number) * scale;
  }
  parameters.set(`${conv}/kernel`, { dims: kernel.dims, data });
  parameters.set(`${conv}/bias`, { dims: [filters], data: folded });
  for (const part of ['beta', 'mean', 'variance']) parameters.delete(`${norm.name}/${part}`);
}

export function valueOf(parameters: Parameters, name: string): TensorValue {
  const value = parameters.get(name);
  if (value) return value;
  throw new AppError('PARAMETER_MISSING', `The network needs ${name}, which is not among its parameters.`);
}
