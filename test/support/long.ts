import { test } from 'vitest';
import type { TestFunction } from 'vitest';

/** Slow proofs whose rules are tested with every run; `npm run test:long` runs them, all others count them as skipped. */
export const isLong = process.env['CAMFLEET_TEST_LONG'] === '1';

/** A test that runs only where `isMet`; where it is skipped its title says what it needs. */
export const testWhere =
  (isMet: boolean, needs: string) =>
  (name: string, run: TestFunction, timeout?: number): void =>
    test.skipIf(!isMet)(isMet ? name : `${name} (needs ${needs})`, run, timeout);

export const longTest = testWhere(isLong, 'CAMFLEET_TEST_LONG=1, as npm run test:long sets it');
