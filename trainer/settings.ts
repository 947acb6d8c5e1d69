import type { TrainedRun } from '../common/domain/training.ts';
import type { FusionRuleName } from './fusion/rules.ts';
import type { LossName } from './losses/losses.ts';
import type { Eq2Settings } from './sampling/eq2.ts';
import type { SamplerName } from './sampling/samplers.ts';

/**
 * Everything that decides a training run beside its dataset and its seeds. Plain data: it stands in the report and in every
 * checkpoint as it is.
 */
export interface Settings {
  preset: string;
  /** Where a run does not do all that the preset's name promises: what it does instead. Stands behind the name in reports. */
  variant: string | null;
  /** `basic-cnn`: a small network from scratch; `backbone`: a head, and perhaps blocks, on an imported trunk. */
  network: 'basic-cnn' | 'backbone';
  /** What the artifact's resize graph makes of a picture: width and height in pixels, value · scale + offset. A backbone brings its own. */
  input: { width: number; height: number; scale: number; offset: number };
  /** Of level 1, as `optimiser`. */
  batch: number;
  optimiser: Optimiser;
  /** Passes of level 1 where neither passes nor a budget were asked for; `null`: as many as fit the usual budget. */
  passes: number | null;
  /** The blocks behind the cut of a backbone, trained on with the head; `null`: level 1 only. */
  levelTwo: LevelSettings | null;
  /** As Keras' ImageDataGenerator draws it; reference and test images are never augmented. */
  augmentation: AugmentationName;
  /**
   * `fresh`: each repetition of an image is warped anew and goes through the trunk. A number: at most so many warped views of an
   * image, their activations kept on disk and used in turn; an approximation. Read by backbone runs only.
   */
  views: 'fresh' | number;
  sampling: Record<TrainedRun, SamplingSettings>;
  losses: Record<TrainedRun, LossSettings>;
  /** A loss that corrects the prior together with F1-dynamic sampling favours rare classes twice: only where it is asked for. */
  allowDoubleCorrection: boolean;
  finish: FinishSettings;
  /** How T_r is chosen. */
  fusion: FusionRuleName;
  /** Of out-of-fold scores, where the fusion rule or the finish chooses by them. */
  folds: number;
  /** `undefined`: final weights, every step, as fair comparisons need it. */
  stopping: Stopping | undefined;
}

/**
 * Keeps the iteration with the best macro-F1 on the reference part, smoothed over `window` iterations, of equal ones the newest,
 * and ends a phase after `patience` iterations without a better one, once `earliest` (a share) of its steps are taken.
 */
export interface Stopping {
  window: number;
  patience: number;
  earliest: number;
}

/** `basic`: the Keras of the paper's time, which takes a shear of .2 for radians; `keras-2.1.4`: for degrees, as later ones do. */
export const augmentationNames = ['basic', 'keras-2.1.4', 'none'] as const;
export type AugmentationName = (typeof augmentationNames)[number];

export interface Optimiser {
  /** At the first step; falls along half a cosine. */
  learningRate: number;
  /** Share of `learningRate` at the last step. */
  finalShare: number;
  momentum: number;
  /** Largest global norm of a gradient. */
  clipNorm: number;
}

/** How one level is trained. */
export interface LevelSettings {
  passes: number;
  batch: number;
  optimiser: Optimiser;
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

export interface LossSettings {
  loss: LossName;
  /** Strength of 'logit-adjusted', exponent of 'cdb'. */
  tau: number;
  /** β of 'class-balanced'. */
  beta: number;
}

/** What happens to a trained model's scores, and to its last layer, before both models are fused. */
export interface FinishSettings {
  /** `temperature`: p^(1/T), T by likelihood; `common-prior`: that, and both models brought to one prior, π^(1 − τ). */
  calibration: 'none' | 'temperature' | 'common-prior';
  /** Post-hoc logit adjustment, logits − τ · ln prior; `search`: the best τ out of fold. With `common-prior` it is that prior's τ. */
  tau: number | 'search' | null;
  /** cRT: in so many of its last passes M1 trains its last layer alone, from anew, on balanced samples. */
  classifierPasses: number;
}

/** Learning rate of step `step` (from 0) of `steps`: half a cosine. */
export function learningRateAt({ learningRate, finalShare }: Optimiser, step: number, steps: number): number {
  const share = (1 + Math.cos((Math.PI * step) / Math.max(1, steps))) / 2;
  return learningRate * (finalShare + (1 - finalShare) * share);
}
