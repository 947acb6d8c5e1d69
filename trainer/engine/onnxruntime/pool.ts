import type { PoolLayer } from '../network.ts';
import { outputShape, windowOf } from '../shapes.ts';
import type { Window } from '../shapes.ts';
import type { GraphBuilder } from './graph-builder.ts';
import type { Tape, Traced, Value } from './tape.ts';

/**
 * Max pooling. The whole gradient of a window goes to its first largest element, row by row, as in TensorFlow and PyTorch:
 * plain areas of a picture make ties common, and sharing the gradient among them would give another network.
 */
export function traceMaxPool({ graph }: Tape, layer: PoolLayer, input: Value, wanted: boolean): Traced {
  const shape = outputShape(layer, input.shape);
  if (!wanted) return { output: { name: graph.op('MaxPool', [input.name], attributesOf(layer, input)), shape } };
  const [name, places] = graph.ops('MaxPool', [input.name], 2, attributesOf(layer, input)) as [string, string];
  return {
    output: { name, shape },
    backward: (gradient) => {
      const size = graph.op('Shape', [input.name]);
      // Windows that do not overlap have each element once, so that plain scattering is right, and it is much quicker.
      if (layer.stride >= layer.size) {
        const square = { kernel_shape: [layer.size, layer.size], strides: [layer.stride, layer.stride] };
        return graph.op('MaxUnpool', [gradient, places, size], square);
      }
      const flat = (value: string) => graph.reshape(value, [-1]);
      const zeros = flat(graph.op('ConstantOfShape', [size]));
      const sums = graph.op('ScatterElements', [zeros, flat(places), flat(gradient)], { axis: 0, reduction: 'add' });
      return graph.op('Reshape', [sums, size]);
    },
  };
}

/** Average pooling that leaves padding out of its counts. */
export function traceAveragePool({ graph }: Tape, layer: PoolLayer, input: Value, wanted: boolean): Traced {
  const attributes = { ...attributesOf(layer, input), count_include_pad: 0 };
  const name = graph.op('AveragePool', [input.name], attributes);
  const traced: Traced = { output: { name, shape: outputShape(layer, input.shape) } };
  if (!wanted) return traced;
  traced.backward = (gradient) => {
    const windows = windowsOf(layer, input);
    const share = graph.op('Mul', [gradient, sharesOf(graph, layer, input, windows)]);
    return layer.stride === 1 ? boxSum(graph, layer, windows, share) : spread(graph, layer, input, windows, share);
  };
  return traced;
}

export function traceGlobalAveragePool({ graph }: Tape, input: Value, wanted: boolean): Traced {
  const [channels, height, width] = input.shape as [number, number, number];
  const name = graph.op('ReduceMean', [input.name, graph.ints([2, 3])], { keepdims: 0 });
  const traced: Traced = { output: { name, shape: [channels] } };
  if (!wanted) return traced;
  traced.backward = (gradient) => {
    const share = graph.op('Mul', [gradient, graph.scalar(1 / (height * width))]);
    const column = graph.reshape(share, [-1, channels, 1, 1]);
    return graph.op('Expand', [column, graph.ints([1, 1, height, width])]);
  };
  return traced;
}

function windowsOf(layer: PoolLayer, { shape }: Value): [Window, Window] {
  return shape.slice(1).map((size) => windowOf(size, layer.size, layer.stride, layer.padding)) as [Window, Window];
}

function attributesOf(layer: PoolLayer, input: Value): Record<string, number[]> {
  const [y, x] = windowsOf(layer, input);
  return {
    kernel_shape: [layer.size, layer.size],
    strides: [layer.stride, layer.stride],
    pads: [y.before, x.before, y.after, x.after],
  };
}

/** 1 / (elements of the window that are not padding), [1, 1, out rows, out columns]. */
function sharesOf(graph: GraphBuilder, layer: PoolLayer, { shape }: Value, windows: [Window, Window]): string {
  const [rows, columns] = windows.map(({ out, before }, axis) =>
    Array.from({ length: out }, (_, i) => {
      const start = i * layer.stride - before;
      return Math.min(start + layer.size, shape[axis + 1] as number) - Math.max(start, 0);
    }),
  ) as [number[], number[]];
  const shares = rows.flatMap((row) => columns.map((column) => 1 / (row * column)));
  return graph.floats([1, 1, rows.length, columns.length], Float32Array.from(shares));
}

/** Stride 1: the sum over each window of shares, as an average that counts its padding, times the window's size. */
function boxSum(graph: GraphBuilder, { size }: PoolLayer, [y, x]: [Window, Window], share: string): string {
  const pads = [size - 1 - y.before, size - 1 - x.before, size - 1 - y.after, size - 1 - x.after];
  const mean = graph.op('AveragePool', [share], { kernel_shape: [size, size], pads, count_include_pad: 1 });
  return graph.op('Mul', [mean, graph.scalar(size * size)]);
}

/** Any stride: each share to every element of its window, by a transposed convolution with ones, plane by plane. */
function spread(graph: GraphBuilder, layer: PoolLayer, input: Value, windows: [Window, Window], share: string): string {
  const [channels, height, width] = input.shape as [number, number, number];
  const [y, x] = windows;
  const ones = graph.floats([1, 1, layer.size, layer.size], new Float32Array(layer.size ** 2).fill(1));
  const missed = windows.map(
    ({ out, before, after }, axis) =>
      (input.shape[axis + 1] as number) + before + after - (out - 1) * layer.stride - layer.size,
  );
  const planes = graph.op('ConvTranspose', [graph.reshape(share, [-1, 1, y.out, x.out]), ones], {
    ...attributesOf(layer, input),
    output_padding: missed,
  });
  return graph.reshape(planes, [-1, channels, height, width]);
}
