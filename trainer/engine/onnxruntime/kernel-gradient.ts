import type { ConvPlace } from './conv-place.ts';
import type { GraphBuilder } from './graph-builder.ts';

/** From this many input channels on, one product a tap is wide enough for the matrix kernels of ONNX Runtime. */
const WIDE_CHANNELS = 64;

/**
 * Gradient by the kernel [filters, channels, height, width] as matrix products: for every tap (a place in the kernel) the
 * outputs' gradients times the inputs under that tap, over all images and places.
 *
 * @param input [N, channels, rows, columns]
 * @param gradient by the convolution's output, [N, filters, out rows, out columns]
 */
export function kernelGradient(graph: GraphBuilder, place: ConvPlace, input: string, gradient: string): string {
  const { layer, channels } = place;
  const [height, width] = layer.kernel;
  const outputs = graph.reshape(graph.transpose(gradient, [1, 0, 2, 3]), [layer.filters, -1]);
  const flat =
    channels >= WIDE_CHANNELS ? byTaps(graph, place, input, outputs) : byColumns(graph, place, input, outputs);
  return graph.reshape(flat, [layer.filters, channels, height, width]);
}

/** One product a tap on channels-last inputs, whose slices are long runs of memory. */
function byTaps(graph: GraphBuilder, place: ConvPlace, input: string, outputs: string): string {
  const { layer, channels } = place;
  const padded = pad(graph, place, graph.transpose(input, [0, 2, 3, 1]), 1);
  const products = taps(graph, place, padded, 1).map((tap) =>
    graph.op('MatMul', [outputs, graph.reshape(tap, [-1, channels])]),
  );
  if (products.length === 1) return products[0] as string;
  const stacked = graph.op('Concat', products, { axis: 0 });
  const planes = graph.reshape(stacked, [products.length, layer.filters * channels]);
  return graph.transpose(planes, [1, 0]);
}

/** Few channels: all taps below one another, in one product. */
function byColumns(graph: GraphBuilder, place: ConvPlace, input: string, outputs: string): string {
  const { layer, channels } = place;
  const padded = pad(graph, place, graph.transpose(input, [1, 0, 2, 3]), 2);
  const rows = taps(graph, place, padded, 2).map((tap) => graph.reshape(tap, [channels, -1]));
  const columns = rows.length === 1 ? (rows[0] as string) : graph.op('Concat', rows, { axis: 0 });
  const product = graph.op('Gemm', [outputs, columns], { transB: 1 });
  return graph.transpose(graph.reshape(product, [layer.filters, rows.length, channels]), [0, 2, 1]);
}

/** @param axis of the rows; columns are the next one */
function pad(graph: GraphBuilder, { windows: [y, x] }: ConvPlace, value: string, axis: number): string {
  if (y.before + y.after + x.before + x.after === 0) return value;
  const pads = Array.from({ length: 8 }, () => 0);
  [pads[axis], pads[axis + 1], pads[axis + 4], pads[axis + 5]] = [y.before, x.before, y.after, x.after];
  return graph.op('Pad', [value, graph.ints(pads)]);
}

/** The inputs under each tap, row by row of the kernel. */
function taps(graph: GraphBuilder, place: ConvPlace, padded: string, axis: number): string[] {
  const { layer, size, windows } = place;
  const [height, width] = layer.kernel;
  const { stride } = layer;
  const whole = height * width === 1 && stride === 1 && windows.every(({ out }, i) => out === size[i]);
  if (whole) return [padded];
  const axes = graph.ints([axis, axis + 1]);
  const steps = graph.ints([stride, stride]);
  const span = windows.map(({ out }) => (out - 1) * stride + 1) as [number, number];
  return Array.from({ length: height * width }, (_, tap) => {
    const start = [Math.floor(tap / width), tap % width] as const;
    const end = [start[0] + span[0], start[1] + span[1]];
    return graph.op('Slice', [padded, graph.ints(start), graph.ints(end), axes, steps]);
  });
}
