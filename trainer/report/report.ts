import type { Adjusted } from '../adjust.ts';
import { trainedRuns } from '../../common/domain/training.ts';
import type { TrainedRun, TrainingReport } from '../../common/domain/training.ts';
import type { Dataset } from '../dataset/dataset.ts';
import type { Judgement } from '../fuse.ts';
import type { TrainingImages } from '../images.ts';
import type { Model } from '../model.ts';
import type { Progress } from '../progress.ts';
import { seedsOf } from '../phases.ts';

export interface ReportInput {
  progress: Progress;
  dataset: Dataset;
  images: TrainingImages;
  model: Model;
  judged: Judgement;
  adjusted: Pick<Adjusted, 'adjustments' | 'chosenBy'>;
  /** ms since the epoch. */
  finishedAt: number;
}

/** Everything that a run says of itself. */
export function reportOf(input: ReportInput): TrainingReport {
  const { progress, dataset, images, model, judged, finishedAt } = input;
  const { request, iterations, schedule } = progress;
  const { settings, seed, threads } = request;
  return {
    format: 1,
    engine: `${model.engine.name} (${model.engine.describe()}, ${threads === 1 ? '1 thread' : `${threads} threads`})`,
    preset: settings.variant === null ? settings.preset : `${settings.preset} (${settings.variant})`,
    network: model.name,
    weights: model.weights,
    seeds: seedsOf(seed),
    dataset: {
      name: dataset.name,
      digest: dataset.digest,
      split: dataset.splitRule,
      classes: [...dataset.classes],
    },
    settings: { ...settings, passes: schedule.passes, steps: schedule.steps, budgetSeconds: request.budgetSeconds },
    counts: images.counts,
    ratios: judged.ratios,
    iterations,
    ...fusionOf(input),
    test: judged.test,
    reference: judged.reference,
    // What training took, also where several processes did it, one after another.
    seconds: iterations.reduce((sum, entry) => sum + entry.seconds, 0),
    startedAt: progress.startedAt,
    finishedAt: new Date(finishedAt).toISOString(),
    warnings: [...new Set([...model.warnings, ...progress.warnings, ...warningsOf(progress)])],
  };
}

function fusionOf({ progress, judged, adjusted }: ReportInput): Pick<TrainingReport, 'fusion' | 'adjustments'> {
  const { kind, reason, threshold, curve } = judged.choice;
  const { searched } = judged;
  const name = progress.request.settings.fusion;
  const { adjustments, chosenBy } = adjusted;
  const of = (run: TrainedRun) => ({ temperature: adjustments[run].temperature, tau: adjustments[run].tau });
  return {
    fusion: {
      ...{ rule: reason, threshold, curve, name, kind, curveOf: name === 'modern' ? 'out-of-fold' : 'reference' },
      ...(searched && { searched }),
    },
    ...(chosenBy && { adjustments: { chosenBy, m0: of('m0'), m1: of('m1') } }),
  };
}

function warningsOf({ iterations, schedule, request }: Progress): string[] {
  const { settings } = request;
  const { stopping } = settings;
  const views = settings.network === 'backbone' && settings.views !== 'fresh' && settings.augmentation !== 'none';
  const said = views
    ? [
        `Each image was learned in at most ${settings.views} warped views, used in turn, instead of a fresh one each time: an approximation.`,
      ]
    : [];
  if (!stopping) return said;
  const stopped = trainedRuns.map((run) => {
    const own = iterations.filter((entry) => entry.run === run);
    return `${run.toUpperCase()} took ${own.length} of ${schedule.passes} passes and keeps the best by reference macro F1, smoothed over ${stopping.window}.`;
  });
  return [...said, ...stopped];
}
