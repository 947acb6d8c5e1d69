import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { argMax } from '../../../../common/domain/model.ts';
import { svcDecisions, trainLinearSvc } from '../../../../trainer/baselines/linear-svc.ts';

interface SvcCase {
  name: string;
  C: number;
  features: number[][];
  labels: number[];
  tests: number[][];
  usual: number[][];
  exact: number[][];
  intercepts: number[];
  predicted: number[];
}
const fixture = new URL('../../../fixtures/scikit-learn-linear-svc.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(fixture, 'utf8')) as { cases: SvcCase[] };
const rows = (values: number[][]): Float32Array[] => values.map((row) => Float32Array.from(row));
const farthest = (ours: Float64Array[], theirs: number[][]): number =>
  Math.max(...ours.flatMap((row, i) => [...row].map((value, j) => Math.abs(value - (theirs[i]?.[j] as number)))));

describe.each(cases)('scikit-learn, $name', ({ C, features, labels, tests, usual, exact, predicted, intercepts }) => {
  const classes = Math.max(...labels) + 1;

  test('the defaults decide alike', () => {
    const model = trainLinearSvc(rows(features), labels, classes, { C });
    const decisions = svcDecisions(model, rows(tests));
    expect(model.unconverged).toEqual([]);
    expect(decisions.map(argMax)).toEqual(predicted);
    // Both stop within 1e-4 of the optimum's gradient, on different sides of it.
    expect(farthest(decisions, usual)).toBeLessThan(2e-3);
  });

  test('solved to the end the decisions are the same numbers', () => {
    const model = trainLinearSvc(rows(features), labels, classes, { C, tolerance: 1e-9, maxPasses: 100_000 });
    expect(farthest(svcDecisions(model, rows(tests)), exact)).toBeLessThan(2e-6);
    model.intercepts.forEach((intercept, j) => expect(intercept).toBeCloseTo(intercepts[j] as number, 5));
  });
});

test('one image on each side, worked by hand', () => {
  // x = ±2, y = ±1: b = 0 by symmetry; ½w² + 2·(1 − 2w)² is smallest at w + 16w − 8 = 0.
  const model = trainLinearSvc([Float32Array.of(2), Float32Array.of(-2)], [0, 1], 2, { tolerance: 1e-12 });
  expect(model.weights.map((weights) => +(weights[0] as number).toFixed(9))).toEqual([0.470588235, -0.470588235]);
  expect(Math.abs(model.intercepts[0] as number)).toBeLessThan(1e-9);
});

test('a class without training images never wins', () => {
  const model = trainLinearSvc(
    rows([
      [1, 0],
      [0, 1],
      [1, 1],
      [0, 2],
    ]),
    [0, 2, 0, 2],
    3,
  );
  const [decision] = svcDecisions(model, rows([[-50, -50]]));
  expect(decision?.[1]).toBe(-Infinity);
});

test('says which class ran out of passes', () => {
  const [first] = cases as [SvcCase];
  const model = trainLinearSvc(rows(first.features), first.labels, 4, { maxPasses: 2 });
  expect(model.unconverged).toEqual([0, 1, 2, 3]);
});

test.each([
  [[[1], [2]], [0], 2, /2 feature rows for 1 labels/],
  [[[1], [2, 3]], [0, 1], 2, /row 1 has 2 features/],
  [[[1], [2]], [0, 0], 2, /at least two classes/],
  [[[1], [2]], [0, 5], 2, /label 5/],
] as [number[][], number[], number, RegExp][])('refuses %j', (features, labels, classes, message) => {
  expect(() => trainLinearSvc(rows(features), labels, classes)).toThrow(message);
});
