import { describe, expect, test } from 'vitest';
import { lossDefaults, type LossContext } from '../../../../trainer/losses/loss.ts';
import { batchTerms, checkCombination, losses } from '../../../../trainer/losses/losses.ts';
import { effectivePrior } from '../../../../trainer/losses/prior.ts';
import { samplers } from '../../../../trainer/sampling/samplers.ts';

const context = (changes: Partial<LossContext> = {}): LossContext => ({
  sizes: [59, 29, 9],
  reference: null,
  ...lossDefaults,
  ...changes,
});
const rounded = (values: Float32Array | undefined): number[] => [...(values ?? [])].map((value) => +value.toFixed(5));

describe('losses, worked by hand', () => {
  test('the effective prior adds one sample to each class', () => {
    // 97 + 3 = 100.
    expect(effectivePrior([59, 29, 9])).toEqual([0.6, 0.3, 0.1]);
    expect(effectivePrior([0, 8])).toEqual([0.1, 0.9]);
  });

  test('cross-entropy adds nothing', () => {
    expect(losses.ce.terms(context())).toEqual({});
  });

  test('weights by inverse frequency have the mean 1 over the samples of the iteration', () => {
    // 1/.6, 1/.3, 1/.1; mean (59/.6 + 29/.3 + 9/.1)/97 = 285/97.
    const { classWeights } = losses.weighted.terms(context());
    expect(rounded(classWeights)).toEqual([0.56725, 1.1345, 3.40351]);
  });

  test('the class-balanced loss weighs by the inverse effective number', () => {
    // β = .5: (1 − β)/(1 − βⁿ) of n = 1, 2, 3 is 1, 2/3, 4/7; their mean is 47/63.
    const { classWeights } = losses['class-balanced'].terms(context({ sizes: [1, 2, 3], beta: 0.5 }));
    expect(rounded(classWeights)).toEqual([63 / 47, 42 / 47, 36 / 47].map((value) => +value.toFixed(5)));
  });

  test('balanced softmax adds ln prior, the logit-adjusted loss a share τ of it', () => {
    expect(rounded(losses['balanced-softmax'].terms(context()).logPriors)).toEqual([-0.51083, -1.20397, -2.30259]);
    expect(rounded(losses['logit-adjusted'].terms(context({ tau: 0.5 })).logPriors)).toEqual([
      -0.25541, -0.60199, -1.15129,
    ]);
  });

  test('CDB weighs by difficulty and leaves a class that is perfect on two images its part', () => {
    // Accuracies (2 + 1)/4, (4 + 1)/10, (0 + 1)/2: difficulties .25, .5, .5, their mean 5/12.
    const reference = { truePositives: [2, 4, 0], images: [2, 8, 0] };
    expect(rounded(losses.cdb.terms(context({ reference })).classWeights)).toEqual([0.6, 1.2, 1.2]);
    expect(losses.cdb.terms(context())).toEqual({});
  });

  test('a batch gets the weight of each image, and the priors as they are', () => {
    const classWeights = Float32Array.of(0.5, 2);
    const logPriors = Float32Array.of(-1, -2);
    expect(batchTerms({ classWeights }, Int32Array.of(1, 0, 1))).toEqual({ weights: Float32Array.of(2, 0.5, 2) });
    expect(batchTerms({ logPriors }, Int32Array.of(1, 0))).toEqual({ logPriors });
    expect(batchTerms({}, Int32Array.of(1))).toEqual({});
  });
});

test('a loss that corrects the prior is refused beside F1-dynamic sampling unless asked for', () => {
  const dynamic = { name: 'f1-dynamic', ...samplers['f1-dynamic'] };
  const instance = { name: 'instance', ...samplers.instance };
  for (const loss of ['weighted', 'class-balanced', 'balanced-softmax', 'logit-adjusted'] as const) {
    expect(() => checkCombination(loss, dynamic, { allow: false })).toThrow(
      expect.objectContaining({ code: 'CORRECTED_TWICE' }) as Error,
    );
    expect(() => checkCombination(loss, dynamic, { allow: true })).not.toThrow();
    expect(() => checkCombination(loss, instance, { allow: false })).not.toThrow();
  }
  expect(() => checkCombination('ce', dynamic, { allow: false })).not.toThrow();
  expect(() => checkCombination('cdb', dynamic, { allow: false })).not.toThrow();
});
