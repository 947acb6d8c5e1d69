import type { ModelManifest } from '../domain/model.ts';
import { ELEMENT, buildOnnx } from './onnx-format.ts';

/**
 * resize.onnx: RGB bytes `pixels` [height, width, 3] → `input` [1, 3, h, w] or [1, h, w, 3], float32. Linear, half-pixel,
 * antialiased, aspect not kept; then value · scale + offset. Trainer and agent run this same graph.
 */
export function buildResize({ width, height, layout, scale, offset }: ModelManifest['input']): Buffer {
  const scalar = (value: number) => ({ type: ELEMENT.float, dims: [], data: Float32Array.of(value) });
  const planar = ['nchw', 'scaled'] as const;
  const last = layout === 'nchw' ? 'input' : 'planar';
  return buildOnnx({
    name: 'resize',
    inputs: [{ name: 'pixels', type: ELEMENT.uint8, shape: ['rows', 'columns', 3] }],
    outputs: [
      {
        name: 'input',
        type: ELEMENT.float,
        shape: layout === 'nchw' ? [1, 3, height, width] : [1, height, width, 3],
      },
    ],
    constants: {
      scale: scalar(scale),
      offset: scalar(offset),
      axis: { type: ELEMENT.int64, dims: [1], data: BigInt64Array.of(0n) },
      sizes: { type: ELEMENT.int64, dims: [4], data: BigInt64Array.of(1n, 3n, BigInt(height), BigInt(width)) },
    },
    nodes: [
      { op: 'Cast', inputs: ['pixels'], outputs: ['floats'], attributes: { to: ELEMENT.float } },
      { op: 'Transpose', inputs: ['floats'], outputs: ['chw'], attributes: { perm: [2, 0, 1] } },
      { op: 'Unsqueeze', inputs: ['chw', 'axis'], outputs: [planar[0]] },
      {
        op: 'Resize',
        inputs: [planar[0], '', '', 'sizes'],
        outputs: ['resized'],
        attributes: { mode: 'linear', coordinate_transformation_mode: 'half_pixel', antialias: 1 },
      },
      { op: 'Mul', inputs: ['resized', 'scale'], outputs: [planar[1]] },
      { op: 'Add', inputs: [planar[1], 'offset'], outputs: [last] },
      ...(layout === 'nchw'
        ? []
        : [{ op: 'Transpose', inputs: ['planar'], outputs: ['input'], attributes: { perm: [0, 2, 3, 1] } }]),
    ],
  });
}

/**
 * A head for a network that ends in its own classifier: `features` [N, …] of `classes` values → `scores` [N, classes], by
 * softmax where the network gives logits, unchanged where it gives probabilities.
 */
export function buildPlainHead(classes: number, logits: boolean): Buffer {
  return buildOnnx({
    name: 'head',
    inputs: [{ name: 'features', type: ELEMENT.float, shape: ['N', classes] }],
    outputs: [{ name: 'scores', type: ELEMENT.float, shape: ['N', classes] }],
    constants: {},
    nodes: [
      logits
        ? { op: 'Softmax', inputs: ['features'], outputs: ['scores'], attributes: { axis: -1 } }
        : { op: 'Identity', inputs: ['features'], outputs: ['scores'] },
    ],
  });
}
