import type { ConvLayer } from '../network.ts';
import { windowOf } from '../shapes.ts';
import type { Shape, Window } from '../shapes.ts';

/** A convolution on its input. */
export interface ConvPlace {
  layer: ConvLayer;
  channels: number;
  /** Height and width of the input. */
  size: readonly [number, number];
  windows: readonly [Window, Window];
}

export function placeOf(layer: ConvLayer, shape: Shape): ConvPlace {
  const [channels, height, width] = shape as [number, number, number];
  const window = (size: number, axis: 0 | 1) => windowOf(size, layer.kernel[axis], layer.stride, layer.padding);
  return { layer, channels, size: [height, width], windows: [window(height, 0), window(width, 1)] };
}

/** Attributes of Conv and ConvTranspose. */
export function convAttributes({ layer, windows: [y, x] }: ConvPlace): Record<string, number[]> {
  return {
    kernel_shape: [...layer.kernel],
    strides: [layer.stride, layer.stride],
    pads: [y.before, x.before, y.after, x.after],
  };
}
