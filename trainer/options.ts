import { AppError, EXIT } from '../common/runtime/errors.ts';
import type { Backbone } from './backbone/backbone.ts';
import { LEVEL_TWO } from './levels.ts';
import { eq2Of } from './eq2-options.ts';
import { BACKBONE_PRESET, DEFAULT_PRESET, settingsOf, STOPPING } from './presets.ts';
import type { FusionRuleName } from './fusion/rules.ts';
import type { LossName } from './losses/losses.ts';
import type { SamplerName } from './sampling/samplers.ts';
import { authorsEq2 } from './sampling/samplers/authors-2019.ts';
import type { AugmentationName, FinishSettings, LevelSettings, SamplingSettings, Settings } from './settings.ts';

/** What a run is asked to do. What is left out is taken from the checkpoint when resuming, else from `DEFAULTS`. */
export interface TrainOptions {
  /** Folder of the dataset. */
  dataset?: string | undefined;
  /** A manifest of parts in it. */
  manifest?: string | undefined;
  split?: 'camera' | 'time' | 'random' | undefined;
  /** Go on in spite of leaks between parts. */
  force?: boolean | undefined;
  /** Folder of the run: checkpoint, report, artifact. */
  out: string;
  /** What people call the model. Default: name of the dataset. */
  name?: string | undefined;
  preset?: string | undefined;
  /** Folder of an imported backbone. */
  backbone?: string | undefined;
  /** Of a backbone run; default: the preset's. */
  levels?: 1 | 2 | undefined;
  /** Of a backbone run; default: the preset's. */
  views?: 'fresh' | number | undefined;
  /** Where activations are kept; default: `features` in `out`. One run at a time may use a folder. */
  features?: string | undefined;
  /** Of the training part; default: the preset's. */
  augmentation?: AugmentationName | undefined;
  /** Of M1; M0 is plainly trained. */
  sampler?: SamplerName | undefined;
  loss?: LossName | undefined;
  /** How Eq. 2 is read, where that differs from the preset, e.g. `form=literal,floor=0,ema=.5`; see `eq2Of`. */
  eq2?: string | undefined;
  /** A prior-corrected loss together with F1-dynamic sampling. */
  allowDoubleCorrection?: boolean | undefined;
  fusion?: FusionRuleName | undefined;
  calibration?: FinishSettings['calibration'] | undefined;
  tau?: number | 'search' | undefined;
  /** cRT: last passes of M1 for its last layer alone. */
  classifierPasses?: number | undefined;
  /** Seconds that the training of both models may take. */
  budgetSeconds?: number | undefined;
  /** Passes over the training part instead of a budget: the same steps on every machine. */
  passes?: number | undefined;
  /** Passes of level 2. */
  levelTwoPasses?: number | undefined;
  /** Of level 1 and of level 2, instead of the preset's. */
  learningRate?: number | undefined;
  levelTwoLearningRate?: number | undefined;
  /** `best`: stop early and keep the best iteration; `final`: every step, final weights. Default: the preset's. */
  keep?: 'best' | 'final' | undefined;
  engine?: string | undefined;
  seed?: number | undefined;
  threads?: number | undefined;
  /** File of the trainer's Ed25519 key; made at first use. */
  keyFile: string;
  /** Go on from the checkpoint in `out`: `required` refuses where there is none. */
  resume?: 'required' | 'if-possible' | undefined;
}

/**
 * The preset's settings with what was asked for instead, as far as the backbone can do it.
 *
 * @throws AppError `PRESET_UNKNOWN`, `TRAIN_OPTIONS`
 */
export function settingsFor(options: TrainOptions, backbone: Backbone | undefined): Settings {
  const preset = settingsOf(options.preset ?? (backbone ? BACKBONE_PRESET : DEFAULT_PRESET));
  checkNetwork(preset, options, backbone);
  const { learningRate, views, sampler, loss, fusion, allowDoubleCorrection = false } = options;
  const { optimiser, sampling, losses } = preset;
  return {
    ...preset,
    ...(backbone && { input: inputOf(backbone) }),
    ...(views !== undefined && { views }),
    augmentation: options.augmentation ?? preset.augmentation,
    optimiser: learningRate === undefined ? optimiser : { ...optimiser, learningRate },
    levelTwo: levelTwoOf(preset, options, backbone),
    sampling: {
      ...sampling,
      m1: samplingOf(options.eq2, sampler === undefined ? sampling.m1 : { ...sampling.m1, sampler }),
    },
    losses: loss === undefined ? losses : { ...losses, m1: { ...losses.m1, loss } },
    allowDoubleCorrection,
    finish: {
      calibration: options.calibration ?? preset.finish.calibration,
      tau: options.tau ?? preset.finish.tau,
      classifierPasses: options.classifierPasses ?? preset.finish.classifierPasses,
    },
    fusion: fusion ?? preset.fusion,
    stopping: options.keep === undefined ? preset.stopping : options.keep === 'best' ? STOPPING : undefined,
  };
}

/** What stands in the report is what is done: the sampler of the authors' program has its own reading of Eq. 2. */
function samplingOf(changes: string | undefined, settings: SamplingSettings): SamplingSettings {
  if (settings.sampler !== 'authors-2019') return eq2Of(changes, settings);
  const own = { ...settings, eq2: { ...authorsEq2, cap: null } };
  const changed = eq2Of(changes, own);
  if (JSON.stringify(changed.eq2) === JSON.stringify(own.eq2)) return changed;
  throw usage(
    'The sampler authors-2019 reads Eq. 2 as the authors’ program does; only ema and shrinkage can be changed, or take --sampler f1-dynamic.',
  );
}

function checkNetwork({ preset, network }: Settings, options: TrainOptions, backbone: Backbone | undefined): void {
  if (network === 'backbone' && !backbone) {
    throw usage(
      `The preset ${preset} trains on a backbone: name one with --backbone ("camfleet backbone import FILE" makes one).`,
    );
  }
  if (network === 'backbone') return;
  if (backbone) throw usage(`The preset ${preset} trains a network from scratch and takes no backbone.`);
  for (const name of ['levels', 'views', 'features', 'levelTwoPasses', 'levelTwoLearningRate'] as const) {
    if (options[name] === undefined) continue;
    throw usage(
      `The preset ${preset} trains a network from scratch, which has no ${name}; name a backbone with --backbone.`,
    );
  }
}

function inputOf({ input }: Backbone): Settings['input'] {
  const { width, height, scale, offset } = input;
  return { width, height, scale, offset };
}

/** Level 2 where it is asked for or the preset has it, and where the backbone has layers behind its cut. */
function levelTwoOf(preset: Settings, options: TrainOptions, backbone: Backbone | undefined): LevelSettings | null {
  const { levels, levelTwoPasses, levelTwoLearningRate } = options;
  const wanted = levels === undefined ? preset.levelTwo : levels === 2 ? (preset.levelTwo ?? LEVEL_TWO) : null;
  if (backbone && backbone.top.stages.length === 0) {
    if (levels !== 2) return null;
    throw usage(
      `The backbone ${backbone.name} has no layers behind its cut that level 2 could train: it is trained in level 1 only.`,
    );
  }
  if (!wanted) return null;
  const { passes, optimiser } = wanted;
  return {
    ...wanted,
    passes: levelTwoPasses ?? passes,
    optimiser: { ...optimiser, learningRate: levelTwoLearningRate ?? optimiser.learningRate },
  };
}

const usage = (message: string): AppError => new AppError('TRAIN_OPTIONS', message, { details: { exit: EXIT.usage } });
