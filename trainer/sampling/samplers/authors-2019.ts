import { sampleSizes } from '../eq2.ts';
import type { Eq2Settings } from '../eq2.ts';
import type { Sampler } from '../sampler.ts';
import { eq2InputOf } from './f1-dynamic.ts';

/** Defaults of the authors' released program: two images of a class in a batch, 20 batches between evaluations. */
const PER_BATCH = 2;
const BATCHES = 20;

/** How their program reads Eq. 2, whatever a preset says otherwise. */
export const authorsEq2: Eq2Settings = {
  form: 'constant-total',
  rounding: 'trunc',
  absent: 'zero',
  floor: 0,
  cap: Infinity,
  exponent: 1,
};

/**
 * The sampler of the authors' released program: Eq. 2 sizes every batch, not the iteration; fractions are dropped, so with two
 * images of a class a batch loses whole classes; a class without reference images counts as F1 = 0.
 */
export const authors2019: Sampler = {
  scoreDriven: true,
  plan(context) {
    const batch = sampleSizes({ ...eq2InputOf(context), ...authorsEq2, base: PER_BATCH });
    const sizes = batch.sizes.map((size) => size * BATCHES);
    const arrangement = { kind: 'quotas', quotas: batch.sizes, batches: BATCHES } as const;
    return { ...batch, sizes, total: batch.total * BATCHES, arrangement };
  },
};
