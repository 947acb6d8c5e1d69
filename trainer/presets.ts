import { AppError, EXIT } from '../common/runtime/errors.ts';
import type { SamplingSettings, Settings } from './settings.ts';

export interface Preset {
  /** One line for `--help` and error texts. */
  summary: string;
  settings: Omit<Settings, 'preset'>;
}

const plain: SamplingSettings = {
  sampler: 'instance',
  eq2: {
    form: 'constant-total',
    rounding: 'largest-remainder',
    absent: 'hold',
    // With few reference images F1 = 1 happens by chance, and Eq. 2 would starve the class.
    floor: 0.25,
    // The thirtieth copy of one picture in a pass teaches its camera, not its class.
    cap: 30,
    exponent: 1,
  },
  decay: 0,
  shrinkage: 0,
};

const small: Preset['settings'] = {
  network: 'basic-cnn',
  input: { width: 64, height: 64, scale: 1 / 127.5, offset: -1 },
  batch: 32,
  // The largest rate at which He-initialised networks of this size start without a warm-up; clipping catches the first
  // steps on rare classes, whose gradients are far above the usual norm.
  optimiser: { learningRate: 0.02, finalShare: 0, momentum: 0.9, clipNorm: 2 },
  augmentation: 'basic',
  sampling: { m0: plain, m1: { ...plain, sampler: 'f1-dynamic' } },
  fusion: 'search',
  stopping: undefined,
};

/** What a run can be asked for by name. A new preset is one entry here. */
export const PRESETS: Readonly<Record<string, Preset>> = {
  small: {
    summary: 'a basic CNN of four convolutions on 64×64 pixels, from scratch: minutes on a laptop',
    settings: small,
  },
  product: {
    summary: 'as small, but stops early on smoothed reference macro-F1 and keeps the best iteration',
    settings: { ...small, stopping: { window: 3, patience: 8 } },
  },
};

export const DEFAULT_PRESET = 'small';

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
