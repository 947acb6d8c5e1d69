import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fusedPredictions, meanScores } from '../../../../trainer/fusion/fuse.ts';
import { chooseFusion, predictFused } from '../../../../trainer/fusion/rules.ts';
import type { ScoredImages } from '../../../../trainer/fusion/scored.ts';
import { bestPoint, distinctThresholds, thresholdCurve, thresholdPoint } from '../../../../trainer/fusion/threshold.ts';
import { predictions } from '../../../../trainer/evaluate/probabilities.ts';

// Frequent, middling, rare.
const ratios = [1, 0.4, 0.1];

describe('the curve over T_r', () => {
  test('has one point for each interval between the distinct ratios', () => {
    expect(distinctThresholds([0.4, 0.1, 1, 0.4])).toEqual([0.05, 0.25, 0.7, 2]);
    expect(distinctThresholds([0, 1])).toEqual([0.5, 2]);
    expect(distinctThresholds([0, 0])).toEqual([1]);
    expect(distinctThresholds([Number.MAX_VALUE, 0])).toEqual([Number.MAX_VALUE / 2]);
  });

  test('is worked out by Eq. 3 in each interval', () => {
    // M0 says 0 or 1, M1 says 1 or 2. Images: truth; M0's winner and score; M1's winner and score.
    const images: ScoredImages = {
      truth: [0, 1, 2, 2],
      m0: [
        [0.9, 0.05, 0.05],
        [0.6, 0.3, 0.1],
        [0.5, 0.3, 0.2],
        [0.2, 0.7, 0.1],
      ],
      m1: [
        [0.3, 0.5, 0.2],
        [0.1, 0.8, 0.1],
        [0.1, 0.2, 0.7],
        [0.1, 0.3, 0.6],
      ],
    };
    // T = .05: all ratios above, M0 decides all: 0 0 0 1. One right of four; F1: 2/4, 0, 0.
    // T = .25: winners 0/1 and 0/1: M0 (0, 0); 0/2: surer M1 (2); 1/2: surer M0 (1): 0 0 2 1. Two right.
    //          F1: class 0 2/3, class 1 0, class 2 2/(2+1).
    // T = .70: 0/1: surer: image 0 M0 (0), image 1 M1 (1); 0/2: M1 (2); 1/2 both below: M1 (2): all right.
    // T = 2: M1 decides all: 1 1 2 2. F1: class 0 0, class 1 2/3, class 2 1.
    const curve = thresholdCurve(images, ratios);
    expect(curve.map((point) => point.threshold)).toEqual([0.05, 0.25, 0.7, 2]);
    expect(curve.map((point) => point.accuracy)).toEqual([0.25, 0.5, 1, 0.75]);
    [0.5 / 3, 4 / 9, 1, 5 / 9].forEach((f1, k) => expect(curve[k]?.macroF1).toBeCloseTo(f1, 12));
    expect(chooseFusion('search', { ratios, reference: images }).threshold).toBe(0.7);
    const paper = chooseFusion('paper', { ratios, reference: images });
    expect(paper).toMatchObject({ kind: 'threshold', threshold: 0.3, curve });
    // .3 lies in the interval of .25.
    expect(predictFused(paper, ratios, images)).toEqual([0, 0, 2, 1]);
  });

  test('of equal macro F1 the larger accuracy wins, then the smaller threshold', () => {
    const point = (threshold: number, macroF1: number, accuracy: number) => ({ threshold, macroF1, accuracy });
    expect(bestPoint([point(1, 0.5, 0.7), point(2, 0.5, 0.8), point(3, 0.5, 0.8)])?.threshold).toBe(2);
    expect(bestPoint([point(1, 0.5, 0.9), point(2, 0.6, 0.1)])?.threshold).toBe(2);
    // 0.1 + 0.2 and 0.3 are equal figures.
    expect(bestPoint([point(1, 0.3, 0.5), point(2, 0.1 + 0.2, 0.5)])?.threshold).toBe(1);
    expect(bestPoint([])).toBeUndefined();
  });
});

const scoredImages = fc.integer({ min: 2, max: 6 }).chain((classes) => {
  const level = fc.integer({ min: 0, max: 8 }).map((value) => value / 8);
  const row = fc.array(level, { minLength: classes, maxLength: classes });
  const image = fc.record({ m0: row, m1: row, truth: fc.integer({ min: 0, max: classes - 1 }) });
  return fc.record({
    ratios: fc.array(
      fc.integer({ min: 0, max: 12 }).map((value) => value / 8),
      { minLength: classes, maxLength: classes },
    ),
    images: fc.array(image, { minLength: 1, maxLength: 20 }),
  });
});
const apart = (images: { m0: number[]; m1: number[]; truth: number }[]): ScoredImages => ({
  m0: images.map((image) => image.m0),
  m1: images.map((image) => image.m1),
  truth: images.map((image) => image.truth),
});

