/** Shares of a whole that should be equal differ by rounding in the 16th digit; ties are judged to nine decimals. */
const TIE = 1e-9;

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/**
 * Divides `total` in proportion to `weights` within bounds: x_j = min(upper_j, max(lower_j, λ·w_j)) with the one λ whose sum is
 * `total`. Bounds that do not bind leave the exact proportion. Where all weights together cannot take the total (upper
 * bounds, weights of 0) the sum falls short; where the lower bounds exceed it, they stand.
 */
export function allocate(
  total: number,
  weights: readonly number[],
  lower: readonly number[],
  upper: readonly number[],
): number[] {
  const bounded = (lambda: number): number[] =>
    weights.map((weight, j) => Math.min(upper[j] as number, Math.max(lower[j] as number, lambda * weight)));
  const kinks = weights
    .flatMap((weight, j) => (weight > 0 ? [(lower[j] as number) / weight, (upper[j] as number) / weight] : []))
    .filter((kink) => Number.isFinite(kink))
    .sort((a, b) => a - b);
  // The sum is linear in λ between neighbouring kinks: find the stretch that contains the total.
  let low = 0;
  let high = kinks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sumOf(bounded(kinks[middle] as number)) < total - TIE) low = middle + 1;
    else high = middle;
  }
  const from = low === 0 ? 0 : (kinks[low - 1] as number);
  const at = bounded(from);
  const free = weights.map((weight, j) => {
    const inside = from * weight >= (lower[j] as number) - TIE && from * weight < (upper[j] as number) - TIE;
    return weight > 0 && inside;
  });
  const freeWeight = sumOf(weights.filter((_, j) => free[j]));
  if (freeWeight === 0) return at;
  const rest = total - sumOf(at.filter((_, j) => !free[j]));
  return at.map((value, j) =>
    free[j]
      ? Math.min(upper[j] as number, Math.max(lower[j] as number, (rest * (weights[j] as number)) / freeWeight))
      : value,
  );
}

/** Largest integer not above `value`, where rounding errors of a whole number count as that number. */
export function wholeBelow(value: number): number {
  return Math.floor(value + TIE);
}

/**
 * Largest-remainder rounding: whole numbers with the sum of `values` (rounded), each less than 1 away from its value. Equal
 * remainders go to the lowest index.
 */
export function roundToSum(values: readonly number[]): number[] {
  const whole = values.map(wholeBelow);
  const missing = Math.round(sumOf(values)) - sumOf(whole);
  const remainder = values.map((value, j) => Math.round((value - (whole[j] as number)) / TIE));
  const order = values.map((_, j) => j).sort((a, b) => (remainder[b] as number) - (remainder[a] as number) || a - b);
  for (const j of order.slice(0, Math.max(0, missing))) whole[j] = (whole[j] as number) + 1;
  return whole;
}
