import { AppError } from '../../common/runtime/errors.ts';
import { balancedSoftmax, logitAdjusted } from './log-prior.ts';
import type { Loss, LossTerms } from './loss.ts';
import { classBalanced, difficulty, weighted } from './weighted.ts';

/** Plain cross-entropy. */
const crossEntropy: Loss = { priorCorrected: false, terms: () => ({}) };

/** Every loss by the name that settings use. A new one is a file in this folder and a line here. */
export const losses = {
  ce: crossEntropy,
  weighted,
  'class-balanced': classBalanced,
  'balanced-softmax': balancedSoftmax,
  'logit-adjusted': logitAdjusted,
  cdb: difficulty,
} as const satisfies Record<string, Loss>;

export type LossName = keyof typeof losses;
export const lossNames = Object.keys(losses) as LossName[];

/**
 * Refuses a loss that corrects the prior together with a sampler that follows the scores: the rare classes would be favoured
 * twice.
 *
 * @throws AppError `CORRECTED_TWICE` unless `allow` is set
 */
export function checkCombination(
  loss: LossName,
  sampler: { name: string; scoreDriven: boolean },
  options: { allow: boolean },
): void {
  if (!losses[loss].priorCorrected || !sampler.scoreDriven || options.allow) return;
  throw new AppError(
    'CORRECTED_TWICE',
    `The loss "${loss}" corrects the prior and the sampler "${sampler.name}" already changes it by F1, so rare classes would be favoured twice; use the loss "ce" or the sampler "instance", or allow it explicitly (allowDoubleCorrection).`,
    { details: { loss, sampler: sampler.name } },
  );
}

/** What a step needs of the terms: class weights become weights of the images of a batch. */
export function batchTerms(terms: LossTerms, labels: Int32Array): { weights?: Float32Array; logPriors?: Float32Array } {
  const { classWeights, logPriors } = terms;
  return {
    ...(classWeights && { weights: Float32Array.from(labels, (label) => classWeights[label] as number) }),
    ...(logPriors && { logPriors }),
  };
}
