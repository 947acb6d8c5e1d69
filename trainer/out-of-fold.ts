import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../common/runtime/clock.ts';
import { trainedRuns } from '../common/domain/training.ts';
import type { TrainedRun } from '../common/domain/training.ts';
import { loadCheckpoint, saveCheckpoint } from './checkpoint.ts';
import { datasetFingerprint, indicesOf, requireUnchanged } from './dataset/dataset.ts';
import type { Dataset, DatasetSample } from './dataset/dataset.ts';
import { foldsOf } from './dataset/folds.ts';
import { rowsOf } from './evaluate/probabilities.ts';
import type { TrainingImages } from './images.ts';
import type { Model } from './model.ts';
import { begin, load } from './progress.ts';
import type { Progress } from './progress.ts';
import { scheduleOf } from './schedule.ts';
import type { Schedule } from './schedule.ts';
import type { Settings } from './settings.ts';
import { trainBoth } from './train.ts';

/** Scores of training images by models that learned the other folds. */
export interface OutOfFold {
  /** Class of each scored image. */
  truth: number[];
  /** One row an image, and the mixture of classes that its model learned to expect. */
  logits: Record<TrainedRun, Float32Array[]>;
  priors: Record<TrainedRun, (readonly number[])[]>;
}

export interface FoldRuns {
  /** Of the run; results of folds lie below it. */
  folder: string;
  dataset: Dataset;
  model: Model;
  /** Of the whole run: its request and passes are the folds', too. */
  progress: Progress;
  openImages(dataset: Dataset): TrainingImages;
  hooks: { clock: Clock; signal: AbortSignal; onStage(stage: string, done?: number, all?: number): void };
}

/**
 * Trains both models again without each fold, by the same loop, and lets them score what they did not see. Cameras stay whole.
 * What is finished is kept; a fold that was interrupted goes on from its checkpoint.
 *
 * @throws AppError as `trainBoth`
 */
export async function outOfFold(runs: FoldRuns): Promise<OutOfFold> {
  const { dataset, progress } = runs;
  const { settings, seed } = progress.request;
  const training = indicesOf(dataset, 'training');
  const samples = training.map((index) => dataset.samples[index] as DatasetSample);
  const fold = foldsOf(samples, settings.folds, seed);
  const result: OutOfFold = { truth: [], logits: { m0: [], m1: [] }, priors: { m0: [], m1: [] } };
  for (let k = 0; k < settings.folds; k++) {
    const held = new Set(training.filter((_, i) => fold[i] === k));
    if (held.size === 0 || held.size === training.length) continue;
    const scored = await oneFold(runs, k, without(dataset, held));
    result.truth.push(...[...held].map((index) => (dataset.samples[index] as DatasetSample).label));
    for (const run of trainedRuns) {
      const rows = rowsOf(scored.logits[run], dataset.classes.length);
      result.logits[run].push(...rows);
      result.priors[run].push(...rows.map(() => scored.priors[run]));
    }
  }
  return result;
}

/** The dataset without a fold: what was held out takes the place of the test part, which must not be looked at. */
function without(dataset: Dataset, held: ReadonlySet<number>): Dataset {
  const samples = dataset.samples.flatMap((sample, index) => {
    if (sample.part === 'test') return [];
    return [held.has(index) ? { ...sample, part: 'test' as const } : sample];
  });
  return { ...dataset, samples };
}

interface Scored {
  logits: Record<TrainedRun, Float32Array>;
  priors: Record<TrainedRun, number[]>;
}

async function oneFold(runs: FoldRuns, k: number, dataset: Dataset): Promise<Scored> {
  const folder = join(runs.folder, 'folds', String(k + 1));
  const kept = join(folder, 'scores');
  const fingerprint = datasetFingerprint(dataset);
  const before = await loadCheckpoint<{ fingerprint: string; priors: Scored['priors'] }>(kept);
  if (before) {
    requireUnchanged(dataset, before.document.fingerprint);
    const of = (run: TrainedRun): Float32Array => before.tensors['logits']?.get(run)?.data ?? new Float32Array(0);
    return { logits: { m0: of('m0'), m1: of('m1') }, priors: before.document.priors };
  }
  await mkdir(kept, { recursive: true });
  const scored = await trainFold(runs, k, { folder, dataset, fingerprint });
  const rows = (run: TrainedRun) => ({ dims: [scored.logits[run].length], data: scored.logits[run] });
  const logits = new Map(trainedRuns.map((run) => [run, rows(run)]));
  await saveCheckpoint(kept, { document: { fingerprint, priors: scored.priors }, tensors: { logits } });
  // Only now: it holds the weights of both models.
  await rm(join(folder, 'checkpoint.bin'), { force: true });
  return scored;
}

async function trainFold(
  { folder: runFolder, progress: whole, model, openImages, hooks }: FoldRuns,
  k: number,
  { folder, dataset, fingerprint }: { folder: string; dataset: Dataset; fingerprint: string },
): Promise<Scored> {
  const images = openImages(dataset);
  try {
    const found = await load(folder, 'if-possible');
    if (found) requireUnchanged(dataset, found.progress.fingerprint);
    const schedule = shortened(whole.schedule, whole.request.settings, images.labels('training').length);
    const progress: Progress = found?.progress ?? {
      ...whole,
      ...{ fingerprint, schedule, model: begin('m0'), priors: {}, iterations: [], warnings: [] },
    };
    const weights = found?.weights ?? { current: { parameters: model.start }, best: null, m0: null };
    const { folds } = whole.request.settings;
    const trained = await trainBoth({
      ...{ folder, runFolder, images, model, progress, weights, clock: hooks.clock, signal: hooks.signal },
      onIteration: ({ run, iteration, iterations }) =>
        hooks.onStage(`trains ${run.toUpperCase()} without fold ${k + 1} of ${folds}`, iteration, iterations),
    });
    const level = model.networks.length;
    const logits = {} as Scored['logits'];
    for (const run of trainedRuns) {
      const session = await model.open(level, trained[run]);
      logits[run] = await images.logits('test', session, level).finally(() => session.close());
    }
    return { logits, priors: progress.priors as Scored['priors'] };
  } finally {
    await images.close();
  }
}

/** As many passes over fewer images. */
function shortened({ phases }: Schedule, settings: Settings, trainingImages: number): Schedule {
  const levels = phases.m0.map(({ level, passes }) => {
    const { batch } = level === 2 && settings.levelTwo ? settings.levelTwo : settings;
    return { batch, passes, step: 0, evaluation: 0 };
  });
  const { classifierPasses } = settings.finish;
  return scheduleOf({ trainingImages, levels, classifierPasses, budgetSeconds: undefined });
}
