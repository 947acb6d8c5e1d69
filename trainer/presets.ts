import { AppError, EXIT } from '../common/runtime/errors.ts';
import { FOLDS, LEVEL_ONE, LEVEL_TWO, TAU } from './levels.ts';
import { lossDefaults } from './losses/loss.ts';
import { guardedEq2, paperEq2 } from './sampling/eq2.ts';
import type { Eq2Settings } from './sampling/eq2.ts';
import type { FinishSettings, LossSettings, SamplingSettings, Settings, Stopping } from './settings.ts';

export interface Preset {
  /** One line for `--help` and error texts. */
  summary: string;
  settings: Omit<Settings, 'preset'>;
}

const sampling = ({ cap, ...eq2 }: Eq2Settings): SamplingSettings => ({
  sampler: 'instance',
  // `Infinity` does not survive JSON.
  eq2: { ...eq2, cap: Number.isFinite(cap) ? cap : null },
  decay: 0,
  shrinkage: 0,
});
const guarded = sampling(guardedEq2);
const unguarded = sampling(paperEq2);
const crossEntropy: LossSettings = { loss: 'ce', ...lossDefaults };
const plainFinish: FinishSettings = { calibration: 'none', tau: null, classifierPasses: 0 };

/**
 * Of product runs. Not in the first half: until then the rate is high, and a small network on few pictures has often not yet begun
 * to tell classes apart, which looks like no progress.
 */
export const STOPPING: Stopping = { window: 3, patience: 8, earliest: 0.5 };

const small: Preset['settings'] = {
  variant: null,
  network: 'basic-cnn',
  input: { width: 64, height: 64, scale: 1 / 127.5, offset: -1 },
  batch: 32,
  // The largest rate at which He-initialised networks of this size start without a warm-up; clipping catches the first
  // steps on rare classes, whose gradients are far above the usual norm.
  optimiser: { learningRate: 0.02, finalShare: 0, momentum: 0.9, clipNorm: 2 },
  passes: null,
  levelTwo: null,
  augmentation: 'basic',
  views: 'fresh',
  sampling: { m0: guarded, m1: { ...guarded, sampler: 'f1-dynamic' } },
  losses: { m0: crossEntropy, m1: crossEntropy },
  allowDoubleCorrection: false,
  finish: plainFinish,
  fusion: 'search',
  folds: FOLDS,
  stopping: STOPPING,
};

/** The paper's text: frozen trunk, head, then the top two blocks; Eq. 2 with neither floor nor cap; T_r = .3. */
const paper: Preset['settings'] = {
  ...small,
  network: 'backbone',
  input: { width: 299, height: 299, scale: 1 / 127.5, offset: -1 },
  batch: LEVEL_ONE.batch,
  optimiser: LEVEL_ONE.optimiser,
  passes: LEVEL_ONE.passes,
  levelTwo: LEVEL_TWO,
  sampling: { m0: unguarded, m1: { ...unguarded, sampler: 'f1-dynamic' } },
  fusion: 'paper',
  stopping: undefined,
};

/** Their released program, as far as it can be had on the paper's cut. */
const authors2019: Preset['settings'] = {
  ...paper,
  variant:
    'their sampler on the paper’s cut: cut behind mixed8 instead of inside mixed6, batch normalisation frozen, x/127.5 − 1, SGD in level 1',
  sampling: { m0: unguarded, m1: { ...unguarded, sampler: 'authors-2019' } },
};

/**
 * The product's mode, fixed with all its settings before any test set was looked at.
 *
 * - Level 1 only: two small heads on one shared trunk cost an agent hardly more than one model, an update is some megabytes, and
 *   M0 can be converged on a laptop. `--levels 2` adds the blocks.
 * - Cached views, 40 passes: the step count at which M0 is converged is out of reach where every view runs through the trunk.
 * - Floor and cap: without them a class that is perfect on its two reference images is never seen again.
 * - Temperature and common prior before Eq. 3: M0 is calibrated to the natural mixture, M1 to the one that F1 drew, so their winning
 *   scores are not comparable as they are. The common prior is π^(1 − τ) with τ = .5.
 * - T_r out of fold and bounded in accuracy: with one or two reference images a class, a search on them finds noise.
 * - It stops early and keeps the best iteration. The benchmark's row of this name has final weights, as all of its rows.
 */
const modern: Preset['settings'] = {
  ...paper,
  levelTwo: null,
  views: 32,
  sampling: { m0: guarded, m1: { ...guarded, sampler: 'f1-dynamic' } },
  finish: { calibration: 'common-prior', tau: TAU, classifierPasses: 0 },
  fusion: 'modern',
  stopping: STOPPING,
};

/** What a run can be asked for by name. A new preset is one entry here. */
export const PRESETS: Readonly<Record<string, Preset>> = {
  small: {
    summary:
      'a basic CNN of four convolutions on 64×64 pixels, from scratch: minutes on a laptop; keeps the best iteration',
    settings: small,
  },
  modern: {
    summary:
      'with --backbone: two heads on cached views, guarded Eq. 2, calibrated, T_r out of fold; keeps the best iteration',
    settings: modern,
  },
  paper: {
    summary:
      'with --backbone: the paper’s text, head and then the top two blocks, fresh views, T_r = .3 (hours without a GPU)',
    settings: paper,
  },
  'authors-2019': {
    summary: 'with --backbone: as paper, with the sampler of the authors’ released program',
    settings: authors2019,
  },
};

export const DEFAULT_PRESET = 'small';
/** Of runs with a backbone. */
export const BACKBONE_PRESET = 'modern';

/** @throws AppError `PRESET_UNKNOWN` */
export function settingsOf(preset: string): Settings {
  const found = Object.hasOwn(PRESETS, preset) ? PRESETS[preset] : undefined;
  if (found) return { preset, ...found.settings };
  throw new AppError(
    'PRESET_UNKNOWN',
    `There is no preset "${preset}" in this version; choose one of: ${Object.keys(PRESETS).join(', ')}.`,
    { details: { exit: EXIT.usage } },
  );
}
