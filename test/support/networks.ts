import sharp from 'sharp';
import { ELEMENT, buildOnnx } from '../../common/inference/onnx-format.ts';

export const COLOURS = ['red', 'green', 'blue'];

/** A real, tiny classifier: the mean of each colour channel, ten times, as logits; input [N, 3, 16, 16] in −1…1. */
export function colourNetwork(gain = 10): Buffer {
  return buildOnnx({
    name: 'colour',
    inputs: [{ name: 'picture', type: ELEMENT.float, shape: ['N', 3, 16, 16] }],
    outputs: [{ name: 'logits', type: ELEMENT.float, shape: ['N', 3] }],
    constants: {
      axes: { type: ELEMENT.int64, dims: [2], data: BigInt64Array.of(2n, 3n) },
      gain: { type: ELEMENT.float, dims: [], data: Float32Array.of(gain) },
    },
    nodes: [
      { op: 'ReduceMean', inputs: ['picture', 'axes'], outputs: ['means'], attributes: { keepdims: 0 } },
      { op: 'Mul', inputs: ['means', 'gain'], outputs: ['logits'] },
    ],
  });
}

/** A JPEG of one colour. */
export function plainJpeg(r: number, g: number, b: number, width = 64, height = 48): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: { r, g, b } } })
    .jpeg()
    .toBuffer();
}
