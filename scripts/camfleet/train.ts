import { basename, join, resolve } from 'node:path';
import { Option } from 'commander';
import type { Command } from 'commander';
import { AppError, codeOf, EXIT, messageOf } from '../../common/runtime/errors.ts';
import { ENGINE_NAMES } from '../../trainer/engines.ts';
import type { TrainHooks, TrainOptions } from '../../trainer/main.ts';
import { fusionRuleNames } from '../../trainer/fusion/rules.ts';
import type { FusionRuleName } from '../../trainer/fusion/rules.ts';
import { lossNames } from '../../trainer/losses/losses.ts';
import type { LossName } from '../../trainer/losses/losses.ts';
import { BACKBONE_PRESET, DEFAULT_PRESET, PRESETS } from '../../trainer/presets.ts';
import { augmentationNames } from '../../trainer/settings.ts';
import type { AugmentationName } from '../../trainer/settings.ts';
import { samplerNames } from '../../trainer/sampling/samplers.ts';
import type { SamplerName } from '../../trainer/sampling/samplers.ts';
import { DEMO_BUDGET_SECONDS } from '../train-demo/cameras.ts';
import type { DemoResult } from '../train-demo/demo.ts';
import { backboneOf } from './train-benchmark.ts';
import { TRAIN_HELP } from './train-help.ts';
import { showDemo, showOutcome, trainProgress } from './train-output.ts';
import { decimal, levels, views, wholeNumber } from './verb.ts';
import type { Context } from './verb.ts';

interface TrainFlags {
  dataset?: string;
  manifest?: string;
  split?: 'camera' | 'time' | 'random';
  force?: boolean;
  out?: string;
  name?: string;
  preset?: string;
  backbone?: string;
  data: string;
  levels?: 1 | 2;
  views?: 'fresh' | number;
  augmentation?: AugmentationName;
  features?: string;
  sampler?: SamplerName;
  loss?: LossName;
  eq2?: string;
  allowDoubleCorrection?: boolean;
  fusion?: FusionRuleName;
  calibration?: 'none' | 'temperature' | 'common-prior';
  tau?: number | 'search';
  crt?: number;
  passes2?: number;
  budget?: number;
  passes?: number;
  learningRate?: number;
  learningRate2?: number;
  keep?: 'best' | 'final';
  engine?: string;
  seed?: number;
  threads?: number;
  resume?: string;
  key: string;
  demo?: boolean;
  seeds?: number;
  perClass?: boolean;
  json?: boolean;
}

const SEED_LIMIT = 2_147_483_647;

