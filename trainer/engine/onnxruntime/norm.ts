import { outputShape } from '../shapes.ts';
import type { ConvLayer, FrozenNormLayer, TensorValue } from '../network.ts';
import type { Tape, Traced, Value } from './tape.ts';

/** 1 / √(variance + epsilon), one a channel. */
export function normScale(tape: Tape, { name, epsilon }: FrozenNormLayer): Float32Array {
  const variance = tape.constant(`${name}/variance`) as TensorValue;
  return variance.data.map((value) => 1 / Math.sqrt(value + epsilon));
}

/** A norm that follows no convolution: (x − mean) · scale + beta, channel by channel. */
export function traceNorm(tape: Tape, layer: FrozenNormLayer, input: Value, wanted: boolean): Traced {
  const { graph } = tape;
  const channels = input.shape[0] as number;
  const plane = [1, channels, 1, 1];
  const scaleData = normScale(tape, layer);
  const scale = graph.floats(plane, scaleData);
  const shift = graph.floats(plane, shiftOf(tape, layer, scaleData));
  const beta = graph.reshape(tape.parameter(`${layer.name}/beta`), plane);
  const scaled = graph.op('Mul', [input.name, scale]);
  const name = graph.op('Add', [scaled, graph.op('Add', [beta, shift])]);
  const traced: Traced = { output: { name, shape: outputShape(layer, input.shape) } };
  const trains = tape.trains(`${layer.name}/beta`);
  if (!wanted && !trains) return traced;
  traced.backward = (gradient) => {
    if (trains) tape.gradients.set(`${layer.name}/beta`, { value: graph.sum(gradient, [0, 2, 3]) });
    return wanted ? graph.op('Mul', [gradient, scale]) : undefined;
  };
  return traced;
}

/** Kernel of a convolution times the scale of the norm behind it; numbers where the kernel does not change. */
export function foldedKernel(tape: Tape, layer: ConvLayer, scale: Float32Array | undefined): string {
  const name = `${layer.name}/kernel`;
  if (!scale) return tape.parameter(name);
  const constant = tape.constant(name);
  if (!constant) {
    return tape.graph.op('Mul', [tape.parameter(name), tape.graph.floats([layer.filters, 1, 1, 1], scale)]);
  }
  const perFilter = constant.data.length / layer.filters;
  return tape.graph.floats(
    constant.dims,
    constant.data.map((value, i) => value * (scale[Math.floor(i / perFilter)] as number)),
  );
}

/** bias · scale − mean · scale + beta; what does not change is added up here, the rest in the graph. */
export function foldedBias(
  tape: Tape,
  layer: ConvLayer,
  norm: FrozenNormLayer | undefined,
  scale: Float32Array | undefined,
): string | undefined {
  const { graph } = tape;
  const bias = layer.bias ? `${layer.name}/bias` : undefined;
  if (!norm || !scale) return bias && tape.parameter(bias);
  const beta = `${norm.name}/beta`;
  const fixed = shiftOf(tape, norm, scale);
  const variable: string[] = [];
  const addTo = (data: Float32Array | undefined, factor?: Float32Array) =>
    data?.forEach((value, i) => (fixed[i] = (fixed[i] as number) + value * (factor?.[i] ?? 1)));
  if (tape.constant(beta)) addTo(tape.constant(beta)?.data);
  else variable.push(tape.parameter(beta));
  if (bias && tape.constant(bias)) addTo(tape.constant(bias)?.data, scale);
  else if (bias) variable.push(graph.op('Mul', [tape.parameter(bias), graph.floats([layer.filters], scale)]));
  return variable.reduce((sum, value) => graph.op('Add', [sum, value]), graph.floats([layer.filters], fixed));
}

function shiftOf(tape: Tape, { name }: FrozenNormLayer, scale: Float32Array): Float32Array {
  const mean = tape.constant(`${name}/mean`) as TensorValue;
  return mean.data.map((value, i) => -value * (scale[i] as number));
}
