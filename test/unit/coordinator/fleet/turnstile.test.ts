import { expect, test } from 'vitest';
import { Turnstile } from '../../../../coordinator/fleet/turnstile.ts';

test('a turnstile lets its width through at once, the rest in order, and goes on past a failure', async () => {
  const turnstile = new Turnstile(2);
  const entered: number[] = [];
  let inside = 0;
  let most = 0;
  const leave: (() => void)[] = [];
  const passes = [0, 1, 2, 3, 4].map((n) =>
    turnstile.pass(async () => {
      entered.push(n);
      most = Math.max(most, ++inside);
      await new Promise<void>((done) => leave.push(done));
      inside--;
      if (n === 1) throw new Error('no');
    }),
  );
  const outcomes = Promise.allSettled(passes);
  await Promise.resolve();
  expect(turnstile.waiting).toBe(3);
  for (let n = 0; n < 5; n++) {
    leave[n]?.();
    await new Promise((done) => setImmediate(done));
  }
  expect((await outcomes).map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
    'fulfilled',
  ]);
  expect(entered).toEqual([0, 1, 2, 3, 4]);
  expect(most).toBe(2);
  expect(turnstile.waiting).toBe(0);
});
