import { AppError } from '../../common/runtime/errors.ts';
import { createRandom, type Random } from '../sampling/random.ts';
import type { Confusion } from './metrics.ts';
import { drawImages, unitsOf, weightedConfusion, type TestSet, type Units } from './resample.ts';

/** Predictions of every method on one split. */
export interface SplitResult {
  /** Splits of one group (a profile of the data set) are drawn among themselves; groups count alike. */
  group: string;
  /** Index into the test sets. Splits with the same test set share the draw of images: its noise is common to them. */
  testSet: number;
  /** By method: the predicted class of each image of the test set. */
  predictions: Readonly<Record<string, readonly number[]>>;
}

/** Figures of one method on one split by name, e.g. macro F1 of its confusion matrix re-weighted to the split's prior. */
export type Measure = (confusion: Confusion, split: number) => Readonly<Record<string, number>>;

export interface BootstrapInput {
  classes: number;
  testSets: readonly TestSet[];
  splits: readonly SplitResult[];
  /** The method that the others are compared with. */
  baseline: string;
  methods: readonly string[];
  /** Always gives the same figures in the same order. */
  measure: Measure;
  /** Number of draws; about 2,000 hold the limits still. */
  replicates: number;
  seed: number | string;
}

/** A method's paired difference to the baseline. */
export interface PairedDifference {
  /** Mean over the splits of a group, then over groups. */
  mean: number;
  /** Standard deviation over splits about the mean of their group; 0 where no group has two. */
  sd: number;
  /** Splits in which the method is better, and in which both are equal. */
  wins: number;
  ties: number;
  splits: number;
  /** 95 % interval. */
  lower: number;
  upper: number;
}

/** By method, then by figure. */
export type Comparison = Record<string, Record<string, PairedDifference>>;

/**
 * Paired bootstrap. Every replicate draws splits with replacement within each group and test images with replacement within each
 * class (whole cameras where known), the same draw for all methods. The limits are percentiles.
 *
 * @throws AppError `BOOTSTRAP_INPUT` where a split lacks a method or a prediction
 */
export function pairedBootstrap(input: BootstrapInput): Comparison {
  check(input);
  const groups = groupsOf(input.splits);
  const everyImageOnce = input.testSets.map((set) => new Int32Array(set.truth.length).fill(1));
  const observed = input.splits.map((_, split) => differences(input, split, everyImageOnce));
  const names = Object.keys(figuresOf(input, 0, input.baseline, everyImageOnce));
  const pairs = input.methods.flatMap((method) => names.map((figure) => ({ method, figure })));
  const units = input.testSets.map((set) => unitsOf(set, input.classes));
  const random = createRandom('bootstrap', input.seed);
  const replicates = Array.from({ length: input.replicates }, () => {
    const times = input.testSets.map((set, k) => drawImages(units[k] as Units, set.truth.length, random));
    return replicate(input, groups, times, random, pairs.length);
  });
  const comparison: Comparison = Object.fromEntries(input.methods.map((method) => [method, {}]));
  pairs.forEach(({ method, figure }, p) => {
    const values = observed.map((row) => row[p] as number);
    const means = replicates.map((row) => row[p] as number).sort((a, b) => a - b);
    (comparison[method] as Record<string, PairedDifference>)[figure] = {
      ...describe(values, groups),
      lower: quantile(means, 0.025),
      upper: quantile(means, 0.975),
    };
  });
  return comparison;
}

export type Verdict = 'met' | 'missed' | 'undecided';

/** Whether a difference of at least `bar` is shown: by the whole 95 % interval, or not at all. */
export function verdictOf(difference: Pick<PairedDifference, 'lower' | 'upper'>, bar: number): Verdict {
  if (difference.lower >= bar) return 'met';
  return difference.upper < bar ? 'missed' : 'undecided';
}

function figuresOf(
  input: BootstrapInput,
  split: number,
  method: string,
  times: readonly Int32Array[],
): Readonly<Record<string, number>> {
  const { testSet, predictions } = input.splits[split] as SplitResult;
  const { truth } = input.testSets[testSet] as TestSet;
  const predicted = predictions[method] as readonly number[];
  return input.measure(weightedConfusion(truth, predicted, times[testSet] as Int32Array, input.classes), split);
}

/** Differences of all methods and figures on one split, in the order of `pairs`. */
function differences(input: BootstrapInput, split: number, times: readonly Int32Array[]): number[] {
  const figures = (method: string): number[] => Object.values(figuresOf(input, split, method, times));
  const baseline = figures(input.baseline);
  return input.methods.flatMap((method) => figures(method).map((figure, k) => figure - (baseline[k] as number)));
}

/** Mean differences of one draw. A split that was drawn twice is computed once. */
function replicate(
  input: BootstrapInput,
  groups: readonly (readonly number[])[],
  times: readonly Int32Array[],
  random: Random,
  figures: number,
): number[] {
  const known = new Map<number, number[]>();
  const sums = new Array<number>(figures).fill(0);
  for (const splits of groups) {
    for (let draw = 0; draw < splits.length; draw++) {
      const split = splits[random.below(splits.length)] as number;
      const row = known.get(split) ?? differences(input, split, times);
      known.set(split, row);
      row.forEach((value, p) => (sums[p] = (sums[p] as number) + value / splits.length / groups.length));
    }
  }
  return sums;
}

function groupsOf(splits: readonly SplitResult[]): number[][] {
  const groups = new Map<string, number[]>();
  splits.forEach(({ group }, split) => groups.set(group, [...(groups.get(group) ?? []), split]));
  return [...groups.values()];
}

function describe(
  values: readonly number[],
  groups: readonly (readonly number[])[],
): Omit<PairedDifference, 'lower' | 'upper'> {
  const meanOf = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;
  const ofGroups = groups.map((splits) => splits.map((split) => values[split] as number));
  const squares = ofGroups.flatMap((list) => list.map((value) => (value - meanOf(list)) ** 2));
  const freedom = values.length - groups.length;
  const equal = (value: number): boolean => Math.abs(value) < 1e-12;
  return {
    mean: meanOf(ofGroups.map(meanOf)),
    sd: freedom > 0 ? Math.sqrt(squares.reduce((sum, value) => sum + value, 0) / freedom) : 0,
    wins: values.filter((value) => value > 0 && !equal(value)).length,
    ties: values.filter(equal).length,
    splits: values.length,
  };
}

/** Linear between neighbours, as numpy's. */
function quantile(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] as number;
  const above = sorted[Math.ceil(place)] as number;
  return below + (above - below) * (place - Math.floor(place));
}

function check({ splits, testSets, methods, baseline, replicates }: BootstrapInput): void {
  const complain = (what: string): never => {
    throw new AppError('BOOTSTRAP_INPUT', `The bootstrap cannot compare the methods: ${what}.`);
  };
  if (splits.length === 0) complain('there is no split');
  if (!(replicates >= 1)) complain(`at least one replicate is needed, got ${replicates}`);
  splits.forEach(({ testSet, predictions }, split) => {
    const images =
      testSets[testSet]?.truth.length ?? complain(`split ${split} names test set ${testSet}, which is not there`);
    for (const method of [baseline, ...methods]) {
      const given = predictions[method]?.length;
      if (given !== images)
        complain(`split ${split} has ${given ?? 'no'} predictions of "${method}" for ${images} images`);
    }
  });
}
