/** What a loss may know of the iteration that it is for. */
export interface LossContext {
  /** N_ij: samples of each class in this iteration, as drawn, not as the data set has them. */
  sizes: readonly number[];
  /** Right predictions and images of each class on the reference part after the iteration before; `null` before the first. */
  reference: { truePositives: readonly number[]; images: readonly number[] } | null;
  /** Strength: of the logit adjustment, or the exponent of CDB. */
  tau: number;
  /** β of the class-balanced loss. */
  beta: number;
}

export const lossDefaults = {
  tau: 1,
  // Of the values that Cui et al. tried, the one for thousands of images.
  beta: 0.999,
};

/** What reaches the engine's step, one value a class; plain cross-entropy has neither. */
export interface LossTerms {
  /** Weight of an image of the class. */
  classWeights?: Float32Array;
  /** Added to the logits in the loss. */
  logPriors?: Float32Array;
}

export interface Loss {
  /** Undoes the mixture of classes that it is trained on: with a sampler that changes it on purpose it would correct twice. */
  priorCorrected: boolean;
  terms(context: LossContext): LossTerms;
}