export function addTrainCommand(program: Command, context: Context): void {
  const presets = Object.entries(PRESETS).map(([name, { summary }]) => `${name}: ${summary}`);
  program
    .command('train')
    .description('Train M0 and M1 on labelled pictures, fuse them, and write the model that agents load')
    .option('--dataset <dir>', 'folder of labelled pictures')
    .option('--manifest <file>', 'which picture is in which class and part, relative to the dataset')
    .addOption(new Option('--split <rule>', 'draw the parts anew').choices(['camera', 'time', 'random']))
    .option('--force', 'go on although the same camera or picture is in two parts; the report says so')
    .option('--out <dir>', 'where everything goes (default: data/training/NAME-TIME)')
    .option('--name <name>', 'what people call the model (default: name of the dataset)')
    .option('--preset <name>', `${presets.join('; ')} (default: ${DEFAULT_PRESET}, with --backbone ${BACKBONE_PRESET})`)
    .option('--backbone <which>', 'train on this trunk: its folder, or name or digest of an imported one')
    .option('--data <folder>', 'data folder, where imported backbones are', 'data')
    .addOption(new Option('--levels <n>', '1: the head; 2: then the blocks behind the cut, too').argParser(levels))
    .option('--views <k>', '"fresh", or at most so many cached views of a picture, 1 to 32', views)
    .option('--features <dir>', 'where activations are kept; runs may share it, one at a time (default: OUT/features)')
    .addOption(
      new Option('--augmentation <name>', 'of training pictures; both shear by .2: radians or degrees').choices(
        augmentationNames,
      ),
    )
    .addOption(new Option('--sampler <name>', 'of M1, instead of the preset’s').choices(samplerNames))
    .addOption(new Option('--loss <name>', 'of M1 (default: ce)').choices(lossNames))
    .option('--eq2 <list>', 'other than the preset’s, e.g. form=literal,floor=0,cap=30,exponent=1,ema=.5,shrinkage=1')
    .option('--allow-double-correction', 'a prior-corrected loss together with F1-dynamic sampling')
    .addOption(new Option('--fusion <rule>', 'how T_r is chosen').choices(fusionRuleNames))
    .addOption(new Option('--calibration <kind>', 'before fusion').choices(['none', 'temperature', 'common-prior']))
    .option('--tau <x>', 'of logit adjustment after training, or "search": out of fold', tau)
    .option(
      '--crt <n>',
      'M1 trains its last layer anew in its last n passes, on balanced samples',
      wholeNumber(1, 100_000),
    )
    .option('--budget <seconds>', 'for training both models (default: 600, or the passes of the preset)', decimal)
    .option('--passes <n>', 'so many passes over the training part instead', wholeNumber(1, 100_000))
    .option('--passes-2 <n>', 'so many passes of level 2', wholeNumber(1, 100_000))
    .option('--learning-rate <x>', 'at the first step of level 1, instead of the preset’s', decimal)
    .option('--learning-rate-2 <x>', 'the same of level 2', decimal)
    .addOption(
      new Option('--keep <which>', 'best iteration on the reference part, stopping early, or final weights').choices([
        'best',
        'final',
      ]),
    )
    .option('--engine <name>', `${ENGINE_NAMES.join(' or ')} (default: ${ENGINE_NAMES[0]})`)
    .option('--seed <n>', 'of weights, orders and augmentation (default: 1)', wholeNumber(0, SEED_LIMIT))
    .option('--threads <n>', 'of the engine (default: all cores)', wholeNumber(1, 1024))
    .option('--resume <dir>', 'go on with the run in this folder')
    .option('--key <file>', 'this trainer’s signing key, made at first use', 'data/keys/trainer.pem')
    .option('--demo', `draw cameras of 19 concepts and train on them, ${DEMO_BUDGET_SECONDS} s`)
    .option('--seeds <n>', 'with --demo: so many times with different cameras', wholeNumber(1, 100))
    .option('--per-class', 'show F1 and sample size of each class after every iteration')
    .option('--json', 'print one JSON object an iteration, then one with the metrics and the artifact')
    .addHelpText('after', TRAIN_HELP)
    .action((flags: TrainFlags) => runTrain(flags, context));
}

const tau = (value: string): 'search' | number => (value === 'search' ? value : decimal(value));

async function runTrain(flags: TrainFlags, context: Context): Promise<void> {
  const stopping = stopOnSignals();
  try {
    await (flags.demo ? demo(flags, context, stopping.signal) : once(flags, context, stopping.signal));
  } catch (error) {
    throw withExit(error);
  } finally {
    stopping.dispose();
  }
}

async function once(flags: TrainFlags, context: Context, signal: AbortSignal): Promise<void> {
  if (flags.dataset === undefined && flags.resume === undefined) {
    throw new AppError('USAGE', 'Say what to train on: --dataset DIR, --resume DIR or --demo.');
  }
  if (flags.resume !== undefined && flags.out !== undefined && resolve(flags.out) !== resolve(flags.resume)) {
    throw new AppError('USAGE', '--resume goes on in the folder that it names; leave out --out.');
  }
  const out =
    flags.resume ?? flags.out ?? join('data/training', `${basename(resolve(flags.dataset as string))}-${timeNow()}`);
  // Loaded here: ONNX Runtime would slow every other command's start.
  const { train } = await import('../../trainer/main.ts');
  const backbone = flags.backbone === undefined ? undefined : await backboneOf(flags.backbone, flags.data);
  const resume = flags.resume === undefined ? undefined : 'required';
  const outcome = await train(
    { ...optionsOf(flags), out, backbone, dataset: flags.dataset, resume },
    hooksOf(flags, context, signal),
  );
  showOutcome(context.terminal, outcome, { json: flags.json === true });
}

