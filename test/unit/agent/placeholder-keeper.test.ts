import { expect, test } from 'vitest';
import { PlaceholderKeeper } from '../../../agent/placeholder-keeper.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { fail, ok } from '../../../common/runtime/result.ts';
import { eventually } from '../../support/eventually.ts';

test('the list is fetched when its number differs, again after a failure, and applied once', async () => {
  const applied: string[][] = [];
  const answers = [fail('NO_ANSWER', 'away'), ok({ revision: 4, hashes: ['ab'] }), ok({ revision: 2, hashes: [] })];
  let calls = 0;
  const link = { call: async () => answers[calls++] as never };
  const keeper = new PlaceholderKeeper({ link, apply: (hashes) => applied.push(hashes), logger: silentLogger });
  keeper.heard(0);
  expect(calls).toBe(0);
  keeper.heard(4);
  await eventually(() => calls === 1);
  // The next renewal tells the same number.
  await eventually(() => {
    keeper.heard(4);
    return applied.length === 1;
  });
  keeper.heard(4);
  expect(calls).toBe(2);
  // A restored database has a lower number.
  keeper.heard(2);
  await eventually(() => applied.length === 2);
  expect(applied).toEqual([['ab'], []]);
});