describe('Eq. 3, whatever the scores', () => {
  test('every threshold decides as the representative of its interval', () => {
    fc.assert(
      fc.property(scoredImages, fc.double({ min: 0.001, max: 1.9, noNaN: true }), (given, threshold) => {
        fc.pre(!given.ratios.includes(threshold));
        const images = apart(given.images);
        const own = thresholdPoint(images, given.ratios, threshold);
        const sameSide = (other: number): boolean => given.ratios.every((r) => r > other === r > threshold);
        const representative = thresholdCurve(images, given.ratios).find((point) => sameSide(point.threshold));
        expect(representative).toMatchObject({ macroF1: own.macroF1, accuracy: own.accuracy });
      }),
    );
  });

  test('below all ratios M0 decides, above all M1, and models that agree are never overruled', () => {
    fc.assert(
      fc.property(scoredImages, (given) => {
        const { m0, m1 } = apart(given.images);
        const above = given.ratios.map((ratio) => ratio + 1);
        expect(fusedPredictions(m0, m1, { ratios: above, threshold: 0.5 })).toEqual(predictions(m0));
        expect(fusedPredictions(m0, m1, { ratios: given.ratios, threshold: 5 })).toEqual(predictions(m1));
        const fused = fusedPredictions(m0, m1, { ratios: given.ratios, threshold: 0.5 });
        const first = predictions(m0);
        const second = predictions(m1);
        fused.forEach((winner, i) => expect([first[i], second[i]]).toContain(winner));
      }),
    );
  });
});

describe('the rule "modern"', () => {
  const one = (j: number): number[] => [0, 1, 2].map((k) => (k === j ? 0.8 : 0.1));
  const reference: ScoredImages = { truth: [0], m0: [one(0)], m1: [one(0)] };

  test('takes the best macro F1 among thresholds that keep the accuracy of M0', () => {
    // M0 sees class 2 never; M1 sees all of it but takes half of class 0 for class 2.
    const truth = [0, 0, 0, 0, 0, 0, 2, 1];
    const outOfFold: ScoredImages = {
      truth,
      m0: [0, 0, 0, 0, 0, 0, 1, 1].map(one),
      m1: [0, 0, 0, 2, 2, 2, 2, 1].map(one),
    };
    const choice = chooseFusion('modern', { ratios, reference, outOfFold });
    // T = .05 is M0: 7 of 8. T = .25: 0/2 equal scores, M0; 1/2 equal, M0: the same. T = .7: 1/2 both below, M1: all 8 right.
    expect(choice).toMatchObject({ kind: 'threshold', threshold: 0.7 });
    expect(choice.reason).toContain('1.000');
  });

  test('falls back to the mean where every threshold costs accuracy', () => {
    // With every R_j 0 no threshold lets M0 decide, and M1 has one of the images wrong.
    const outOfFold: ScoredImages = {
      truth: [0, 1, 2],
      m0: [0, 1, 2].map(one),
      m1: [[0.2, 0.4, 0.4], one(1), one(2)],
    };
    const choice = chooseFusion('modern', { ratios: [0, 0, 0], reference, outOfFold });
    expect(choice.kind).toBe('mean');
    expect(choice.reason).toContain('mean of both heads');
    expect(predictFused(choice, [0, 0, 0], outOfFold)).toEqual([0, 1, 2]);
  });

  test('says what is missing without out-of-fold scores', () => {
    expect(() => chooseFusion('modern', { ratios, reference })).toThrow(
      expect.objectContaining({ code: 'FUSION_NEEDS_OUT_OF_FOLD' }) as Error,
    );
  });

  test('scores that do not fit together are refused', () => {
    const torn = { ...reference, m1: [] };
    expect(() => chooseFusion('search', { ratios, reference: torn })).toThrow(/must score all 1 images in 3 classes/);
    const empty = { m0: [], m1: [], truth: [] };
    expect(() => chooseFusion('search', { ratios, reference: empty })).toThrow(/needs labelled images/);
  });
});

test('the mean of two models is taken class by class', () => {
  expect(meanScores([[0.2, 0.8]], [[0.6, 0.4]]).map((row) => [...row].map((score) => +score.toFixed(9)))).toEqual([
    [0.4, 0.6],
  ]);
});

test('the rule "mean" decides by the mean of both heads and keeps the curve', () => {
  const reference: ScoredImages = { truth: [0, 1], m0: [[0.6, 0.4], [0.9, 0.1]], m1: [[0.1, 0.9], [0.4, 0.6]] }; // prettier-ignore
  const choice = chooseFusion('mean', { ratios: [1, 1], reference });
  expect(choice.kind).toBe('mean');
  expect(choice.curve.length).toBeGreaterThan(0);
  expect(predictFused(choice, [1, 1], reference)).toEqual([1, 0]);
});
