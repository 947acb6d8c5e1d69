import { AppError } from '../../common/runtime/errors.ts';
import type { Batch } from './engine.ts';
import type { Network } from './network.ts';

/**
 * @returns the number of images
 * @throws AppError `BATCH_INVALID` where lengths do not fit the network or a label is none of its classes
 */
export function checkBatch({ input, classes }: Network, { inputs, labels, weights, logPriors }: Batch): number {
  const images = labels.length;
  const size = input.reduce((product, dim) => product * dim, 1);
  const require = (what: string, found: number | undefined, expected: number) => {
    if (found === undefined || found === expected) return;
    throw new AppError('BATCH_INVALID', `A batch of ${images} images needs ${expected} ${what}, not ${found}.`);
  };
  if (images === 0) throw new AppError('BATCH_INVALID', 'A batch needs at least one image.');
  require('input numbers', inputs.length, images * size);
  require('weights', weights?.length, images);
  require('log-priors', logPriors?.length, classes);
  const wrong = labels.find((label) => label < 0 || label >= classes);
  if (wrong !== undefined) throw new AppError('BATCH_INVALID', `Label ${wrong} is none of 0 to ${classes - 1}.`);
  return images;
}

/** 1 at the class of each image, n × classes. */
export function targetsOf({ labels }: Batch, classes: number): Float32Array {
  const targets = new Float32Array(labels.length * classes);
  labels.forEach((label, i) => (targets[i * classes + label] = 1));
  return targets;
}

/** Weight of each image divided by n: the loss is then a plain sum. */
export function weightsOf({ labels, weights }: Batch): Float32Array {
  return Float32Array.from(labels, (_, i) => (weights?.[i] ?? 1) / labels.length);
}
