import { rowsOf, negativeLogLikelihood, predictions, softmax } from '../evaluate/probabilities.ts';
import { confusionMatrix, summarise } from '../evaluate/metrics.ts';
import type { SplitModels } from './models.ts';
import type { RecipeName } from './recipes.ts';
import type { BenchmarkSettings } from './settings.ts';

/** M0 after its passes and after twice as many, on one split. */
export interface Doubling {
  macroF1: { once: number; twice: number };
  /** Out of fold; where it was looked at. */
  negativeLogLikelihood?: { once: number; twice: number };
}

export interface Convergence {
  splits: number;
  outOfFoldSplits: number;
  /** Means over splits. */
  macroF1: { once: number; twice: number };
  negativeLogLikelihood: { once: number; twice: number } | null;
  isConverged: boolean;
  words: string;
}

export async function doublingOf(models: SplitModels, comparesFolds: boolean): Promise<Doubling> {
  const classes = models.counts.length;
  const macroF1 = async (name: RecipeName): Promise<number> => {
    const rows = rowsOf((await models.head(name)).logits.reference as Float32Array, classes);
    return summarise(confusionMatrix(models.truth.reference, predictions(rows), classes)).macroF1;
  };
  const likelihood = async (name: RecipeName): Promise<number> => {
    const { logits, truth } = await models.outOfFold(name);
    return negativeLogLikelihood(logits.map(softmax), truth);
  };
  const doubling: Doubling = { macroF1: { once: await macroF1('m0'), twice: await macroF1('m0-long') } };
  if (comparesFolds) {
    doubling.negativeLogLikelihood = { once: await likelihood('m0'), twice: await likelihood('m0-long') };
  }
  return doubling;
}

export function judgeConvergence(
  doublings: readonly Doubling[],
  { convergence, passes }: BenchmarkSettings,
): Convergence {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const pooled = (pairs: readonly { once: number; twice: number }[]) => ({
    once: mean(pairs.map(({ once }) => once)),
    twice: mean(pairs.map(({ twice }) => twice)),
  });
  const likelihoods = doublings.flatMap(({ negativeLogLikelihood: pair }) => (pair ? [pair] : []));
  const macroF1 = pooled(doublings.map((doubling) => doubling.macroF1));
  const nll = likelihoods.length > 0 ? pooled(likelihoods) : null;
  const change = macroF1.twice - macroF1.once;
  const fall = nll ? nll.once - nll.twice : 0;
  const isConverged = Math.abs(change) < convergence.macroF1 && fall < convergence.negativeLogLikelihood;
  const words =
    `M0 is ${isConverged ? 'converged' : 'NOT converged'}: ${2 * passes} instead of ${passes} passes move its reference macro F1, ` +
    `mean of ${splitsOf(doublings)}, from ${macroF1.once.toFixed(3)} to ${macroF1.twice.toFixed(3)} (less than ` +
    `${convergence.macroF1} wanted)` +
    (nll
      ? `, its out-of-fold negative log-likelihood, ${splitsOf(likelihoods)}, from ${nll.once.toFixed(3)} to ${nll.twice.toFixed(3)}` +
        ` (a fall of less than ${convergence.negativeLogLikelihood} wanted).`
      : '.');
  return { splits: doublings.length, outOfFoldSplits: likelihoods.length, macroF1, negativeLogLikelihood: nll, isConverged, words }; // prettier-ignore
}

const splitsOf = ({ length }: ArrayLike<unknown>): string => `${length} split${length === 1 ? '' : 's'}`;
