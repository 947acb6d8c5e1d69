import { expect, test } from 'vitest';
import { judgeBar, judgeClaim } from '../../../../trainer/benchmark/bars.ts';
import { judgeConvergence } from '../../../../trainer/benchmark/convergence.ts';
import { compareAll, figuresOf, confusionOf } from '../../../../trainer/benchmark/judge.ts';
import { judgeLoss } from '../../../../trainer/benchmark/int8.ts';
import type { Judge, RunOutcome } from '../../../../trainer/benchmark/judge.ts';
import { BENCHMARK_SETTINGS } from '../../../../trainer/benchmark/settings.ts';
import type { Dataset } from '../../../../trainer/dataset/dataset.ts';

const difference = (mean: number, lower: number, upper: number) => ({ mean, lower, upper, sd: 0, wins: 1, ties: 0, splits: 1 }); // prettier-ignore
const bar = { row: 'modern', macroF1: 0.03, accuracy: -0.015 };

test('a bar is met by both figures, missed by one, undecided otherwise', () => {
  const verdict = (macroF1: [number, number], accuracy: [number, number]) =>
    judgeBar(bar, { macroF1: difference(0.04, ...macroF1), accuracy: difference(0, ...accuracy) })?.verdict;
  expect(verdict([0.03, 0.06], [-0.01, 0.01])).toBe('met');
  expect(verdict([0.01, 0.06], [-0.01, 0.01])).toBe('undecided');
  expect(verdict([0.03, 0.06], [-0.04, -0.02])).toBe('missed');
  expect(judgeBar(bar, {})).toBeUndefined();
});

test('the loss of an 8-bit trunk is judged by its mean and its upper limit', () => {
  expect(judgeLoss(difference(-0.004, -0.009, 0.001))).toBe('met');
  expect(judgeLoss(difference(0.01, -0.009, 0.03))).toBe('met');
  expect(judgeLoss(difference(-0.004, -0.02, 0.01))).toBe('undecided');
  expect(judgeLoss(difference(-0.006, -0.009, 0.001))).toBe('undecided');
  expect(judgeLoss(difference(-0.02, -0.03, -0.01))).toBe('missed');
});

test('a claim is confirmed or contradicted by its whole interval', () => {
  expect(judgeClaim(difference(0.1, 0.01, 0.2))).toBe('confirmed');
  expect(judgeClaim(difference(-0.1, -0.2, -0.01))).toBe('contradicted');
  expect(judgeClaim(difference(0.1, -0.01, 0.2))).toBe('undecided');
  expect(judgeClaim(undefined)).toBe('not run');
});

test('M0 is converged when doubling moves neither macro F1 nor the out-of-fold likelihood', () => {
  const judge = (f1: [number, number], nll?: [number, number]) =>
    judgeConvergence(
      [
        {
          macroF1: { once: f1[0], twice: f1[1] },
          ...(nll && { negativeLogLikelihood: { once: nll[0], twice: nll[1] } }),
        },
      ],
      BENCHMARK_SETTINGS,
    ).isConverged;
  expect(judge([0.5, 0.505], [1, 1.1])).toBe(true);
  expect(judge([0.5, 0.505], [1, 0.9])).toBe(false);
  expect(judge([0.5, 0.52], [1, 1])).toBe(false);
  expect(judge([0.5, 0.48])).toBe(false);
});

const truth = [0, 0, 1, 1];
const images = truth.map((label, i) => ({ label, part: 'test', group: null, digest: `${i}` }));
const dataset = { samples: images } as unknown as Dataset;
const judge: Judge = { classes: 2, balanced: dataset, settings: { bootstrap: { replicates: 50, seed: 1 } } };
const run = (split: number, rows: Record<string, number[]>): RunOutcome => ({
  ...{ profile: 'p', split, seed: 1, dataset, trainingCounts: [90, 10] },
  rows: Object.fromEntries(
    Object.entries(rows).map(([name, predicted]) => [
      name,
      { predictions: { reference: [], test: predicted, balanced: predicted } },
    ]),
  ),
});

test('nat weighs the rows of the balanced test set as training mixes the classes', () => {
  const one = run(0, { m0: [0, 1, 1, 1] });
  expect(figuresOf(confusionOf(one, 'm0', 'bal', judge)).accuracy).toBe(0.75);
  // Half of the common class is right, all of the rare one.
  expect(figuresOf(confusionOf(one, 'm0', 'nat', judge)).accuracy).toBeCloseTo(0.9 * 0.5 + 0.1, 12);
});

test('a row that was run on some splits only is compared on those', () => {
  const runs = [run(0, { m0: [0, 1, 1, 1], a: truth, costly: truth }), run(1, { m0: truth, a: truth })];
  const compared = compareAll(runs, { baseline: 'm0', rows: ['a', 'costly'], ground: 'bal' }, judge);
  expect(compared['a']?.['accuracy']).toMatchObject({ mean: 0.125, splits: 2, wins: 1, ties: 1 });
  expect(compared['costly']?.['accuracy']).toMatchObject({ mean: 0.25, splits: 1 });
});
