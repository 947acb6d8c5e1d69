import { trainedRuns } from '../common/domain/training.ts';
import type { TrainedRun } from '../common/domain/training.ts';
import type { Network } from './engine/network.ts';
import { rowsOf } from './evaluate/probabilities.ts';
import { adjustmentOf, withTransform } from './fusion/adjust.ts';
import type { Adjustment, Evidence } from './fusion/adjust.ts';
import { transformedProbabilities } from './fusion/calibration.ts';
import type { ScoredImages } from './fusion/scored.ts';
import type { TrainingImages } from './images.ts';
import { effectivePrior } from './losses/prior.ts';
import type { Model } from './model.ts';
import type { OutOfFold } from './out-of-fold.ts';
import type { Progress } from './progress.ts';
import type { TrainedModels } from './train.ts';

/** Both models as they will serve, and what was done to them since they were trained. */
export interface Adjusted {
  trained: TrainedModels;
  adjustments: Record<TrainedRun, Pick<Adjustment, 'temperature' | 'tau'>>;
  /** What the adjustments were chosen by; `null` where there are none. */
  chosenBy: 'out-of-fold' | 'reference' | null;
  /** Adjusted out-of-fold scores, where folds were trained. */
  outOfFold: ScoredImages | undefined;
}

export interface ToAdjust {
  images: TrainingImages;
  model: Model;
  progress: Progress;
  trained: TrainedModels;
  folds: OutOfFold | undefined;
}

/** Temperature, prior correction and logit adjustment as the settings ask for them, folded into each model's last layer. */
export async function adjust(run: ToAdjust): Promise<Adjusted> {
  const { model, progress, trained, folds } = run;
  const { finish } = progress.request.settings;
  const isNeeded = finish.calibration !== 'none' || finish.tau !== null;
  if (!isNeeded) {
    const none = { temperature: 1, tau: null };
    return { trained, adjustments: { m0: none, m1: none }, chosenBy: null, outOfFold: folds && scoresOf(folds) };
  }
  const evidence = folds ? evidenceOf(folds) : await referenceEvidence(run);
  const natural = effectivePrior(run.images.counts.training);
  const of = (name: TrainedRun): Adjustment => {
    const prior = progress.priors[name] ?? natural;
    return adjustmentOf(finish, { natural, prior, evidence: evidence[name], m0: evidence.m0 });
  };
  const adjustments = { m0: of('m0'), m1: of('m1') };
  const network = model.networks.at(-1) as Network;
  const changed = (name: TrainedRun) =>
    withTransform(network, trained[name], adjustments[name].transform(progress.priors[name] ?? natural));
  return {
    trained: { m0: changed('m0'), m1: changed('m1') },
    adjustments,
    chosenBy: folds ? 'out-of-fold' : 'reference',
    outOfFold: folds && scoresOf(folds, adjustments),
  };
}

const evidenceOf = ({ logits, truth }: OutOfFold): Record<TrainedRun, Evidence> => ({
  m0: { logits: logits.m0, truth },
  m1: { logits: logits.m1, truth },
});

async function referenceEvidence({ images, model, trained }: ToAdjust): Promise<Record<TrainedRun, Evidence>> {
  const level = model.networks.length;
  const truth = [...images.labels('reference')];
  const evidence = {} as Record<TrainedRun, Evidence>;
  for (const run of trainedRuns) {
    const session = await model.open(level, trained[run]);
    const logits = await images.logits('reference', session, level).finally(() => session.close());
    evidence[run] = { truth, logits: rowsOf(logits, images.classes.length) };
  }
  return evidence;
}

/** Each image by the prior of the model that did not learn it. */
function scoresOf({ truth, logits, priors }: OutOfFold, adjustments?: Record<TrainedRun, Adjustment>): ScoredImages {
  const of = (run: TrainedRun) =>
    logits[run].map((row, i) => {
      const own = priors[run][i] as readonly number[];
      const transform = adjustments?.[run].transform(own) ?? { scale: 1, offset: own.map(() => 0) };
      return transformedProbabilities([row], transform)[0] as Float64Array;
    });
  return { truth, m0: of('m0'), m1: of('m1') };
}
