import type { Layer, Parameters, TensorValue } from '../engine/network.ts';

export interface ParameterSpec {
  name: string;
  dims: readonly number[];
}

export interface LayerShapes {
  parameters: ParameterSpec[];
  /** Of one image: [C, H, W] or [C]. */
  output: number[];
}

/** Every parameter and constant that `layers` need on an input of `input` ([C, H, W] of one image), in order, and what comes out. */
export function shapesOf(layers: readonly Layer[], input: readonly number[]): LayerShapes {
  let output = [...input];
  const parameters: ParameterSpec[] = [];
  for (const layer of layers) {
    const [channels = 0] = output;
    switch (layer.kind) {
      case 'conv':
        parameters.push({ name: `${layer.name}/kernel`, dims: [layer.filters, channels, ...layer.kernel] });
        if (layer.bias) parameters.push({ name: `${layer.name}/bias`, dims: [layer.filters] });
        output = [layer.filters, ...spatial(output, layer.kernel, layer)];
        break;
      case 'frozen-norm':
        for (const part of ['beta', 'mean', 'variance'])
          parameters.push({ name: `${layer.name}/${part}`, dims: [channels] });
        break;
      case 'max-pool':
      case 'average-pool':
        output = [channels, ...spatial(output, [layer.size, layer.size], layer)];
        break;
      case 'global-average-pool':
        output = [channels];
        break;
      case 'dense':
        parameters.push({ name: `${layer.name}/kernel`, dims: [channels, layer.units] });
        parameters.push({ name: `${layer.name}/bias`, dims: [layer.units] });
        output = [layer.units];
        break;
      case 'concat': {
        const branches = layer.branches.map((branch) => shapesOf(branch, output));
        parameters.push(...branches.flatMap((branch) => branch.parameters));
        output = [
          branches.reduce((sum, branch) => sum + (branch.output[0] ?? 0), 0),
          ...(branches[0]?.output.slice(1) ?? []),
        ];
        break;
      }
      case 'relu':
        break;
    }
  }
  return { parameters, output };
}

function spatial(
  [, height = 0, width = 0]: readonly number[],
  [kernelHeight, kernelWidth]: readonly [number, number],
  { stride, padding }: { stride: number; padding: 'same' | 'valid' },
): number[] {
  const along = (size: number, kernel: number): number =>
    padding === 'same' ? Math.ceil(size / stride) : Math.floor((size - kernel) / stride) + 1;
  return [along(height, kernelHeight), along(width, kernelWidth)];
}

/** Those of `parameters` that `specs` name, in that order. */
export function pick(parameters: Parameters, specs: readonly ParameterSpec[]): Map<string, TensorValue> {
  return new Map(specs.map(({ name }) => [name, parameters.get(name) as TensorValue]));
}
