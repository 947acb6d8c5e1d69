import type { LossName } from '../losses/losses.ts';
import type { SamplerName } from '../sampling/samplers.ts';
import type { BenchmarkSettings } from './settings.ts';

/** So many passes with one sampler and one loss, and a cosine of their own. */
export interface Stage {
  passes: number;
  sampler: SamplerName;
  loss: LossName;
  /** Which reading of Eq. 2 sizes the samples of 'f1-dynamic'. */
  eq2: 'paper' | 'modern';
  /** Parameters below this name start anew, those below `frozen` stay as they are. */
  restart?: string;
  frozen?: string;
}

/** How one head is trained on the pooled vectors. */
export interface Recipe {
  /** `original`: pictures as they are; `pool`: their augmented views in turn; `fresh`: a new view every time. */
  views: 'original' | 'pool' | 'fresh';
  /** `linear`: one layer in place of the usual two. */
  head?: 'linear';
  /** Added to the run's seed: another start and other orders. */
  seedShift: number;
  stages: readonly Stage[];
}

/** Far from any seed that somebody gives. */
const OTHER_ORDER = 1_000_003;
const OTHER_START = 2_000_003;
/** Of the pilot that the row "pilot" repeats; it does not follow the passes of the others. */
const PILOT_PASSES = 20;

/**
 * Every head that rows are made of, by name. All take the same number of steps, save `m0-long`, which proves that they suffice,
 * and `pilot`.
 */
export function recipes({ passes, classifierPasses }: Pick<BenchmarkSettings, 'passes' | 'classifierPasses'>) {
  const stage: Stage = { passes, sampler: 'instance', loss: 'ce', eq2: 'paper' };
  const one = (change: Partial<Stage> = {}, rest: Partial<Recipe> = {}): Recipe => ({
    views: 'pool',
    seedShift: 0,
    stages: [{ ...stage, ...change }],
    ...rest,
  });
  return {
    'no-aug': one({}, { views: 'original' }),
    m0: one(),
    'm0-second': one({}, { seedShift: OTHER_START }),
    'm0-long': one({ passes: 2 * passes }),
    balanced: one({ sampler: 'balanced-batches' }),
    m1: one({ sampler: 'f1-dynamic' }, { seedShift: OTHER_ORDER }),
    'm0-fresh': one({}, { views: 'fresh' }),
    'm1-fresh': one({ sampler: 'f1-dynamic' }, { views: 'fresh', seedShift: OTHER_ORDER }),
    pilot: one({ passes: PILOT_PASSES }, { views: 'original', head: 'linear' }),
    'm1-modern': one({ sampler: 'f1-dynamic', eq2: 'modern' }, { seedShift: OTHER_ORDER }),
    'balanced-softmax': one({ loss: 'balanced-softmax' }),
    cdb: one({ loss: 'cdb' }),
    crt: {
      ...one(),
      stages: [
        { ...stage, passes: passes - classifierPasses },
        {
          ...stage,
          passes: classifierPasses,
          sampler: 'balanced-batches',
          restart: 'head_logits',
          frozen: 'head_hidden',
        },
      ],
    },
  } satisfies Record<string, Recipe>;
}

export type RecipeName = keyof ReturnType<typeof recipes>;
