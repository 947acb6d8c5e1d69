import { AppError } from '../../common/runtime/errors.ts';
import { allocate, roundToSum, wholeBelow } from './allocate.ts';

/** How Eq. 2 is read; presets set these. */
export interface Eq2Settings {
  /**
   * `constant-total`: the classes share |C|·N* samples, as the paper's text and its authors' code have it; `literal`: they share
   * N*, as the formula is printed.
   */
  form: 'constant-total' | 'literal';
  /** `largest-remainder` keeps the total exact; `trunc` drops fractions. */
  rounding: 'largest-remainder' | 'trunc';
  /** A class without reference images has no F1: `hold` keeps it at an equal share, `zero` takes its F1 for 0. */
  absent: 'hold' | 'zero';
  /** Least share of a class, as a part of the equal share (N* where the total is constant); 0 is no floor. */
  floor: number;
  /** Most samples of a class in an iteration, for each of its training images; `Infinity` is no cap. */
  cap: number;
  /** Weight of a class is (1 − F1)^exponent; 1 is the paper's. */
  exponent: number;
}

/** Eq. 2 as the paper has it, with the total of its text. */
export const paperEq2: Eq2Settings = {
  form: 'constant-total',
  rounding: 'largest-remainder',
  absent: 'hold',
  floor: 0,
  cap: Infinity,
  exponent: 1,
};

/** With few reference images a class reaches F1 = 1 by chance and would get nothing; and five images cannot fill any quota. */
export const guardedEq2: Eq2Settings = { ...paperEq2, floor: 0.25, cap: 30 };

export interface Eq2Input extends Eq2Settings {
  /** F1 of each class on the reference part; `null` where undefined. */
  f1: readonly (number | null)[];
  /** Training images of each class. */
  trainingCounts: readonly number[];
  /** Reference images of each class. */
  referenceCounts: readonly number[];
  /** N*: samples of a class in the first iteration; `baseOf` gives the paper's. */
  base: number;
}

/** Samples of each class in an iteration. The lists hold class indices, for warnings. */
export interface SampleSizes {
  /** N_ij */
  sizes: number[];
  total: number;
  /** Have training images and get no sample. */
  starved: number[];
  /** Kept at the equal share because they have no reference image. */
  held: number[];
  /** Raised to the floor. */
  floored: number[];
  /** Limited by the cap. */
  capped: number[];
  /** Have no training image, so they cannot be sampled. */
  untrained: number[];
}

/** N* of the paper: training images per class, over all declared classes. */
export function baseOf(trainingCounts: readonly number[]): number {
  return trainingCounts.reduce((sum, count) => sum + count, 0) / trainingCounts.length;
}

/**
 * Eq. 2: sample sizes in proportion to 1 − F1. All F1 = 1 gives equal shares. Classes without training images get nothing and
 * their share goes to the others; floor and cap act on the unrounded shares, what they free or take is shared again by Eq. 2.
 * Only where the caps of all classes together are below the total is the total missed.
 *
 * @throws AppError `EQ2_INPUT` where lists differ in length, a number is out of range or no class has training images
 */