async function demo(flags: TrainFlags, context: Context, signal: AbortSignal): Promise<void> {
  if (flags.dataset !== undefined || flags.resume !== undefined || flags.backbone !== undefined) {
    throw new AppError('USAGE', '--demo draws its own pictures; leave out --dataset, --resume and --backbone.');
  }
  const out = flags.out ?? join('data/training', `demo-${timeNow()}`);
  const { medianFigures, runDemo } = await import('../train-demo/demo.ts');
  const results: DemoResult[] = [];
  for (let i = 0; i < (flags.seeds ?? 1); i++) {
    const seed = (flags.seed ?? 1) + i;
    const options = { ...optionsOf(flags), out: join(out, `seed-${seed}`), seed };
    results.push(await runDemo(options, hooksOf(flags, context, signal, { seed })));
  }
  showDemo(context.terminal, results, medianFigures(results.map(({ figures }) => figures)), {
    json: flags.json === true,
  });
}

/** What a flag leaves open is left to the checkpoint or to the defaults. */
function optionsOf(flags: TrainFlags): Omit<TrainOptions, 'out' | 'dataset' | 'resume'> {
  const { manifest, split, force, name, preset, passes, learningRate, engine, seed, threads } = flags;
  const { levels: upTo, views: seen, features, sampler, loss, eq2, allowDoubleCorrection, fusion, calibration, keep } = flags; // prettier-ignore
  return {
    ...{ manifest, split, force, name, preset, passes, learningRate, engine, seed, threads },
    ...{ levels: upTo, views: seen, features, sampler, loss, eq2, allowDoubleCorrection, fusion, calibration, keep },
    ...{
      tau: flags.tau,
      classifierPasses: flags.crt,
      levelTwoPasses: flags.passes2,
      augmentation: flags.augmentation,
      levelTwoLearningRate: flags.learningRate2,
      keyFile: flags.key,
    },
    ...(flags.budget !== undefined && { budgetSeconds: flags.budget }),
  };
}

function hooksOf(flags: TrainFlags, { terminal }: Context, signal: AbortSignal, extra: object = {}): TrainHooks {
  const progress = trainProgress(terminal, { perClass: flags.perClass === true });
  return {
    signal,
    onClasses: (classes) => progress.classes(classes),
    onStage: (stage, done, all, left) => progress.stage(stage, done, all, left),
    onIteration: (report) => {
      if (flags.json) terminal.out(`${JSON.stringify({ ...extra, ...report })}\n`);
      progress.iteration(report);
    },
  };
}

/** The first Ctrl-C saves a checkpoint, the second ends at once. */
function stopOnSignals(): { signal: AbortSignal; dispose: () => void } {
  const stopping = new AbortController();
  const stop = (): void => {
    if (stopping.signal.aborted) process.exit(EXIT.failed);
    stopping.abort();
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.on(signal, stop);
  return { signal: stopping.signal, dispose: () => signals.forEach((signal) => process.off(signal, stop)) };
}

/** Mistakes in what was asked for; anything else is a failure. */
const USAGE = ['USAGE', 'TRAIN_OPTIONS', 'PRESET_UNKNOWN', 'ENGINE_UNKNOWN', 'SETTINGS_CHANGED', 'RUN_EXISTS', 'CHECKPOINT_MISSING', 'DATASET_NOT_FOUND', 'DATASET_SPLIT_UNKNOWN', 'BACKBONE_NOT_FOUND', 'BACKBONE_AMBIGUOUS', 'CORRECTED_TWICE']; // prettier-ignore

function withExit(error: unknown): unknown {
  const code = codeOf(error) ?? '';
  const exit = USAGE.includes(code) ? EXIT.usage : code === 'DATASET_LEAK' ? EXIT.refused : EXIT.failed;
  if (!(error instanceof AppError)) return error;
  return new AppError(code, messageOf(error), { cause: error, details: { ...error.details, exit } });
}

const timeNow = (): string => new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
