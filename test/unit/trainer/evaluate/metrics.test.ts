import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { evaluationSchema } from '../../../../common/domain/training.ts';
import { confusionMatrix, evaluate, reweightRows, summarise } from '../../../../trainer/evaluate/metrics.ts';
import { negativeLogLikelihood, predictions, rowsOf, softmax } from '../../../../trainer/evaluate/probabilities.ts';

interface MetricCase {
  classes: number;
  truth: number[];
  predicted: number[];
  probabilities: number[][] | null;
  confusion: number[][];
  accuracy: number;
  macroF1: number;
  weightedF1: number;
  balancedAccuracy: number;
  precision: number[];
  recall: number[];
  f1: number[];
  support: number[];
  logLoss: number | null;
}
const fixture = new URL('../../../fixtures/scikit-learn-metrics.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(fixture, 'utf8')) as { cases: MetricCase[] };

describe.each(cases)('scikit-learn over the full class list, $classes classes', (given) => {
  const labels = Array.from({ length: given.classes }, (_, j) => `class ${j}`);

  test('gives the same metrics', () => {
    const result = evaluate(labels, given.truth, given.predicted);
    expect(evaluationSchema.parse(result)).toEqual(result);
    expect(result.confusion).toEqual(given.confusion);
    for (const figure of ['accuracy', 'macroF1', 'weightedF1'] as const)
      expect(result[figure]).toBeCloseTo(given[figure], 12);
    result.perClass.forEach((metrics, j) => {
      for (const figure of ['precision', 'recall', 'f1', 'support'] as const)
        expect(metrics[figure]).toBeCloseTo(given[figure][j] as number, 12);
    });
    expect(summarise(result.confusion).balancedAccuracy).toBeCloseTo(given.balancedAccuracy, 12);
  });
});

const scored = cases.filter((given) => given.probabilities !== null);
test.each(scored)('scikit-learn gives the same loss, $classes classes', (given) => {
  const probabilities = given.probabilities as number[][];
  expect(predictions(probabilities)).toEqual(given.predicted);
  expect(negativeLogLikelihood(probabilities, given.truth)).toBeCloseTo(given.logLoss as number, 9);
});

describe('metrics, worked by hand', () => {
  test('a class without images and predictions counts as F1 0', () => {
    // Class 0: 2 of 2 + 3 → .8; class 1: 1 of 2 + 1 → 2/3; class 2 not there.
    const result = evaluate(['a', 'b', 'c'], [0, 0, 1, 1], [0, 0, 0, 1]);
    expect(result.accuracy).toBe(0.75);
    expect(result.macroF1).toBeCloseTo((0.8 + 2 / 3) / 3, 12);
    expect(result.supported).toEqual({ classes: 2, macroF1: (0.8 + 2 / 3) / 2 });
    expect(result.weightedF1).toBeCloseTo((0.8 + 2 / 3) / 2, 12);
    expect(result.perClass[2]).toEqual({ label: 'c', precision: 0, recall: 0, f1: 0, support: 0 });
  });

  test('no images give zeros, not NaN', () => {
    expect(evaluate(['a', 'b'], [], [])).toMatchObject({ images: 0, accuracy: 0, macroF1: 0, weightedF1: 0 });
  });

  test('of equal scores the first class wins', () => {
    expect(
      predictions([
        [0.4, 0.4, 0.2],
        [0.1, 0.45, 0.45],
      ]),
    ).toEqual([0, 1]);
  });

  test('a confusion matrix re-weighted to a prior tells what another mixture would give', () => {
    // Balanced: recalls .8 and .9. At 9 to 1: right .72 + .09; class 1 predicted .18 + .09, F1 2·.09/(.1 + .27).
    const shares = reweightRows(
      [
        [8, 2],
        [1, 9],
      ],
      [90, 10],
    );
    expect(shares.flat().map((share) => +share.toFixed(12))).toEqual([0.72, 0.18, 0.01, 0.09]);
    const summary = summarise(shares);
    expect(summary.accuracy).toBeCloseTo(0.81, 12);
    expect(summary.f1[1]).toBeCloseTo(0.18 / 0.37, 12);
    expect(summary.weightedF1).toBeCloseTo(0.9 * (1.44 / 1.63) + 0.1 * (0.18 / 0.37), 12);
  });

  test('a class of the prior without test images cannot be re-weighted', () => {
    expect(() =>
      reweightRows(
        [
          [1, 0],
          [0, 0],
        ],
        [1, 1],
      ),
    ).toThrow(/Class 1 makes up 0.5/);
    expect(
      reweightRows(
        [
          [1, 0],
          [0, 0],
        ],
        [1, 0],
      ),
    ).toEqual([
      [1, 0],
      [0, 0],
    ]);
  });

  test('predictions must be of declared classes and one an image', () => {
    expect(() => confusionMatrix([0], [2], 2)).toThrow(/only 0 to 1 are declared/);
    expect(() => confusionMatrix([0, 1], [0], 2)).toThrow(/one prediction an image/);
  });

  test('a sure mistake costs 36 nats, not infinity', () => {
    expect(negativeLogLikelihood([[1, 0]], [1])).toBeCloseTo(36.04, 2);
  });

  test('softmax stands large logits; rows are views', () => {
    expect([...softmax([1000, 1000])]).toEqual([0.5, 0.5]);
    const flat = Float32Array.of(1, 2, 3, 4);
    const rows = rowsOf(flat, 2);
    flat[3] = 9;
    expect(rows.map((row) => [...row])).toEqual([
      [1, 2],
      [3, 9],
    ]);
  });
});
