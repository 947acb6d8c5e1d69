import type { CleanMemory } from '../../common/domain/frame.ts';
import type { Evidence, Judgement, Verdict } from '../../common/domain/verdict.ts';
import type { FrozenRule } from './habits.ts';
import { frozenAfterMs, isFrozen, sizeThreshold, unchangedForMs } from './habits.ts';
import type { Statistics } from './statistics.ts';

export interface Thresholds {
  /** Black: at most this mean, and … */
  blackMean: number;
  /** … no structure: its cells no further apart than this, and nothing brighter than this. */
  blackSpread: number;
  blackMax: number;
  /** Blank: at most this deviation, and grey values no further apart than this. */
  blankStdev: number;
  blankSpread: number;
  frozen: FrozenRule;
}

/**
 * Grey values 0-255. A real night scene with a single lamp has a mean of 4 but white spots and cells that differ by 100 and
 * more; a covered lens has noise, which cells average away, and nothing else. The least structured real daylight scenes (fog,
 * snow) keep a deviation of 10; a blank card has less than 2.
 */
export const DEFAULT_THRESHOLDS: Thresholds = {
  blackMean: 10,
  blackSpread: 6,
  blackMax: 64,
  blankStdev: 2,
  blankSpread: 24,
  frozen: { factor: 10, floorMs: 10 * 60_000 },
};

/** A decoded picture beside what its camera is known for. */
export interface Picture {
  bytes: number;
  statistics: Statistics;
  /** The memory before this picture was learned, except for repetitions. */
  memory: CleanMemory;
  /** It has the same pixels as the picture before. */
  repeated: boolean;
  /** Nothing but a clock in it has changed. */
  still: boolean;
  /** The fleet knows it as a card. */
  placeholder: boolean;
  thresholds: Thresholds;
}

interface Rule {
  verdict: Verdict;
  /** The facts that speak for the verdict, or `undefined`. */
  find(picture: Picture): Evidence | undefined;
}

/**
 * The first rule that finds something decides. A new content verdict is one entry here, one in common/domain/verdict.ts and one in
 * common/domain/health.ts.
 */
const RULES: readonly Rule[] = [
  { verdict: 'black', find: findBlack },
  { verdict: 'blank', find: findBlank },
  { verdict: 'placeholder', find: (picture) => (picture.placeholder ? facts(picture) : undefined) },
  { verdict: 'low_byte_size', find: findLowByteSize },
  {
    verdict: 'frozen',
    find: (picture) => (picture.still ? frozenEvidence(picture.memory, picture.thresholds) : undefined),
  },
  { verdict: 'duplicate', find: (picture) => (picture.repeated ? { repeats: 'picture' } : undefined) },
  { verdict: 'good', find: facts },
];

export function judge(picture: Picture): Judgement {
  for (const { verdict, find } of RULES) {
    const evidence = find(picture);
    if (evidence) return { verdict, evidence };
  }
  return { verdict: 'good', evidence: facts(picture) };
}

function facts({ statistics: { mean, stdev }, bytes }: Picture): Evidence {
  return { mean: tenth(mean), stdev: tenth(stdev), bytes };
}

function findBlack(picture: Picture): Evidence | undefined {
  const { blackMean, blackSpread, blackMax } = picture.thresholds;
  const { mean, spread, max } = picture.statistics;
  return mean <= blackMean && spread <= blackSpread && max <= blackMax
    ? { ...facts(picture), max, threshold: blackMean }
    : undefined;
}

function findBlank(picture: Picture): Evidence | undefined {
  const { blankStdev, blankSpread } = picture.thresholds;
  const { stdev, min, max } = picture.statistics;
  return stdev <= blankStdev && max - min <= blankSpread ? { ...facts(picture), threshold: blankStdev } : undefined;
}

/** The byte-size check of Pouyanfar et al., with a threshold learned per camera instead of one for all. */
function findLowByteSize(picture: Picture): Evidence | undefined {
  const threshold = sizeThreshold(picture.memory.sizes);
  return threshold !== undefined && picture.bytes < threshold ? { ...facts(picture), threshold } : undefined;
}

/** For a camera whose picture has just been seen again; `memory` counts that repetition already. */
export function frozenEvidence(memory: CleanMemory, thresholds: Thresholds): Evidence | undefined {
  if (!isFrozen(memory, thresholds.frozen)) return undefined;
  return {
    unchangedMs: unchangedForMs(memory),
    threshold: frozenAfterMs(memory, thresholds.frozen) ?? 0,
    repeats: memory.repeats ?? 0,
  };
}

const tenth = (value: number): number => Math.round(value * 10) / 10;
