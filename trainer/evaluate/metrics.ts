import type { ClassMetrics, Evaluation } from '../../common/domain/training.ts';
import { AppError } from '../../common/runtime/errors.ts';

/** Row: true class, column: predicted class. Counts, or shares where rows were re-weighted. */
export type Confusion = readonly (readonly number[])[];

/** Figures of a confusion matrix over the full class list; what would be 0/0 is 0 (zero_division = 0). */
export interface Summary {
  accuracy: number;
  macroF1: number;
  /** Each class weighted by its share of the images. */
  weightedF1: number;
  /** Mean recall of the classes that have images. */
  balancedAccuracy: number;
  supported: { classes: number; macroF1: number };
  precision: number[];
  recall: number[];
  f1: number[];
  support: number[];
}

/** @throws AppError `METRICS_INPUT` where the lists differ in length or hold a class that is not declared */
export function confusionMatrix(truth: ArrayLike<number>, predicted: ArrayLike<number>, classes: number): number[][] {
  if (truth.length !== predicted.length) {
    throw new AppError(
      'METRICS_INPUT',
      `There must be one prediction an image, got ${predicted.length} for ${truth.length} images.`,
    );
  }
  const confusion = Array.from({ length: classes }, () => Array.from({ length: classes }, () => 0));
  for (let i = 0; i < truth.length; i++) {
    const row = confusion[truth[i] as number];
    const column = predicted[i] as number;
    if (row?.[column] === undefined) {
      throw new AppError(
        'METRICS_INPUT',
        `Image ${i} has true class ${truth[i]} and predicted class ${column}, but only 0 to ${classes - 1} are declared.`,
      );
    }
    row[column] += 1;
  }
  return confusion;
}

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** A plain loop: a bootstrap comes here a million times. */
function columnSums(confusion: Confusion): number[] {
  const sums = new Array<number>(confusion.length).fill(0);
  for (const row of confusion) for (let j = 0; j < row.length; j++) sums[j] = (sums[j] as number) + (row[j] as number);
  return sums;
}

export function summarise(confusion: Confusion): Summary {
  const support = confusion.map(sumOf);
  const predicted = columnSums(confusion);
  const hits = confusion.map((row, j) => row[j] as number);
  const images = sumOf(support);
  const recall = hits.map((hit, j) => ratio(hit, support[j] as number));
  // Here 2·TP + FP + FN = support + predicted.
  const f1 = hits.map((hit, j) => ratio(2 * hit, (support[j] as number) + (predicted[j] as number)));
  const present = support.flatMap((count, j) => (count > 0 ? [j] : []));
  const meanOfPresent = (values: readonly number[]): number =>
    ratio(sumOf(present.map((j) => values[j] as number)), present.length);
  return {
    accuracy: ratio(sumOf(hits), images),
    macroF1: ratio(sumOf(f1), f1.length),
    weightedF1: ratio(sumOf(f1.map((value, j) => value * (support[j] as number))), images),
    balancedAccuracy: meanOfPresent(recall),
    supported: { classes: present.length, macroF1: meanOfPresent(f1) },
    precision: hits.map((hit, j) => ratio(hit, predicted[j] as number)),
    recall,
    f1,
    support,
  };
}

/**
 * Metrics over all declared classes.
 *
 * @param labels class names in the order of the scores
 * @param truth true class of each image
 * @param predicted class that won, see `argMax` for ties
 */
export function evaluate(
  labels: readonly string[],
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
): Evaluation {
  const confusion = confusionMatrix(truth, predicted, labels.length);
  const summary = summarise(confusion);
  const perClass = labels.map((label, j): ClassMetrics => ({
    label,
    precision: summary.precision[j] as number,
    recall: summary.recall[j] as number,
    f1: summary.f1[j] as number,
    support: summary.support[j] as number,
  }));
  const { accuracy, macroF1, weightedF1, supported } = summary;
  return { images: truth.length, accuracy, macroF1, weightedF1, supported, perClass, confusion };
}

/**
 * What a confusion matrix measured on one mixture of classes would be on another: row j is scaled to the share `prior[j]`, so
 * the cells are shares of all images. With the training prior this is `nat` of a balanced test set.
 *
 * @throws AppError `METRICS_INPUT` where a class of the prior has no test image: its row is unknown
 */
export function reweightRows(confusion: Confusion, prior: readonly number[]): number[][] {
  const whole = sumOf(prior);
  return confusion.map((row, j) => {
    const images = sumOf(row);
    const share = ratio(prior[j] as number, whole);
    if (images === 0 && share > 0) {
      throw new AppError(
        'METRICS_INPUT',
        `Class ${j} makes up ${share} of the images but has no test image; leave it out of the prior or add test images.`,
      );
    }
    return row.map((count) => ratio(count * share, images));
  });
}
