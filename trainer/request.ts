import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { AppError, EXIT } from '../common/runtime/errors.ts';
import { DEFAULT_PRESET, settingsOf } from './presets.ts';
import type { Settings } from './settings.ts';

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
  /** Seconds that the training of both models may take. */
  budgetSeconds?: number | undefined;
  /** Passes over the training part instead of a budget: the same steps on every machine. */
  passes?: number | undefined;
  /** Instead of the preset's. */
  learningRate?: number | undefined;
  engine?: string | undefined;
  seed?: number | undefined;
  threads?: number | undefined;
  /** File of the trainer's Ed25519 key; made at first use. */
  keyFile: string;
  /** Go on from the checkpoint in `out`: `required` refuses where there is none. */
  resume?: 'required' | 'if-possible' | undefined;
}

/** Everything decided; stands in the checkpoint. */
export interface TrainRequest {
  dataset: string;
  manifest: string | null;
  split: 'camera' | 'time' | 'random' | null;
  force: boolean;
  name: string | null;
  budgetSeconds: number;
  passes: number | null;
  engine: string;
  seed: number;
  threads: number;
  settings: Settings;
}

const DEFAULTS = { budgetSeconds: 600, engine: 'onnxruntime', seed: 1 };

/** @throws AppError `TRAIN_OPTIONS`, `PRESET_UNKNOWN`, `SETTINGS_CHANGED` */
export function requestOf(options: TrainOptions, before?: TrainRequest): TrainRequest {
  if (before) return resumed(options, before);
  const { dataset } = options;
  if (dataset === undefined) throw usage('Say which dataset to train on.');
  return {
    dataset: resolve(dataset),
    manifest: options.manifest ?? null,
    split: options.split ?? null,
    force: options.force ?? false,
    name: options.name ?? null,
    budgetSeconds: options.budgetSeconds ?? DEFAULTS.budgetSeconds,
    passes: options.passes ?? null,
    engine: options.engine ?? DEFAULTS.engine,
    seed: options.seed ?? DEFAULTS.seed,
    threads: options.threads ?? availableParallelism(),
    settings: settingsFor(options),
  };
}

function settingsFor({ preset = DEFAULT_PRESET, learningRate }: TrainOptions): Settings {
  const settings = settingsOf(preset);
  return learningRate === undefined ? settings : { ...settings, optimiser: { ...settings.optimiser, learningRate } };
}

/** Bit for bit needs equal settings, seed, engine and threads; only the place of the images may have changed. */
function resumed(options: TrainOptions, before: TrainRequest): TrainRequest {
  const { preset, learningRate } = options;
  const given: [string, unknown, unknown][] = [
    ['preset', preset, before.settings.preset],
    ['learning rate', learningRate, before.settings.optimiser.learningRate],
    ['engine', options.engine, before.engine],
    ['seed', options.seed, before.seed],
    ['threads', options.threads, before.threads],
    ['number of passes', options.passes, before.passes],
    ['split', options.split, before.split],
  ];
  for (const [what, now, then] of given) {
    if (now === undefined || now === then) continue;
    throw new AppError(
      'SETTINGS_CHANGED',
      `The run in ${options.out} was started with ${what} ${String(then)}, not ${String(now)}. Leave it out to go on, or ` +
        'start a new run in another folder.',
      { details: { exit: EXIT.usage } },
    );
  }
  return { ...before, dataset: options.dataset === undefined ? before.dataset : resolve(options.dataset) };
}

const usage = (message: string): AppError => new AppError('TRAIN_OPTIONS', message, { details: { exit: EXIT.usage } });
