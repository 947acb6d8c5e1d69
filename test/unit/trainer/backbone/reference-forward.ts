import type { ConvLayer, Layer, Network, Parameters, PoolLayer } from '../../../../trainer/engine/network.ts';

interface Map3 {
  dims: number[];
  data: Float64Array;
}

/** The network in plain loops and double precision, one image: the independent word on what its layers mean. */
export function referenceForward(network: Network, parameters: Parameters, image: Float32Array): Float64Array {
  const of = (name: string): Float32Array => parameters.get(name)?.data as Float32Array;
  const apply = (layer: Layer, input: Map3): Map3 => {
    const [channels = 0, height = 1, width = 1] = input.dims;
    const area = height * width;
    switch (layer.kind) {
      case 'conv':
        return conv(layer, input, of(`${layer.name}/kernel`));
      case 'frozen-norm': {
        const data = input.data.map((value, i) => {
          const c = Math.floor(i / area);
          const deviation = Math.sqrt((of(`${layer.name}/variance`)[c] ?? 0) + layer.epsilon);
          return (value - (of(`${layer.name}/mean`)[c] ?? 0)) / deviation + (of(`${layer.name}/beta`)[c] ?? 0);
        });
        return { dims: input.dims, data };
      }
      case 'relu':
        return { dims: input.dims, data: input.data.map((value) => Math.max(0, value)) };
      case 'max-pool':
      case 'average-pool':
        return pool(layer, input);
      case 'global-average-pool': {
        const sums = new Float64Array(channels);
        input.data.forEach((value, i) => (sums[Math.floor(i / area)]! += value / area));
        return { dims: [channels], data: sums };
      }
      case 'dense': {
        const kernel = of(`${layer.name}/kernel`);
        const data = Float64Array.from({ length: layer.units }, (_, u) =>
          input.data.reduce(
            (sum, value, i) => sum + value * kernel[i * layer.units + u]!,
            of(`${layer.name}/bias`)[u]!,
          ),
        );
        return { dims: [layer.units], data };
      }
      case 'concat': {
        const parts = layer.branches.map((branch) => branch.reduce((value, next) => apply(next, value), input));
        const [, ...plane] = parts[0]?.dims ?? [];
        const dims = [parts.reduce((sum, part) => sum + (part.dims[0] ?? 0), 0), ...plane];
        return { dims, data: Float64Array.from(parts.flatMap((part) => [...part.data])) };
      }
    }
  };
  const start: Map3 = { dims: [...network.input], data: Float64Array.from(image) };
  return network.layers.reduce((value, layer) => apply(layer, value), start).data;
}

function conv({ filters, kernel: [kh, kw], stride, padding }: ConvLayer, input: Map3, kernel: Float32Array): Map3 {
  const [channels = 0] = input.dims;
  return slide(input, filters, [kh, kw], stride, padding, (f, at) => {
    let sum = 0;
    for (let c = 0; c < channels; c++)
      for (let y = 0; y < kh; y++)
        for (let x = 0; x < kw; x++) sum += kernel[((f * channels + c) * kh + y) * kw + x]! * (at(c, y, x) ?? 0);
    return sum;
  });
}

function pool({ kind, size, stride, padding }: PoolLayer, input: Map3): Map3 {
  return slide(input, input.dims[0] ?? 0, [size, size], stride, padding, (c, at) => {
    const inside: number[] = [];
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++) {
        const value = at(c, y, x);
        if (value !== undefined) inside.push(value);
      }
    return kind === 'max-pool' ? Math.max(...inside) : inside.reduce((sum, value) => sum + value, 0) / inside.length;
  });
}

/** `at(c, y, x)` is the input under a window; nothing in the padding. */
function slide(
  { dims: [, height = 0, width = 0], data }: Map3,
  channels: number,
  [kh, kw]: [number, number],
  stride: number,
  padding: 'same' | 'valid',
  value: (channel: number, at: (c: number, y: number, x: number) => number | undefined) => number,
): Map3 {
  const same = padding === 'same';
  const along = (size: number, kernel: number) =>
    same ? Math.ceil(size / stride) : Math.floor((size - kernel) / stride) + 1;
  const [rows, columns] = [along(height, kh), along(width, kw)];
  const [top, left] = same ? [(kh - 1) / 2, (kw - 1) / 2] : [0, 0];
  const out = new Float64Array(channels * rows * columns);
  for (let c = 0; c < channels; c++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        out[(c * rows + row) * columns + column] = value(c, (from, y, x) => {
          const [py, px] = [row * stride + y - top, column * stride + x - left];
          const isInside = py >= 0 && px >= 0 && py < height && px < width;
          return isInside ? data[(from * height + py) * width + px] : undefined;
        });
  return { dims: [channels, rows, columns], data: out };
}
