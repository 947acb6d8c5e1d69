import type { IterationReport, TrainedRun } from '../common/domain/training.ts';
import { trainedRuns } from '../common/domain/training.ts';
import { AppError } from '../common/runtime/errors.ts';
import { loadCheckpoint, saveCheckpoint } from './checkpoint.ts';
import type { TrainState } from './engine/engine.ts';
import type { Parameters } from './engine/network.ts';
import type { TrainRequest } from './request.ts';
import type { QueueState } from './sampling/queues.ts';
import type { Schedule } from './schedule.ts';

/** Where one model's training stands. Plain data: every field is in the checkpoint. */
export interface ModelProgress {
  run: TrainedRun;
  /** Position in the schedule's phases of this model. */
  phase: number;
  /** Steps taken in all finished iterations of this phase. */
  steps: number;
  /** The iteration under way, from 1, over all phases; and the first of this phase. */
  iteration: number;
  firstIteration: number;
  /** Steps taken in it, and their losses added up. */
  step: number;
  lossSum: number;
  /** The queues as they were before this iteration: it is drawn again from them. */
  queues: QueueState | null;
  /** What Eq. 2 sees; `null` before the first evaluation. */
  f1: (number | null)[] | null;
  /** Right predictions of each class on the reference part; `null` before the first evaluation. */
  hits: number[] | null;
  /** The mixture of classes that it learns to expect: of all steps, each as heavy as its learning rate. */
  prior: number[];
  /** Smoothed macro-F1 of the best iteration of this phase, where it is kept, and the iteration that reached it first. */
  best: { iteration: number; macroF1: number; since: number } | null;
  /** This phase: stopped early, or every step is taken. */
  finished: boolean;
}

/** The document of a checkpoint. */
export interface Progress {
  request: TrainRequest;
  /** Of images, labels and parts. */
  fingerprint: string;
  schedule: Schedule;
  model: ModelProgress;
  /** Of finished models: the mixture of classes that they learned to expect. */
  priors: Partial<Record<TrainedRun, number[]>>;
  iterations: IterationReport[];
  warnings: string[];
  startedAt: string;
}

/** Weights beside the document: of the model in training, of the best iteration, and of M0 when it is done. */
export interface Weights {
  current: TrainState;
  best: Parameters | null;
  m0: Parameters | null;
}

export const begin = (run: TrainedRun): ModelProgress => ({
  run,
  phase: 0,
  steps: 0,
  iteration: 1,
  firstIteration: 1,
  step: 0,
  lossSum: 0,
  queues: null,
  f1: null,
  hits: null,
  prior: [],
  best: null,
  finished: false,
});

export const runAfter = (run: TrainedRun): TrainedRun | undefined => trainedRuns[trainedRuns.indexOf(run) + 1];

/** @throws AppError `CHECKPOINT_UNWRITABLE` */
export function save(folder: string, progress: Progress, { current, best, m0 }: Weights): Promise<void> {
  return saveCheckpoint(folder, {
    document: progress,
    tensors: {
      weights: current.parameters,
      ...(current.momenta && { momenta: current.momenta }),
      ...(best && { best }),
      ...(m0 && { m0 }),
    },
  });
}

/**
 * Where the run in a folder stands; `undefined` for a new one.
 *
 * @throws AppError `RUN_EXISTS`, `CHECKPOINT_DAMAGED`, `CHECKPOINT_MISSING`
 */
export async function load(
  folder: string,
  resume: 'required' | 'if-possible' | undefined,
): Promise<{ progress: Progress; weights: Weights } | undefined> {
  const found = await loadCheckpoint<Progress>(folder);
  if (found && resume === undefined) {
    throw new AppError(
      'RUN_EXISTS',
      `There is a run in ${folder} already. Go on with it by --resume ${folder}, or give another folder with --out.`,
    );
  }
  if (!found) {
    if (resume !== 'required') return undefined;
    throw new AppError(
      'CHECKPOINT_MISSING',
      `There is no checkpoint in ${folder}; give the folder that an interrupted run wrote with --out.`,
    );
  }
  const { weights, momenta, best, m0 } = found.tensors;
  return {
    progress: found.document,
    weights: {
      current: { parameters: weights ?? new Map(), ...(momenta && { momenta }) },
      best: best ?? null,
      m0: m0 ?? null,
    },
  };
}
