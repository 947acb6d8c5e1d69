import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { IterationReport } from '../common/domain/training.ts';
import type { Clock } from '../common/runtime/clock.ts';
import { AppError } from '../common/runtime/errors.ts';
import { systemClock } from '../common/runtime/clock.ts';
import { BackboneImages, viewsOf } from './backbone-images.ts';
import { loadBackbone } from './backbone/backbone.ts';
import type { Backbone } from './backbone/backbone.ts';
import { countsOf, datasetFingerprint, requireUnchanged } from './dataset/dataset.ts';
import type { Dataset } from './dataset/dataset.ts';
import { loadDataset } from './dataset/load.ts';
import { finish } from './finish.ts';
import type { TrainingOutcome } from './finish.ts';
import { Images } from './images.ts';
import type { TrainingImages } from './images.ts';
import { measureSchedule } from './measure.ts';
import { openModel } from './model.ts';
import type { Model } from './model.ts';
import { begin, load, save } from './progress.ts';
import type { Progress, Weights } from './progress.ts';
import { requestOf } from './request.ts';
import type { TrainOptions, TrainRequest } from './request.ts';
import { interrupted, trainBoth } from './train.ts';

export type { TrainOptions } from './request.ts';
export type { TrainingOutcome } from './finish.ts';

export interface TrainHooks {
  onIteration?: (report: IterationReport) => void;
  /** Names of the classes, in the order of every list. */
  onClasses?: (classes: readonly string[]) => void;
  /** What goes on between iterations, in words; with numbers where they are known. */
  onStage?: (stage: string, done?: number, all?: number, secondsLeft?: number) => void;
  /** When it aborts the run saves a checkpoint and rejects with `TRAINING_INTERRUPTED`. */
  signal?: AbortSignal;
  clock?: Clock;
  /** Default: `loadBackbone`. */
  openBackbone?: (folder: string) => Promise<Backbone>;
}

type Hooks = Required<TrainHooks>;

/**
 * A whole run: settings, data, model, loop, checkpoint, report. Everything lies in `options.out`: `checkpoint.bin`, `report.json`,
 * `report.html`, two CSV files and the folder `artifact`.
 *
 * @throws AppError `TRAIN_OPTIONS`, `PRESET_UNKNOWN`, `ENGINE_UNKNOWN`, `TFJS_UNAVAILABLE`, `SETTINGS_CHANGED`, `RUN_EXISTS`, `CHECKPOINT_*`,
 *   `DATASET_*`, `BACKBONE_*`, `TRAINING_DIVERGED`, `TRAINING_INTERRUPTED`, `EXPORT_DIFFERS`, `TRAINER_KEY_UNREADABLE`
 */
export async function train(options: TrainOptions, given: TrainHooks = {}): Promise<TrainingOutcome> {
  const hooks = withDefaults(given);
  const folder = resolve(options.out);
  await mkdir(folder, { recursive: true });
  const before = await load(folder, options.resume);
  const backbone = await openBackbone(options, before, hooks);
  const request = requestOf(options, before?.progress.request, backbone);
  const dataset = await readDataset(request, hooks);
  if (before) requireUnchanged(dataset, before.progress.fingerprint);
  hooks.onClasses(dataset.classes);
  let hasCheckpoint = before !== undefined;
  const stopped = (): AppError => (hasCheckpoint ? interrupted(folder) : notBegun(folder));
  const openImages = imagesOf({ stopped, request, backbone, hooks, counts: countsOf(dataset).training });
  const images = openImages(dataset);
  try {
    const model = await openModel(request, dataset, backbone);
    const { progress, weights } = before ?? (await beginning(folder, { request, dataset, images, model, hooks }));
    hasCheckpoint = true;
    hooks.onStage('trains');
    const trained = await trainBoth({ ...hooks, folder, images, model, progress, weights });
    return await finish(folder, { options, hooks, dataset, images, openImages, model, progress, trained });
  } finally {
    await images.close();
  }
}

async function openBackbone(
  options: TrainOptions,
  before: { progress: Progress } | undefined,
  hooks: Hooks,
): Promise<Backbone | undefined> {
  const folder = options.backbone ?? before?.progress.request.backbone?.folder;
  return folder === undefined ? undefined : hooks.openBackbone(folder);
}

interface ImageSource {
  /** What an aborted computation of activations says. */
  stopped(): AppError;
  request: TrainRequest;
  backbone: Backbone | undefined;
  hooks: Hooks;
  /** Training images of each class: they decide how many views are cached, also where a fold is left out. */
  counts: readonly number[];
}

/** While speed is measured there is nothing to resume yet. */
const notBegun = (folder: string): AppError =>
  new AppError(
    'TRAINING_INTERRUPTED',
    `Training was stopped before its first step; activations that were computed are kept. Start it again with the same --out ${folder}.`,
  );

/** Opens the images of a dataset, or of a part of it, as the run's networks take them. */
function imagesOf({ stopped, request, backbone, hooks, counts }: ImageSource): (dataset: Dataset) => TrainingImages {
  const { settings, seed, threads } = request;
  if (!backbone) return (dataset) => new Images(dataset, settings, seed);
  const views = viewsOf(counts, settings);
  return (dataset) =>
    new BackboneImages(dataset, {
      ...{ backbone, settings, views, seed, threads, folder: request.features },
      ...{ clock: hooks.clock, signal: hooks.signal, interrupted: stopped },
      onProgress: (what, done, all, left) => hooks.onStage(what, done, all, left),
    });
}

const withDefaults = (hooks: TrainHooks): Hooks => ({
  onIteration: () => undefined,
  onStage: () => undefined,
  onClasses: () => undefined,
  signal: new AbortController().signal,
  clock: systemClock,
  openBackbone: loadBackbone,
  ...hooks,
});

function readDataset({ dataset, manifest, split, force, seed }: TrainRequest, { onStage }: Hooks): Promise<Dataset> {
  const choice = split === 'time' ? { by: split } : split && { by: split, seed };
  return loadDataset(dataset, {
    ...(manifest !== null && { manifest }),
    ...(choice !== null && { split: choice }),
    force,
    onProgress: (done, all) => onStage('reads images', done, all),
  });
}

interface Beginning {
  request: TrainRequest;
  dataset: Dataset;
  images: TrainingImages;
  model: Model;
  hooks: Hooks;
}

/** A new run: how many passes it will take, and a first checkpoint, so that whatever happens later can be gone on from. */
async function beginning(
  folder: string,
  { request, dataset, images, model, hooks }: Beginning,
): Promise<{ progress: Progress; weights: Weights }> {
  if (request.passes === null) hooks.onStage('measures the speed of this machine');
  const schedule = await measureSchedule({ request, images, model, clock: hooks.clock });
  const progress: Progress = {
    request,
    fingerprint: datasetFingerprint(dataset),
    schedule,
    model: begin('m0'),
    priors: {},
    iterations: [],
    warnings: [...dataset.warnings],
    startedAt: new Date(hooks.clock.now()).toISOString(),
  };
  const weights: Weights = { current: { parameters: model.start }, best: null, m0: null };
  await save(folder, progress, weights);
  return { progress, weights };
}