export function sampleSizes(input: Eq2Input): SampleSizes {
  check(input);
  const classes = input.f1.length;
  const total = Math.round(input.form === 'literal' ? input.base : classes * input.base);
  const share = total / classes;
  const trained = input.trainingCounts.map((count) => count > 0);
  const hasF1 = input.f1.map((f1, j) => f1 !== null && input.referenceCounts[j] !== 0);
  const held = trained.map((is, j) => is && !hasF1[j] && input.absent === 'hold');
  const weights = weightsOf(
    input.f1.map((f1, j) => (hasF1[j] ? (f1 as number) : 0)),
    input.exponent,
  );
  const upper = input.trainingCounts.map((count) => (count === 0 ? 0 : wholeBelow(input.cap * count)));
  // Whole, so that rounding cannot undo it; never above the equal share, so that all floors fit together.
  const least = Math.min(Math.ceil(input.floor * share - 1e-9), share);
  const lower = upper.map((limit) => Math.min(limit, least));
  const exact = shareOut(total, share, { weights, held, trained, lower, upper });
  const sizes = input.rounding === 'trunc' ? exact.map(wholeBelow) : roundToSum(exact);
  const indices = (test: (j: number) => boolean): number[] => sizes.flatMap((_, j) => (test(j) ? [j] : []));
  const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-6;
  return {
    sizes,
    total: sizes.reduce((sum, size) => sum + size, 0),
    starved: indices((j) => trained[j] === true && sizes[j] === 0),
    held: indices((j) => held[j] === true),
    floored: indices((j) => trained[j] === true && !held[j] && least > 0 && near(exact[j] as number, least)),
    capped: indices((j) => trained[j] === true && near(exact[j] as number, upper[j] as number)),
    untrained: indices((j) => !trained[j]),
  };
}

/** (1 − F1)^exponent relative to the largest. What is nothing beside that is 0, before quotients overflow. */
function weightsOf(f1: readonly number[], exponent: number): number[] {
  const gaps = f1.map((value) => (1 - value < 1e-12 ? 0 : 1 - value));
  const largest = Math.max(...gaps) || 1;
  const weights = gaps.map((gap) => (gap / largest) ** exponent);
  return weights.map((weight) => (weight < 1e-12 ? 0 : weight));
}

interface Shares {
  weights: readonly number[];
  held: readonly boolean[];
  trained: readonly boolean[];
  lower: readonly number[];
  upper: readonly number[];
}

/** Held classes first; the others by weight; what those cannot take goes to classes of weight 0, then to held ones. */
function shareOut(total: number, share: number, given: Shares): number[] {
  const { held, trained, weights, upper } = given;
  const sizes = held.map((is, j) => (is ? Math.min(share, upper[j] as number) : 0));
  const groups = [
    { open: trained.map((is, j) => is && !held[j]), weights, lower: given.lower },
    {
      open: trained.map((is, j) => is && !held[j] && weights[j] === 0),
      weights: weights.map(() => 1),
      lower: given.lower,
    },
    { open: held, weights: weights.map(() => 1), lower: sizes.slice() },
  ];
  for (const { open, weights: wanted, lower } of groups) {
    const taken = sizes.reduce((sum, size, j) => sum + (open[j] ? 0 : size), 0);
    const pick = <T>(values: readonly T[]): T[] => values.filter((_, j) => open[j]);
    const parts = allocate(total - taken, pick(wanted), pick(lower), pick(upper));
    let next = 0;
    open.forEach((is, j) => {
      if (is) sizes[j] = parts[next++] as number;
    });
  }
  return sizes;
}

function check(input: Eq2Input): void {
  const classes = input.f1.length;
  const complain = (what: string): never => {
    throw new AppError('EQ2_INPUT', `Eq. 2 cannot size the classes: ${what}.`);
  };
  if (input.trainingCounts.length !== classes || input.referenceCounts.length !== classes) {
    complain(
      `F1, training and reference counts must have one value a class, got ${classes}, ${input.trainingCounts.length} and ${input.referenceCounts.length}`,
    );
  }
  if (!input.trainingCounts.some((count) => count > 0)) complain('no class has training images; label some first');
  if (!(input.base > 0) || !Number.isFinite(input.base)) complain(`N* must be above 0, got ${input.base}`);
  if (!(input.floor >= 0 && input.floor <= 1)) complain(`the floor must be between 0 and 1, got ${input.floor}`);
  if (!(input.cap >= 1)) complain(`the cap must be at least 1 sample an image, got ${input.cap}`);
  if (!(input.exponent >= 0)) complain(`the exponent must not be negative, got ${input.exponent}`);
  const strange = input.f1.findIndex((f1) => f1 !== null && !(f1 >= 0 && f1 <= 1));
  if (strange >= 0) complain(`F1 of class ${strange} must be between 0 and 1, got ${input.f1[strange]}`);
}
