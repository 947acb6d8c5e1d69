import type { ThresholdPoint } from '../../common/domain/training.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { confusionMatrix, summarise } from '../evaluate/metrics.ts';
import { predictions } from '../evaluate/probabilities.ts';
import { fusedPredictions, meanScores } from './fuse.ts';
import { checkScored, type ScoredImages } from './scored.ts';
import { bestPoint, thresholdCurve } from './threshold.ts';

/** T_r of the paper: a share of 23 % of the training images. */
export const PAPER_THRESHOLD = 0.3;

/** Accuracy that `modern` may lose against M0 on the images it chooses by. */
export const ACCURACY_LOSS = 0.005;

export interface FusionContext {
  /** R_j of each class in the training part. */
  ratios: readonly number[];
  /** Scores on the reference part. */
  reference: ScoredImages;
  /** Scores on the training part by models that did not learn the image. */
  outOfFold?: ScoredImages | undefined;
}

/** What was decided and on what grounds. */
export interface FusionChoice {
  /** `threshold`: Eq. 3 with `threshold`; `mean`: the mean of both heads' scores. */
  kind: 'threshold' | 'mean';
  /** T_r; for `mean` the one of the largest macro F1, which was not good enough. */
  threshold: number;
  /** Of the images that the rule chose by. */
  curve: ThresholdPoint[];
  /** The choice in a sentence, for the report. */
  reason: string;
}

export type FusionRule = (context: FusionContext) => FusionChoice;

/** T_r = .3 whatever the data; the curve is for the report. */
const paper: FusionRule = ({ ratios, reference }) => ({
  kind: 'threshold',
  threshold: PAPER_THRESHOLD,
  curve: thresholdCurve(reference, ratios),
  reason: `T_r = ${PAPER_THRESHOLD}, as in the paper.`,
});

/** Largest macro F1 on the reference part. It also steers sampling and stopping, so its scores are optimistic. */
const search: FusionRule = ({ ratios, reference }) => {
  const curve = thresholdCurve(reference, ratios);
  const best = bestPoint(curve) as ThresholdPoint;
  return {
    kind: 'threshold',
    threshold: best.threshold,
    curve,
    reason: `Largest macro F1 on the reference part, ${best.macroF1.toFixed(3)}.`,
  };
};

/** Largest out-of-fold macro F1 among the thresholds that cost hardly any accuracy; the mean of both where there is none. */
const modern: FusionRule = ({ ratios, outOfFold }) => {
  if (outOfFold === undefined) {
    throw new AppError(
      'FUSION_NEEDS_OUT_OF_FOLD',
      'The fusion rule "modern" chooses T_r on out-of-fold scores, but none were computed; train the folds or use the rule "search".',
    );
  }
  const curve = thresholdCurve(outOfFold, ratios);
  const right = summarise(confusionMatrix(outOfFold.truth, predictions(outOfFold.m0), ratios.length)).accuracy;
  const feasible = curve.filter((point) => point.accuracy >= right - ACCURACY_LOSS - 1e-12);
  const best = bestPoint(feasible);
  if (best === undefined) {
    return {
      kind: 'mean',
      threshold: (bestPoint(curve) as ThresholdPoint).threshold,
      curve,
      reason: `Every T_r loses more than ${ACCURACY_LOSS} accuracy against M0 out of fold, so the mean of both heads decides.`,
    };
  }
  return {
    kind: 'threshold',
    threshold: best.threshold,
    curve,
    reason: `Largest out-of-fold macro F1, ${best.macroF1.toFixed(3)}, at an accuracy of ${best.accuracy.toFixed(3)} (M0 ${right.toFixed(3)}).`,
  };
};

/** The control that the paper lacks; the curve says what a threshold would have given. */
const mean: FusionRule = ({ ratios, reference }) => {
  const curve = thresholdCurve(reference, ratios);
  return {
    kind: 'mean',
    threshold: (bestPoint(curve) as ThresholdPoint).threshold,
    curve,
    reason: 'The mean of both heads decides, as asked for.',
  };
};

/** Every rule by the name that settings use. A new one is a function and a line here. */
export const fusionRules = { paper, search, modern, mean } as const satisfies Record<string, FusionRule>;
export type FusionRuleName = keyof typeof fusionRules;
export const fusionRuleNames = Object.keys(fusionRules) as FusionRuleName[];

/** @throws AppError `FUSION_INPUT`, `FUSION_NEEDS_OUT_OF_FOLD` */
export function chooseFusion(rule: FusionRuleName, context: FusionContext): FusionChoice {
  checkScored(context.reference, context.ratios.length);
  return fusionRules[rule](context);
}

/** Classes that the chosen fusion gives to images that it was not chosen on. */
export function predictFused(
  choice: Pick<FusionChoice, 'kind' | 'threshold'>,
  ratios: readonly number[],
  images: Pick<ScoredImages, 'm0' | 'm1'>,
): number[] {
  return choice.kind === 'mean'
    ? predictions(meanScores(images.m0, images.m1))
    : fusedPredictions(images.m0, images.m1, { ratios, threshold: choice.threshold });
}
