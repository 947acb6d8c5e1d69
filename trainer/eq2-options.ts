import { AppError, EXIT } from '../common/runtime/errors.ts';
import type { SamplingSettings } from './settings.ts';

type Change = (settings: SamplingSettings, value: string) => SamplingSettings | undefined;

const choice =
  (name: 'form' | 'rounding' | 'absent', ...allowed: readonly string[]): Change =>
  (settings, value) =>
    allowed.includes(value) ? { ...settings, eq2: { ...settings.eq2, [name]: value } } : undefined;

const number =
  (change: (settings: SamplingSettings, value: number) => SamplingSettings, least: number, most: number): Change =>
  (settings, text) => {
    const value = Number(text);
    return text !== '' && value >= least && value <= most ? change(settings, value) : undefined;
  };

/** What `--eq2` may name, and what values it takes in words. */
const CHANGES: ReadonlyMap<string, { change: Change; values: string }> = new Map([
  ['form', { change: choice('form', 'constant-total', 'literal'), values: 'constant-total or literal' }],
  ['rounding', { change: choice('rounding', 'largest-remainder', 'trunc'), values: 'largest-remainder or trunc' }],
  ['absent', { change: choice('absent', 'hold', 'zero'), values: 'hold or zero' }],
  ['floor', { change: number((s, floor) => ({ ...s, eq2: { ...s.eq2, floor } }), 0, 1), values: '0 to 1' }],
  [
    'cap',
    {
      change: (s, value) =>
        value === 'none'
          ? { ...s, eq2: { ...s.eq2, cap: null } }
          : number((other, cap) => ({ ...other, eq2: { ...other.eq2, cap } }), 1, 1e6)(s, value),
      values: '1 or more samples an image, or none',
    },
  ],
  [
    'exponent',
    { change: number((s, exponent) => ({ ...s, eq2: { ...s.eq2, exponent } }), 0, 100), values: '0 to 100' },
  ],
  [
    'ema',
    { change: number((s, decay) => ({ ...s, decay }), 0, 0.999), values: '0 to .999, the weight of the earlier F1' },
  ],
  ['shrinkage', { change: number((s, shrinkage) => ({ ...s, shrinkage }), 0, 1e6), values: '0 or more' }],
]);

/**
 * Sampling settings with a list of changes such as `form=literal,floor=0,ema=.5`.
 *
 * @throws AppError `TRAIN_OPTIONS` naming what may be changed and to what
 */
export function eq2Of(list: string | undefined, settings: SamplingSettings): SamplingSettings {
  if (list === undefined) return settings;
  return list.split(',').reduce((changed, entry) => {
    const [name = '', value = ''] = entry.trim().split('=', 2);
    const known = CHANGES.get(name);
    const next = known?.change(changed, value);
    if (next) return next;
    const names = [...CHANGES].map(([key, { values }]) => `${key} (${values})`).join(', ');
    throw new AppError('TRAIN_OPTIONS', `Eq. 2 has no setting "${entry.trim()}"; write NAME=VALUE of ${names}.`, {
      details: { exit: EXIT.usage },
    });
  }, settings);
}
