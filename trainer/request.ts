import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { AppError, EXIT } from '../common/runtime/errors.ts';
import type { Backbone } from './backbone/backbone.ts';
import { checkCombination } from './losses/losses.ts';
import { eq2Of } from './eq2-options.ts';
import { settingsFor } from './options.ts';
import type { TrainOptions } from './options.ts';
import { samplers } from './sampling/samplers.ts';
import type { Settings } from './settings.ts';

export type { TrainOptions } from './options.ts';

/** Everything decided; stands in the checkpoint. */
export interface TrainRequest {
  dataset: string;
  manifest: string | null;
  split: 'camera' | 'time' | 'random' | null;
  force: boolean;
  name: string | null;
  backbone: { folder: string; digest: string } | null;
  features: string;
  budgetSeconds: number;
  /** Of level 1; `null`: what fits the budget. */
  passes: number | null;
  engine: string;
  seed: number;
  threads: number;
  settings: Settings;
}

const DEFAULTS = { budgetSeconds: 600, engine: 'onnxruntime', seed: 1 };

/** @throws AppError `TRAIN_OPTIONS`, `PRESET_UNKNOWN`, `SETTINGS_CHANGED`, `CORRECTED_TWICE` */
export function requestOf(options: TrainOptions, before?: TrainRequest, backbone?: Backbone): TrainRequest {
  if (before) return resumed(options, before, backbone);
  const { dataset } = options;
  if (dataset === undefined) throw usage('Say which dataset to train on.');
  const settings = settingsFor(options, backbone);
  checkDoubleCorrection(settings);
  return {
    dataset: resolve(dataset),
    manifest: options.manifest ?? null,
    split: options.split ?? null,
    force: options.force ?? false,
    name: options.name ?? null,
    backbone: backbone ? { folder: resolve(backbone.folder), digest: backbone.digest } : null,
    features: resolve(options.features ?? join(options.out, 'features')),
    budgetSeconds: options.budgetSeconds ?? DEFAULTS.budgetSeconds,
    // A budget that is asked for goes before the preset's passes.
    passes: options.passes ?? (options.budgetSeconds === undefined ? settings.passes : null),
    engine: options.engine ?? DEFAULTS.engine,
    seed: options.seed ?? DEFAULTS.seed,
    threads: options.threads ?? availableParallelism(),
    settings,
  };
}

/** @throws AppError `CORRECTED_TWICE` */
function checkDoubleCorrection({ sampling, losses, allowDoubleCorrection }: Settings): void {
  for (const run of ['m0', 'm1'] as const) {
    const { sampler } = sampling[run];
    const { scoreDriven } = samplers[sampler];
    checkCombination(losses[run].loss, { name: sampler, scoreDriven }, { allow: allowDoubleCorrection });
  }
}

/** Bit for bit needs equal settings, seed, engine and threads; only the place of images and backbone may have changed. */
function resumed(options: TrainOptions, before: TrainRequest, backbone: Backbone | undefined): TrainRequest {
  const { settings } = before;
  const given: [string, unknown, unknown][] = [
    ['manifest', options.manifest, before.manifest],
    ['--force', options.force, before.force],
    ['name', options.name, before.name],
    ['augmentation', options.augmentation, settings.augmentation],
    ['--allow-double-correction', options.allowDoubleCorrection, settings.allowDoubleCorrection],
    // Its passes were fixed when it began.
    ['budget', options.budgetSeconds, before.budgetSeconds],
    ['learning rate of level 2', options.levelTwoLearningRate, settings.levelTwo?.optimiser.learningRate],
    ['preset', options.preset, settings.preset],
    ['backbone', backbone?.digest, before.backbone?.digest],
    ['levels', options.levels, settings.levelTwo ? 2 : 1],
    ['views', options.views, settings.views],
    ['sampler', options.sampler, settings.sampling.m1.sampler],
    ['loss', options.loss, settings.losses.m1.loss],
    [
      'Eq. 2',
      options.eq2 && JSON.stringify(eq2Of(options.eq2, settings.sampling.m1)),
      JSON.stringify(settings.sampling.m1),
    ],
    ['fusion rule', options.fusion, settings.fusion],
    ['calibration', options.calibration, settings.finish.calibration],
    ['τ', options.tau, settings.finish.tau],
    ['passes of cRT', options.classifierPasses, settings.finish.classifierPasses],
    ['learning rate', options.learningRate, settings.optimiser.learningRate],
    ['kept weights', options.keep, settings.stopping ? 'best' : 'final'],
    ['engine', options.engine, before.engine],
    ['seed', options.seed, before.seed],
    ['threads', options.threads, before.threads],
    ['number of passes', options.passes, before.passes],
    ['number of passes of level 2', options.levelTwoPasses, settings.levelTwo?.passes],
    ['split', options.split, before.split],
  ];
  for (const [what, now, then] of given) {
    if (now === undefined || now === then) continue;
    throw new AppError(
      'SETTINGS_CHANGED',
      `The run in ${options.out} was started with ${inWords(what, then)}, not ${String(now)}. Leave it out to go on, or ` +
        'start a new run in another folder.',
      { details: { exit: EXIT.usage } },
    );
  }
  return {
    ...before,
    dataset: options.dataset === undefined ? before.dataset : resolve(options.dataset),
    features: options.features === undefined ? before.features : resolve(options.features),
    ...(backbone && { backbone: { folder: resolve(backbone.folder), digest: backbone.digest } }),
  };
}

/** A value of `null` or nothing was left out, or does not exist in this run. */
function inWords(what: string, value: unknown): string {
  return value === null || value === undefined ? `no ${what}` : `${what} ${String(value)}`;
}

const usage = (message: string): AppError => new AppError('TRAIN_OPTIONS', message, { details: { exit: EXIT.usage } });
