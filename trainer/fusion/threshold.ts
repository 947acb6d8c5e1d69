import type { ThresholdPoint } from '../../common/domain/training.ts';
import { confusionMatrix, summarise } from '../evaluate/metrics.ts';
import { fusedPredictions } from './fuse.ts';
import { checkScored, type ScoredImages } from './scored.ts';

/** Equal figures of different sums differ in the 16th digit. */
const TIE = 1e-12;

/**
 * One T_r for each interval in which all thresholds decide alike: below the smallest R_j, between neighbours, above the largest.
 * Inner intervals are represented by their middle, the lowest by half the smallest R_j, the highest by twice the largest.
 */
export function distinctThresholds(ratios: readonly number[]): number[] {
  const distinct = [...new Set(ratios)].sort((a, b) => a - b);
  const largest = distinct.at(-1) ?? 0;
  const middles = distinct.map((ratio, k) => ratio / 2 + (distinct[k - 1] ?? 0) / 2);
  // No threshold lies below an R_j of 0, and none that survives JSON above the largest number.
  return [...middles.filter((middle) => middle > 0), ...(largest * 2 < Infinity ? [largest * 2 || 1] : [])];
}

export function thresholdPoint(images: ScoredImages, ratios: readonly number[], threshold: number): ThresholdPoint {
  const predicted = fusedPredictions(images.m0, images.m1, { ratios, threshold });
  const { macroF1, accuracy } = summarise(confusionMatrix(images.truth, predicted, ratios.length));
  return { threshold, macroF1, accuracy };
}

/** The whole curve: macro F1 and accuracy of Eq. 3 in every interval of T_r, in rising order. */
export function thresholdCurve(images: ScoredImages, ratios: readonly number[]): ThresholdPoint[] {
  checkScored(images, ratios.length);
  return distinctThresholds(ratios).map((threshold) => thresholdPoint(images, ratios, threshold));
}

/** Largest macro F1; of equal ones the larger accuracy, then the smaller threshold. `undefined` of an empty list. */
export function bestPoint(curve: readonly ThresholdPoint[]): ThresholdPoint | undefined {
  const better = (a: ThresholdPoint, b: ThresholdPoint): boolean => {
    if (Math.abs(a.macroF1 - b.macroF1) > TIE) return a.macroF1 > b.macroF1;
    if (Math.abs(a.accuracy - b.accuracy) > TIE) return a.accuracy > b.accuracy;
    return a.threshold < b.threshold;
  };
  return curve.reduce<ThresholdPoint | undefined>(
    (best, point) => (best === undefined || better(point, best) ? point : best),
    undefined,
  );
}
