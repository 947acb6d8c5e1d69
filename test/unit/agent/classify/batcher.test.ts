import { expect, test } from 'vitest';
import { Batcher } from '../../../../agent/classify/batcher.ts';
import { eventually } from '../../../support/eventually.ts';

/** Each batch is answered when the test says so. */
function setUp(options: { max: number; waitMs: number }) {
  const batches: number[][] = [];
  const answers: ((out: number[] | Error) => void)[] = [];
  const batcher = new Batcher<number, number>({
    ...options,
    run: (items) =>
      new Promise((resolve, reject) => {
        batches.push(items);
        answers.push((out) => (out instanceof Error ? reject(out) : resolve(out)));
      }),
  });
  return { batcher, batches, answers };
}
const LONG_MS = 60_000;

test('a full batch does not wait, and everybody gets the answer to what is theirs', async () => {
  const { batcher, batches, answers } = setUp({ max: 3, waitMs: LONG_MS });
  const asked = [1, 2, 3].map((item) => batcher.add(item));
  expect(batches).toEqual([[1, 2, 3]]);
  answers[0]?.([10, 20, 30]);
  expect(await Promise.all(asked)).toEqual([10, 20, 30]);
});

test('one that comes alone goes when the first has waited for long enough', async () => {
  const { batcher, batches, answers } = setUp({ max: 8, waitMs: 20 });
  const asked = batcher.add(1);
  expect(batches).toEqual([]);
  await eventually(() => batches.length === 1);
  answers[0]?.([10]);
  expect(await asked).toBe(10);
});

test('while one batch runs the next fills up: load makes batches larger, not more', async () => {
  const { batcher, batches, answers } = setUp({ max: 2, waitMs: LONG_MS });
  const asked = [1, 2, 3, 4, 5].map((item) => batcher.add(item));
  expect(batches).toEqual([[1, 2]]);
  expect(batcher.waiting).toBe(3);
  for (const [index, items] of [[1, 2], [3, 4], [5]].entries()) {
    await eventually(() => batches.length === index + 1);
    expect(batches[index]).toEqual(items);
    answers[index]?.(items.map((item) => item * 10));
  }
  expect(await Promise.all(asked)).toEqual([10, 20, 30, 40, 50]);
});

test('a batch that fails fails those in it, and the next one runs', async () => {
  const { batcher, answers } = setUp({ max: 1, waitMs: LONG_MS });
  const first = batcher.add(1);
  const second = batcher.add(2);
  answers[0]?.(new Error('no'));
  await expect(first).rejects.toThrow('no');
  await eventually(() => answers.length === 2);
  answers[1]?.([20]);
  expect(await second).toBe(20);
});
