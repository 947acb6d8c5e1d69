import type { Eq2Settings, SampleSizes } from './eq2.ts';

/** What a sampler may know when it plans an iteration. */
export interface SamplingContext {
  /** From 1. */
  iteration: number;
  /** Planned number of iterations. */
  iterations: number;
  /** Training images of each class. */
  trainingCounts: readonly number[];
  /** Reference images of each class. */
  referenceCounts: readonly number[];
  /** F1 after the iteration before, smoothed as the preset wants; `null` before the first evaluation and in level 1 of M1. */
  f1: readonly (number | null)[] | null;
  /** N*; `baseOf` gives the paper's. */
  base: number;
  eq2: Eq2Settings;
}

/**
 * How the samples of an iteration come to batches. `shuffled`: all of them in one random order. `sequence`: the class of each
 * sample in order, cut into batches. `quotas`: every batch has the same number of each class.
 */
export type Arrangement =
  | { kind: 'shuffled' }
  | { kind: 'sequence'; order: readonly number[] }
  | { kind: 'quotas'; quotas: readonly number[]; batches: number };

export interface SamplingPlan extends SampleSizes {
  arrangement: Arrangement;
}

export interface Sampler {
  /** Sizes follow the scores on the reference part: not to be combined unasked with a loss that corrects the prior. */
  scoreDriven: boolean;
  plan(context: SamplingContext): SamplingPlan;
}
