import type { Part } from '../common/domain/dataset.ts';
import { ratiosOf } from '../common/domain/dataset.ts';
import type { Evaluation, TrainingReport } from '../common/domain/training.ts';
import type { TrainSession } from './engine/engine.ts';
import { evaluate } from './evaluate/metrics.ts';
import { predictions, rowsOf, softmax } from './evaluate/probabilities.ts';
import { meanScores } from './fusion/fuse.ts';
import { chooseFusion, predictFused } from './fusion/rules.ts';
import type { FusionChoice, FusionRuleName } from './fusion/rules.ts';
import type { ScoredImages } from './fusion/scored.ts';
import type { TrainingImages } from './images.ts';

/** Both trained networks, ready for forward passes, and the level whose features they take. */
export interface TrainedPair {
  m0: TrainSession;
  m1: TrainSession;
  level: number;
}

/** What Eq. 3 makes of both models, and how good each is on images that they never learned. */
export interface Judgement {
  ratios: number[];
  choice: FusionChoice;
  /** Beside the paper's T_r: the one searched on the reference part, judged on the test part. */
  searched: NonNullable<TrainingReport['fusion']['searched']> | undefined;
  reference: TrainingReport['reference'];
  test: TrainingReport['test'];
}

/** Chooses T_r by the rule, judges M0, M1, their mean and their fusion on reference and test part. */
export async function fuseAndJudge(
  images: TrainingImages,
  pair: TrainedPair,
  rule: FusionRuleName,
  outOfFold?: ScoredImages,
): Promise<Judgement> {
  const ratios = ratiosOf(images.counts.training);
  const reference = await scoresOf(images, pair, 'reference');
  const test = await scoresOf(images, pair, 'test');
  const choice = chooseFusion(rule, { ratios, reference, outOfFold });
  const judged = (of: ScoredImages, predicted: number[]): Evaluation => evaluate(images.classes, of.truth, predicted);
  const all = (of: ScoredImages): TrainingReport['test'] => ({
    m0: judged(of, predictions(of.m0)),
    m1: judged(of, predictions(of.m1)),
    mean: judged(of, predictions(meanScores(of.m0, of.m1))),
    fused: judged(of, predictFused(choice, ratios, of)),
  });
  const { m0, m1, fused } = all(reference);
  const searched = rule === 'paper' ? chooseFusion('search', { ratios, reference }) : undefined;
  return {
    ratios,
    choice,
    searched: searched && {
      threshold: searched.threshold,
      rule: searched.reason,
      test: judged(test, predictFused(searched, ratios, test)),
    },
    reference: { m0, m1, fused },
    test: all(test),
  };
}

async function scoresOf(images: TrainingImages, { m0, m1, level }: TrainedPair, part: Part): Promise<ScoredImages> {
  const scores = async (session: TrainSession) =>
    rowsOf(await images.logits(part, session, level), images.classes.length).map(softmax);
  return { truth: [...images.labels(part)], m0: await scores(m0), m1: await scores(m1) };
}
