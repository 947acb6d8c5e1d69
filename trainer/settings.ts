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
  m1: DynamicSettings;
  fusion: ThresholdSettings;
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

/** Algorithm 1 with Eq. 2. */
export interface DynamicSettings {
  form: 'constant-total' | 'literal';
  /** Least number of samples of a class, in units of N*; 0 is Eq. 2 to the letter. */
  floor: number;
  /** Most repeats of an image in one iteration; `null` for no limit. */
  cap: number | null;
  /** A class without a reference image keeps N* ('hold') or counts as F1 = 0 ('zero'). */
  absent: 'hold' | 'zero';
  rounding: 'largest-remainder' | 'trunc';
  /** Share of the newest F1 in the mean that Eq. 2 sees; 1 takes the newest alone. */
  smoothing: number;
}

export type ThresholdSettings =
  | { rule: 'fixed'; threshold: number }
  /** The interval of the R_j with the best macro-F1 on the reference part among those with accuracy ≥ M0's − `slack`. */
  | { rule: 'search'; slack: number };

/** Learning rate of step `step` (from 0) of `steps`: half a cosine. */
export function learningRateAt({ learningRate, finalShare }: Optimiser, step: number, steps: number): number {
  const share = (1 + Math.cos((Math.PI * step) / Math.max(1, steps))) / 2;
  return learningRate * (finalShare + (1 - finalShare) * share);
}
