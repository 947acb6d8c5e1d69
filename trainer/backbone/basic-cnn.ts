import type { Layer, Network } from '../engine/network.ts';

export interface BasicCnnOptions {
  classes: number;
  /** Width and height of the pictures in px. Default 64: small enough to train on two cores in minutes. */
  size?: number;
  /** Filters of each convolution; every one halves the picture. */
  widths?: readonly number[];
}

/** The "Basic CNN" of Table 1, small: 3×3 convolutions, each with ReLU and 2×2 max pooling, then GAP and Dense |C|. */
export function basicCnn({ classes, size = 64, widths = [16, 32, 64, 96] }: BasicCnnOptions): Network {
  const stages = widths.flatMap((filters, i): Layer[] => [
    { kind: 'conv', name: `conv${i + 1}`, filters, kernel: [3, 3], stride: 1, padding: 'same', bias: true },
    { kind: 'relu' },
    { kind: 'max-pool', size: 2, stride: 2, padding: 'valid' },
  ]);
  return {
    name: `basic-cnn-${size}`,
    input: [3, size, size],
    layers: [...stages, { kind: 'global-average-pool' }, { kind: 'dense', name: 'predictions', units: classes }],
    classes,
  };
}
