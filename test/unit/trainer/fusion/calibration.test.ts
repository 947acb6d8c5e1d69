import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { negativeLogLikelihood, predictions, softmax } from '../../../../trainer/evaluate/probabilities.ts';
import {
  calibration,
  fitTemperature,
  logitAdjustment,
  searchTau,
  transformed,
  transformedProbabilities,
} from '../../../../trainer/fusion/calibration.ts';

const rounded = (rows: readonly ArrayLike<number>[]): number[][] =>
  rows.map((row) => Array.from(row, (value) => +value.toFixed(9)));

describe('temperature', () => {
  test('makes the mean confidence that of the accuracy where all images look alike', () => {
    // Logits (2, 0), three of four right: p = 3/4 needs 2/T = ln 3.
    const logits = [
      [2, 0],
      [2, 0],
      [2, 0],
      [2, 0],
    ];
    expect(fitTemperature(logits, [0, 0, 0, 1])).toBeCloseTo(2 / Math.log(3), 9);
  });

  test('stays finite where a model has all or none of the images right', () => {
    expect(fitTemperature([[1, 0]], [0])).toBeCloseTo(1 / 20, 6);
    expect(fitTemperature([[1, 0]], [1])).toBeCloseTo(20, 6);
  });

  test('no other temperature has a smaller loss, and no winner changes', () => {
    const image = fc.record({
      logits: fc.array(fc.double({ min: -6, max: 6, noNaN: true }), { minLength: 3, maxLength: 3 }),
      label: fc.integer({ min: 0, max: 2 }),
    });
    fc.assert(
      fc.property(fc.array(image, { minLength: 5, maxLength: 20 }), (images) => {
        const logits = images.map((one) => one.logits);
        const truth = images.map((one) => one.label);
        const lossAt = (temperature: number): number =>
          negativeLogLikelihood(transformedProbabilities(logits, { scale: 1 / temperature, offset: [0, 0, 0] }), truth);
        const temperature = fitTemperature(logits, truth);
        for (const factor of [0.8, 0.99, 1.01, 1.25]) {
          const other = Math.min(20, Math.max(1 / 20, temperature * factor));
          expect(lossAt(other)).toBeGreaterThanOrEqual(lossAt(temperature) - 1e-9);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('prior correction', () => {
  test('divides by the own prior and multiplies by the common one', () => {
    // .5, .5 under a prior of .8, .2, seen under .5, .5: .5/.8 to .5/.2 is 1 to 4.
    const transform = calibration(1, [0.8, 0.2], [0.5, 0.5]);
    expect(rounded(transformedProbabilities([[0, 0]], transform))).toEqual([[0.2, 0.8]]);
  });

  test('comes after the temperature', () => {
    // Logits ln 9 and 0 at T = 2: 3 to 1; times (.5/.75) to (.5/.25): 2 to 2.
    const transform = calibration(2, [0.75, 0.25], [0.5, 0.5]);
    expect(rounded(transformedProbabilities([[Math.log(9), 0]], transform))).toEqual([[0.5, 0.5]]);
  });

  test('needs priors above 0', () => {
    expect(() => calibration(1, [1, 0], [0.5, 0.5])).toThrow(/prior of class 1 is 0/);
  });
});

describe('post-hoc logit adjustment', () => {
  const prior = [0.9, 0.1];
  /** Logits of a model that sees the prior in everything: evidence + ln prior. */
  const biased = (evidence: number): number[] => [Math.log(0.9), evidence + Math.log(0.1)];

  test('subtracts τ · ln prior', () => {
    expect(rounded(transformed([[1, 1]], logitAdjustment(prior, 0.5)))).toEqual(
      rounded([[1 - 0.5 * Math.log(0.9), 1 - 0.5 * Math.log(0.1)]]),
    );
    expect(predictions(transformed([biased(0.1)], logitAdjustment(prior, 1)))).toEqual([1]);
  });

  test('τ = 1 turns a model of one prior into one of equal classes', () => {
    const [row] = transformedProbabilities([biased(0.4)], logitAdjustment(prior, 1));
    expect(rounded([row as Float64Array])).toEqual(rounded([softmax([0, 0.4])]));
  });

  test('the smallest τ of the best macro F1 is found', () => {
    // Class 1 wins at evidence 1 from ln 9 · (1 − τ) < 1 on, τ > .545: .55 on the grid; class 0 has evidence −.5 and stays until
    // ln 9 · (1 − τ) < −.5, τ > 1.23.
    const logits = [biased(1), biased(-0.5), biased(-0.5)];
    const { tau, curve } = searchTau(logits, [1, 0, 0], prior);
    expect(tau).toBe(0.55);
    expect(curve).toHaveLength(41);
    expect(curve[0]).toEqual({ tau: 0, macroF1: 0.4, accuracy: 2 / 3 });
  });

  test('accuracy may be protected', () => {
    // Raising class 1 wins its one image and loses two of class 0.
    const logits = [biased(1), biased(1.2), biased(1.2), biased(-5), biased(-5), biased(-5), biased(-5)];
    const truth = [1, 0, 0, 0, 0, 0, 0];
    expect(searchTau(logits, truth, prior).tau).toBe(0.55);
    expect(searchTau(logits, truth, prior, 0.005).tau).toBe(0);
  });
});
