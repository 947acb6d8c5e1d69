import type { TrainedRun } from '../common/domain/training.ts';
import type { FusionRuleName } from './fusion/rules.ts';
import type { Eq2Settings } from './sampling/eq2.ts';
import type { SamplerName } from './sampling/samplers.ts';

/**
 * Everything that decides a training run beside its dataset and its seeds. Plain data: it stands in the report and in every
 * checkpoint as it is.
 */
export interface Settings {
  preset: string;
  network: 'basic-cnn';
  /** What the artifact's resize graph makes of a picture: width and height in pixels, value · scale + offset. */
  input: { width: number; height: number; scale: number; offset: number };
  batch: number;
  optimiser: Optimiser;
  /** As Keras' ImageDataGenerator draws it; reference and test images are never augmented. */
  augmentation: 'basic' | 'none';
  sampling: Record<TrainedRun, SamplingSettings>;
  /** How T_r is chosen. */
  fusion: FusionRuleName;
  /**
   * Keep the iteration with the best macro-F1 on the reference part, smoothed over `window` iterations, and stop after
   * `patience` without a better one. `undefined`: final weights, every step, as fair comparisons need it.
   */
  stopping: { window: number; patience: number } | undefined;
}

export interface Optimiser {
  /** At the first step; falls along half a cosine. */
  learningRate: number;
  /** Share of `learningRate` at the last step. */
  finalShare: number;
  momentum: number;
  /** Largest global norm of a gradient. */
  clipNorm: number;
}

/** How the images of an iteration are chosen. */
export interface SamplingSettings {
  sampler: SamplerName;
  /** Read by 'f1-dynamic' (Algorithm 1); `cap: null` is no cap. */
  eq2: Omit<Eq2Settings, 'cap'> & { cap: number | null };
  /** Weight of the earlier F1 in the moving average that Eq. 2 sees; 0 takes the newest alone. */
  decay: number;
  /** Pulls the F1 of classes with few reference images towards ½; 0 is plain F1. */
  shrinkage: number;
}

/** Learning rate of step `step` (from 0) of `steps`: half a cosine. */
export function learningRateAt({ learningRate, finalShare }: Optimiser, step: number, steps: number): number {
  const share = (1 + Math.cos((Math.PI * step) / Math.max(1, steps))) / 2;
  return learningRate * (finalShare + (1 - finalShare) * share);
}
