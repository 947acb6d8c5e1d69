import type { ConvLayer, Layer, Network, PoolLayer } from '../../trainer/engine/network.ts';
import type { Batch } from '../../trainer/engine/engine.ts';
import { windowOf } from '../../trainer/engine/shapes.ts';

/** One image or feature map in double precision. */
interface Map3 {
  shape: number[];
  data: Float64Array;
}

/** Parameters in double precision, so that tiny differences of the loss can be told apart. */
export type DoubleParameters = Map<string, Float64Array>;

/** Mean weighted cross-entropy of a batch, by plain loops: slow, and simple enough to be believed. */
export function referenceLoss(network: Network, parameters: DoubleParameters, batch: Batch): number {
  const { labels, weights, logPriors } = batch;
  const logits = referenceForward(network, parameters, batch.inputs, labels.length);
  const losses = logits.map((row, i) => {
    const shifted = row.map((logit, j) => logit + (logPriors?.[j] ?? 0));
    const largest = Math.max(...shifted);
    const total = shifted.reduce((sum, value) => sum + Math.exp(value - largest), 0);
    return (weights?.[i] ?? 1) * (largest + Math.log(total) - (shifted[labels[i] as number] as number));
  });
  return losses.reduce((sum, loss) => sum + loss, 0) / labels.length;
}

export function referenceForward(
  network: Network,
  parameters: DoubleParameters,
  inputs: Float32Array,
  images: number,
): number[][] {
  const size = inputs.length / images;
  return Array.from({ length: images }, (_, i) => {
    const data = Float64Array.from(inputs.subarray(i * size, (i + 1) * size));
    return [...through(network.layers, { shape: [...network.input], data }, parameters).data];
  });
}

function through(layers: readonly Layer[], input: Map3, parameters: DoubleParameters): Map3 {
  return layers.reduce((value, layer) => apply(layer, value, parameters), input);
}

function apply(layer: Layer, input: Map3, parameters: DoubleParameters): Map3 {
  const of = (name: string, own: string) => parameters.get(`${name}/${own}`) as Float64Array;
  switch (layer.kind) {
    case 'conv':
      return conv(layer, input, of(layer.name, 'kernel'), layer.bias ? of(layer.name, 'bias') : undefined);
    case 'frozen-norm': {
      const [beta, mean, variance] = ['beta', 'mean', 'variance'].map((own) => of(layer.name, own));
      return perChannel(input, (value, c) => {
        const deviation = Math.sqrt((variance?.[c] as number) + layer.epsilon);
        return (value - (mean?.[c] as number)) / deviation + (beta?.[c] as number);
      });
    }
    case 'relu':
      return perChannel(input, (value) => Math.max(0, value));
    case 'max-pool':
      return pool(layer, input, (values) => Math.max(...values));
    case 'average-pool':
      return pool(layer, input, (values) => values.reduce((sum, value) => sum + value, 0) / values.length);
    case 'global-average-pool': {
      const [channels, height, width] = input.shape as [number, number, number];
      const plane = height * width;
      const mean = (c: number) => input.data.subarray(c * plane, (c + 1) * plane).reduce((a, b) => a + b, 0) / plane;
      return { shape: [channels], data: Float64Array.from({ length: channels }, (_, c) => mean(c)) };
    }
    case 'dense': {
      const [kernel, bias] = [of(layer.name, 'kernel'), of(layer.name, 'bias')];
      const unit = (j: number) =>
        input.data.reduce((sum, x, i) => sum + x * (kernel[i * layer.units + j] as number), bias[j] as number);
      return { shape: [layer.units], data: Float64Array.from({ length: layer.units }, (_, j) => unit(j)) };
    }
    case 'concat': {
      const parts = layer.branches.map((branch) => through(branch, input, parameters));
      const channels = parts.reduce((sum, part) => sum + (part.shape[0] as number), 0);
      const data = Float64Array.from(parts.flatMap((part) => [...part.data]));
      return { shape: [channels, ...(parts[0] as Map3).shape.slice(1)], data };
    }
  }
}

function perChannel(input: Map3, change: (value: number, channel: number) => number): Map3 {
  const plane = input.data.length / (input.shape[0] as number);
  return { shape: input.shape, data: input.data.map((value, i) => change(value, Math.floor(i / plane))) };
}

function conv(layer: ConvLayer, input: Map3, kernel: Float64Array, bias: Float64Array | undefined): Map3 {
  const [channels] = input.shape as [number];
  const [height, width] = layer.kernel;
  return sweep(layer, layer.kernel, input, layer.filters, (o, window) => {
    let sum = bias?.[o] ?? 0;
    for (let c = 0; c < channels; c++) {
      for (const { tap, at } of window) {
        sum += (kernel[(o * channels + c) * height * width + tap] as number) * valueAt(input, c, at);
      }
    }
    return sum;
  });
}

function pool(layer: PoolLayer, input: Map3, join: (values: number[]) => number): Map3 {
  return sweep(layer, [layer.size, layer.size], input, input.shape[0] as number, (c, window) =>
    join(window.map(({ at }) => valueAt(input, c, at))),
  );
}

/** Calls `at` for every place of the output with the elements of its window that are not padding. */
function sweep(
  { stride, padding }: ConvLayer | PoolLayer,
  kernel: readonly [number, number],
  { shape }: Map3,
  channels: number,
  at: (channel: number, window: { tap: number; at: number }[]) => number,
): Map3 {
  const [, height, width] = shape as [number, number, number];
  const y = windowOf(height, kernel[0], stride, padding);
  const x = windowOf(width, kernel[1], stride, padding);
  const data = new Float64Array(channels * y.out * x.out);
  for (let place = 0; place < y.out * x.out; place++) {
    const top = Math.floor(place / x.out) * stride - y.before;
    const left = (place % x.out) * stride - x.before;
    const window = Array.from({ length: kernel[0] * kernel[1] }, (_, tap) => {
      const [row, column] = [top + Math.floor(tap / kernel[1]), left + (tap % kernel[1])];
      const inside = row >= 0 && row < height && column >= 0 && column < width;
      return { tap, at: inside ? row * width + column : -1 };
    }).filter((element) => element.at >= 0);
    for (let c = 0; c < channels; c++) data[c * y.out * x.out + place] = at(c, window);
  }
  return { shape: [channels, y.out, x.out], data };
}

function valueAt({ shape, data }: Map3, channel: number, at: number): number {
  const [, height, width] = shape as [number, number, number];
  return data[channel * height * width + at] as number;
}
