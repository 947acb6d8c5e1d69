import type { DemoMedian } from './demo.ts';

/** What the demo is to show, on the median of its seeds. */
export interface DemoBar {
  name: 'difficulty' | 'gain' | 'accuracy';
  /** The bar in words. */
  words: string;
  value: number;
  least: number;
  /** Where there is an upper end. */
  most: number | null;
  met: boolean;
}

/** Scenes neither hopeless nor trivial for M0: only then does a gain mean something. */
const DIFFICULTY = { least: 0.3, most: 0.7 };
const LEAST_GAIN = 0.05;
const MOST_ACCURACY_LOST = 0.02;
/** Differences of equal figures are off in the 16th digit. */
const ROUNDING = 1e-9;

export function demoBars({ figures, differences }: DemoMedian): DemoBar[] {
  const { least, most } = DIFFICULTY;
  return [
    judged('difficulty', `mean F1 of the six rarest by M0 from ${least} to ${most}`, figures.rareM0, least, most),
    judged('gain', `the same, fused − M0, at least +${LEAST_GAIN}`, differences.rare, LEAST_GAIN),
    judged(
      'accuracy',
      `accuracy, fused − M0, at least −${MOST_ACCURACY_LOST}`,
      differences.accuracy,
      -MOST_ACCURACY_LOST,
    ),
  ];
}

function judged(
  name: DemoBar['name'],
  words: string,
  value: number,
  least: number,
  most: number | null = null,
): DemoBar {
  const met = value >= least - ROUNDING && (most === null || value <= most + ROUNDING);
  return { name, words, value, least, most, met };
}
