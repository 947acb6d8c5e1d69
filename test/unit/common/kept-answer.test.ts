import { expect, test } from 'vitest';
import { KeptAnswer } from '../../../common/runtime/kept-answer.ts';

/** A question that takes as long as told, by a clock that stands still otherwise. */
function question(tookMs: number) {
  const clock = { now: 0, monotonic: () => clock.now };
  let asked = 0;
  const ask = async (): Promise<number> => {
    clock.now += tookMs;
    return ++asked;
  };
  return { clock, ask, asked: () => asked };
}

test('an answer serves everybody until it is old', async () => {
  const { clock, ask, asked } = question(0);
  const kept = new KeptAnswer(ask, 1_000, { clock });
  expect(await Promise.all([kept.get(), kept.get(), kept.get()])).toEqual([1, 1, 1]);
  clock.now = 999;
  expect(await kept.get()).toBe(1);
  clock.now = 1_000;
  expect(await kept.get()).toBe(2);
  expect(asked()).toBe(2);
});

test('an answer that costs much is asked for more seldom: at most a tenth of the time', async () => {
  const { clock, ask, asked } = question(500);
  const kept = new KeptAnswer(ask, 1_000, { clock });
  for (clock.now = 0; clock.now < 50_000; clock.now += 100) await kept.get();
  expect(asked()).toBe(10);
});

test('a failure is told and not kept', async () => {
  let asked = 0;
  const kept = new KeptAnswer(
    () => (asked++ === 0 ? Promise.reject(new Error('away')) : Promise.resolve('here')),
    60_000,
  );
  await expect(kept.get()).rejects.toThrow('away');
  expect(await kept.get()).toBe('here');
});
