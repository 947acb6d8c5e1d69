import { trainedRuns } from '../../common/domain/training.ts';
import type { TrainingReport } from '../../common/domain/training.ts';
import type { Dataset } from '../dataset/dataset.ts';
import type { Judgement } from '../fuse.ts';
import type { Images } from '../images.ts';
import type { Model } from '../model.ts';
import type { Progress } from '../progress.ts';
import { seedsOf } from '../train.ts';

export interface ReportInput {
  progress: Progress;
  dataset: Dataset;
  images: Images;
  model: Model;
  judged: Judgement;
  /** ms since the epoch. */
  finishedAt: number;
}

/** Everything that a run says of itself. */
export function reportOf({ progress, dataset, images, model, judged, finishedAt }: ReportInput): TrainingReport {
  const { request, iterations, schedule } = progress;
  const { settings, seed, threads } = request;
  return {
    format: 1,
    engine: `${model.engine.name} (${model.engine.describe()}, ${threads === 1 ? '1 thread' : `${threads} threads`})`,
    preset: settings.preset,
    network: model.network.name,
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
    fusion: { rule: judged.choice.reason, threshold: judged.choice.threshold, curve: judged.choice.curve },
    test: judged.test,
    reference: judged.reference,
    // What training took, also where several processes did it, one after another.
    seconds: iterations.reduce((sum, entry) => sum + entry.seconds, 0),
    startedAt: progress.startedAt,
    finishedAt: new Date(finishedAt).toISOString(),
    warnings: [...progress.warnings, ...warningsOf(progress)],
  };
}

function warningsOf({ iterations, schedule, request }: Progress): string[] {
  const { stopping } = request.settings;
  if (!stopping) return [];
  return trainedRuns.map((run) => {
    const own = iterations.filter((entry) => entry.run === run);
    return `${run.toUpperCase()} took ${own.length} of ${schedule.passes} passes and keeps the best by reference macro F1, smoothed over ${stopping.window}.`;
  });
}
