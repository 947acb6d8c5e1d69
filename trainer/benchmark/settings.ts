import { basicAugmentation } from '../dataset/augment/draw.ts';
import type { Augmentation } from '../dataset/augment/draw.ts';
import type { Eq2Settings } from '../sampling/eq2.ts';
import { guardedEq2, paperEq2 } from '../sampling/eq2.ts';
import { FOLDS, LEVEL_ONE, LEVEL_TWO, TAU } from '../levels.ts';
import type { Optimiser } from '../settings.ts';

/** Everything that decides a benchmark's figures beside the data, the backbone and what its flags say. */
export interface BenchmarkSettings {
  batch: number;
  optimiser: Optimiser;
  /** Passes over the training part: |Xtrain| samples each, whatever the sampler. Equal for every head. */
  passes: number;
  /** Of a head of cRT: the last so many passes train the classifier alone, on balanced samples. */
  classifierPasses: number;
  /** Of out-of-fold scores, for what is chosen or calibrated on images that a model did not learn. */
  folds: number;
  augmentation: Augmentation;
  /** Of views; one pool for every row, seed and split. */
  viewSeed: number;
  eq2: { paper: EqualTo<Eq2Settings>; modern: EqualTo<Eq2Settings> };
  /** Post-hoc logit adjustment with a fixed strength, and the prior that `modern` brings both models to: π^(1 − τ). */
  tau: number;
  /** CDB's exponent. */
  difficulty: number;
  /** M0 counts as converged when twice the passes change this much or less. */
  convergence: {
    macroF1: number;
    negativeLogLikelihood: number;
    /** Splits on which the out-of-fold likelihood is compared, too. */
    outOfFoldSplits: number;
  };
  bootstrap: { replicates: number; seed: number };
  svm: { C: number };
  /** The blocks behind the cut, trained on after the head, on the same pool of views. */
  levelTwo: { passes: number; batch: number; optimiser: Optimiser };
  /** The network of the row "Basic CNN" is that of the preset of this name. */
  basicCnn: { preset: string };
}

/** `Infinity` does not survive JSON. */
type EqualTo<T extends { cap: number }> = Omit<T, 'cap'> & { cap: number | null };

const plain = ({ cap, ...eq2 }: Eq2Settings): EqualTo<Eq2Settings> => ({
  ...eq2,
  cap: Number.isFinite(cap) ? cap : null,
});

/**
 * Fixed before any test set was looked at, and part of every result's address: changed settings give new results, never a
 * mixture.
 */
export const BENCHMARK_SETTINGS: BenchmarkSettings = {
  // As `camfleet train` trains level 1.
  batch: LEVEL_ONE.batch,
  optimiser: LEVEL_ONE.optimiser,
  passes: LEVEL_ONE.passes,
  // A quarter of the passes, so that cRT takes no step more than the others.
  classifierPasses: 10,
  folds: FOLDS,
  augmentation: basicAugmentation,
  viewSeed: 1,
  // The paper has no floor and no cap. Without them a class that is perfect on its two reference images is never seen again.
  eq2: { paper: plain(paperEq2), modern: plain(guardedEq2) },
  tau: TAU,
  difficulty: 1,
  // .01 is what one image of a class of four moves macro F1 of 19 classes by; a likelihood that falls by less than .005 is flat.
  // Folds of the doubled run cost four times M0: three splits tell a fall from noise.
  convergence: { macroF1: 0.01, negativeLogLikelihood: 0.005, outOfFoldSplits: 3 },
  bootstrap: { replicates: 2000, seed: 1 },
  // scikit-learn's default.
  svm: { C: 1 },
  levelTwo: LEVEL_TWO,
  basicCnn: { preset: 'small' },
};
