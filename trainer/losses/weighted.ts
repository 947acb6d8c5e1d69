import type { Loss } from './loss.ts';
import { effectivePrior } from './prior.ts';

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** Scaled so that the mean over the samples of the iteration is 1: the learning rate keeps its meaning. */
function meanOneOverSamples(weights: readonly number[], sizes: readonly number[]): Float32Array {
  const mean = sumOf(weights.map((weight, j) => weight * (sizes[j] as number))) / sumOf(sizes);
  return Float32Array.from(weights, (weight) => weight / mean);
}

/** Scaled so that the mean over classes is 1, as the losses are published that use it. */
function meanOneOverClasses(weights: readonly number[]): Float32Array {
  const mean = sumOf(weights) / weights.length;
  return Float32Array.from(weights, (weight) => weight / mean);
}

/** Inverse frequency. */
export const weighted: Loss = {
  priorCorrected: true,
  terms: ({ sizes }) => ({
    classWeights: meanOneOverSamples(
      effectivePrior(sizes).map((share) => 1 / share),
      sizes,
    ),
  }),
};

/** Inverse effective number of samples, (1 − β) / (1 − β^n) (Cui et al., CVPR 2019). */
export const classBalanced: Loss = {
  priorCorrected: true,
  terms: ({ sizes, beta }) => ({
    classWeights: meanOneOverClasses(sizes.map((size) => (1 - beta) / (1 - beta ** Math.max(1, size)))),
  }),
};

/**
 * Class-wise difficulty (Sinha et al., ACCV 2020): (1 − accuracy)^τ on the reference part, the loss-side twin of Eq. 2. With
 * accuracy = (TP + 1) / (n + 2) no class that is perfect on two images gets the weight 0.
 */
export const difficulty: Loss = {
  priorCorrected: false,
  terms({ reference, tau }) {
    if (reference === null) return {};
    const accuracy = reference.truePositives.map((hits, j) => (hits + 1) / ((reference.images[j] as number) + 2));
    return { classWeights: meanOneOverClasses(accuracy.map((value) => (1 - value) ** tau)) };
  },
};
