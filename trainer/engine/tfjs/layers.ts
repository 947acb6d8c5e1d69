import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import { unhandled } from '../../../common/runtime/errors.ts';
import type { ConvLayer, FrozenNormLayer, Layer, Network, PoolLayer } from '../network.ts';
import type { Tf } from './load.ts';

/** Looks a parameter or constant up by name, in TensorFlow's layout. */
export type Lookup = (name: string) => Tensor;

/**
 * Images as the engines' border has them, [N, C, H, W], as TensorFlow's CPU kernels want them, [N, H, W, C]; [N, C] as it is.
 */
export function inputTensor(tf: Tf, network: Network, inputs: Float32Array, images: number): Tensor {
  const values = tf.tensor(inputs, [images, ...network.input]);
  return values.rank === 4 ? tf.transpose(values, [0, 2, 3, 1]) : values;
}

/** Runs `x` through the layers; call it inside `tf.tidy`. */
export function applyLayers(tf: Tf, layers: readonly Layer[], x: Tensor, lookup: Lookup): Tensor {
  return layers.reduce((value, layer) => applyLayer(tf, layer, value, lookup), x);
}

function applyLayer(tf: Tf, layer: Layer, x: Tensor, lookup: Lookup): Tensor {
  switch (layer.kind) {
    case 'conv':
      return convolve(tf, layer, x as Tensor4D, lookup);
    case 'frozen-norm':
      return normalise(tf, layer, x, lookup);
    case 'relu':
      return tf.relu(x);
    case 'max-pool':
    case 'average-pool':
      return pool(tf, layer, x as Tensor4D);
    case 'global-average-pool':
      return tf.mean(x, [1, 2]);
    case 'dense':
      return tf.add(tf.matMul(x as Tensor2D, lookup(`${layer.name}/kernel`) as Tensor2D), lookup(`${layer.name}/bias`));
    case 'concat':
      return tf.concat(
        layer.branches.map((branch) => applyLayers(tf, branch, x, lookup)),
        -1,
      );
    default:
      return unhandled(layer);
  }
}

function convolve(tf: Tf, { name, stride, padding, bias }: ConvLayer, x: Tensor4D, lookup: Lookup): Tensor {
  const y = tf.conv2d(x, lookup(`${name}/kernel`) as Tensor4D, stride, padding);
  return bias ? tf.add(y, lookup(`${name}/bias`)) : y;
}

function normalise(tf: Tf, { name, epsilon }: FrozenNormLayer, x: Tensor, lookup: Lookup): Tensor {
  const scale = tf.rsqrt(tf.add(lookup(`${name}/variance`), epsilon));
  return tf.add(tf.mul(tf.sub(x, lookup(`${name}/mean`)), scale), lookup(`${name}/beta`));
}

/** TensorFlow's own average excludes the padding. */
function pool(tf: Tf, { kind, size, stride, padding }: PoolLayer, x: Tensor4D): Tensor {
  return kind === 'max-pool' ? tf.maxPool(x, size, stride, padding) : tf.avgPool(x, size, stride, padding);
}
