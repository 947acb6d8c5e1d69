import { allocate, roundToSum, wholeBelow } from '../allocate.ts';
import type { SampleSizes } from '../eq2.ts';
import type { Sampler, SamplingContext } from '../sampler.ts';

/**
 * |C|·N* samples in proportion to `weights`, limited by the cap of Eq. 2 so that samplers differ in their shares only. Classes
 * without training images get none.
 */
export function proportional(context: SamplingContext, weights: readonly number[]): SampleSizes {
  const { trainingCounts, base, eq2 } = context;
  const upper = trainingCounts.map((count) => (count === 0 ? 0 : wholeBelow(eq2.cap * count)));
  const total = Math.round(trainingCounts.length * base);
  const none = trainingCounts.map(() => 0);
  const sizes = roundToSum(allocate(total, weights, none, upper));
  const indices = (test: (j: number) => boolean): number[] => sizes.flatMap((_, j) => (test(j) ? [j] : []));
  return {
    sizes,
    total: sizes.reduce((sum, size) => sum + size, 0),
    starved: indices((j) => (trainingCounts[j] as number) > 0 && sizes[j] === 0),
    held: [],
    floored: [],
    capped: indices((j) => (trainingCounts[j] as number) > 0 && sizes[j] === upper[j]),
    untrained: indices((j) => trainingCounts[j] === 0),
  };
}

/** Shares n_j^q: 1 = as the images are, ½ = square root, 0 = all classes equal. */
export function powerWeights(counts: readonly number[], exponent: number): number[] {
  return counts.map((count) => (count === 0 ? 0 : count ** exponent));
}

const power = (exponent: number): Sampler => ({
  scoreDriven: false,
  plan: (context) => ({
    ...proportional(context, powerWeights(context.trainingCounts, exponent)),
    arrangement: { kind: 'shuffled' },
  }),
});

/** The plain shuffled epoch: with the paper's N* every image once an iteration. */
export const instance = power(1);
export const squareRoot = power(0.5);
export const classBalanced = power(0);

/** From instance sampling in the first iteration to class-balanced sampling in the last, in equal steps. */
export const progressive: Sampler = {
  scoreDriven: false,
  plan(context) {
    const { iteration, iterations, trainingCounts } = context;
    const progress = iterations > 1 ? Math.min(1, (iteration - 1) / (iterations - 1)) : 0;
    const images = trainingCounts.reduce((sum, count) => sum + count, 0);
    const classes = trainingCounts.filter((count) => count > 0).length;
    const weights = trainingCounts.map((count) =>
      count === 0 ? 0 : (1 - progress) * (count / images) + progress / classes,
    );
    return { ...proportional(context, weights), arrangement: { kind: 'shuffled' } };
  },
};

/** "TL balanced aug." of the paper: classes come in turn, so the counts of a batch differ by at most 1 and nothing is capped. */
export const balancedBatches: Sampler = {
  scoreDriven: false,
  plan(context) {
    const { trainingCounts, iteration, base } = context;
    const turn = trainingCounts.flatMap((count, j) => (count > 0 ? [j] : []));
    const total = Math.round(trainingCounts.length * base);
    // Goes on where the iteration before stopped, so no class is always the one that misses out.
    const start = ((iteration - 1) * total) % turn.length;
    const order = Array.from({ length: total }, (_, i) => turn[(start + i) % turn.length] as number);
    const sizes = trainingCounts.map(() => 0);
    for (const j of order) sizes[j] = (sizes[j] as number) + 1;
    const starved = turn.filter((j) => sizes[j] === 0);
    const untrained = trainingCounts.flatMap((count, j) => (count === 0 ? [j] : []));
    const arrangement = { kind: 'sequence', order } as const;
    return { sizes, total, starved, held: [], floored: [], capped: [], untrained, arrangement };
  },
};
