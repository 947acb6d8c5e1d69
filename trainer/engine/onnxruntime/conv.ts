import type { ConvLayer, FrozenNormLayer } from '../network.ts';
import { outputShape } from '../shapes.ts';
import { convAttributes, placeOf } from './conv-place.ts';
import type { ConvPlace } from './conv-place.ts';
import { kernelGradient } from './kernel-gradient.ts';
import { foldedBias, foldedKernel, normScale } from './norm.ts';
import type { Tape, Traced, Value } from './tape.ts';

/**
 * Convolution, and the frozen norm that follows it where there is one: the norm is folded into kernel and bias, which are
 * small, so that no further pass over the activations is needed.
 */
export function traceConv(
  tape: Tape,
  layer: ConvLayer,
  norm: FrozenNormLayer | undefined,
  input: Value,
  wanted: boolean,
): Traced {
  const { graph } = tape;
  const place = placeOf(layer, input.shape);
  const scale = norm && normScale(tape, norm);
  const kernel = foldedKernel(tape, layer, scale);
  const bias = foldedBias(tape, layer, norm, scale);
  const output = graph.op('Conv', [input.name, kernel, ...(bias ? [bias] : [])], convAttributes(place));
  const traced: Traced = { output: { name: output, shape: outputShape(layer, input.shape) } };
  const trained = parametersOf(layer, norm).filter((name) => tape.trains(name));
  if (!wanted && trained.length === 0) return traced;

  traced.backward = (gradient) => {
    const trainsShift = trained.some((name) => !name.endsWith('/kernel'));
    const shift = trainsShift ? graph.sum(gradient, [0, 2, 3]) : '';
    for (const name of trained) {
      const value = name.endsWith('/kernel') ? kernelGradient(graph, place, input.name, gradient) : shift;
      tape.gradients.set(name, scale && !name.endsWith('/beta') ? { value, filterScale: scale } : { value });
    }
    return wanted ? inputGradient(tape, place, kernel, gradient) : undefined;
  };
  return traced;
}

function parametersOf(layer: ConvLayer, norm: FrozenNormLayer | undefined): string[] {
  return [
    `${layer.name}/kernel`,
    ...(layer.bias ? [`${layer.name}/bias`] : []),
    ...(norm ? [`${norm.name}/beta`] : []),
  ];
}

function inputGradient(tape: Tape, place: ConvPlace, kernel: string, gradient: string): string {
  return place.layer.stride === 1
    ? byFlippedKernel(tape, place, kernel, gradient)
    : byTransposedConv(tape, place, kernel, gradient);
}

/** Stride 1: the gradient by the input is itself a convolution, with the kernel turned round and its channels swapped;
 * a transposed convolution takes a third longer. */
function byFlippedKernel({ graph }: Tape, { layer, windows }: ConvPlace, kernel: string, gradient: string): string {
  const [height, width] = layer.kernel;
  const swapped = graph.transpose(kernel, [1, 0, 2, 3]);
  const [far, first] = [graph.ints([-(2 ** 31), -(2 ** 31)]), graph.ints([-1, -1])];
  const flipped =
    height * width === 1 ? swapped : graph.op('Slice', [swapped, first, far, graph.ints([2, 3]), graph.ints([-1, -1])]);
  const [y, x] = windows;
  const pads = [height - 1 - y.before, width - 1 - x.before, height - 1 - y.after, width - 1 - x.after];
  return graph.op('Conv', [gradient, flipped], { kernel_shape: [height, width], pads });
}

function byTransposedConv({ graph }: Tape, place: ConvPlace, kernel: string, gradient: string): string {
  const { layer, size, windows } = place;
  // Rows and columns at the end that no window reached; their gradient is 0.
  const missed = windows.map(
    ({ out, before, after }, axis) =>
      (size[axis] as number) + before + after - (out - 1) * layer.stride - (layer.kernel[axis] as number),
  );
  return graph.op('ConvTranspose', [gradient, kernel], { ...convAttributes(place), output_padding: missed });
}
