import { argMax } from '../../common/domain/model.ts';

/** One row an image, one number a class. */
export type Rows = readonly ArrayLike<number>[];

/** Views into `n × classes` numbers, as a session's `forward` returns them; nothing is copied. */
export function rowsOf(flat: Float32Array, classes: number): Float32Array[] {
  return Array.from({ length: flat.length / classes }, (_, i) => flat.subarray(i * classes, (i + 1) * classes));
}

/** The winning class of each row; the first of equal ones. */
export function predictions(scores: Rows): number[] {
  return scores.map(argMax);
}

export function softmax(logits: ArrayLike<number>): Float64Array {
  let largest = -Infinity;
  for (let j = 0; j < logits.length; j++) largest = Math.max(largest, logits[j] as number);
  const result = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = result.reduce((total, value) => total + value, 0);
  return result.map((value) => value / sum);
}

/** Mean of −ln p(true class); probabilities below 2⁻⁵² count as that, so that one sure mistake stays finite. */
export function negativeLogLikelihood(probabilities: Rows, truth: ArrayLike<number>): number {
  const losses = probabilities.map((row, i) => -Math.log(Math.max(row[truth[i] as number] as number, Number.EPSILON)));
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}
