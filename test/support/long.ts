import { test } from 'vitest';

/** Slow proofs whose rules are tested with every run; `npm run test:long` runs them, all others count them as skipped. */
export const isLong = process.env['CAMFLEET_TEST_LONG'] === '1';
export const longTest = test.skipIf(!isLong);
