/**
 * Effective prior of an iteration, (N_ij + 1) / (T + |C|): the mixture of classes that a model trained on these sample sizes
 * learns to expect. Never 0, so its logarithm exists for a class without samples too.
 */
export function effectivePrior(sizes: readonly number[]): number[] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return sizes.map((size) => (size + 1) / (total + sizes.length));
}
