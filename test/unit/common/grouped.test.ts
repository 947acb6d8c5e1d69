import { expect, test } from 'vitest';
import { SimulatedClock } from '../../../common/runtime/clock.ts';
import { Grouped } from '../../../common/runtime/grouped.ts';

function recording(mostItems = 10) {
  const clock = new SimulatedClock();
  const groups: number[][] = [];
  const grouped = new Grouped<number, number>({
    work: async (items) => {
      groups.push(items);
      if (items.includes(13)) throw new Error('thirteen');
      return items.map((item) => item * 2);
    },
    ...{ gapMs: 100, mostItems, clock },
  });
  return { clock, groups, grouped };
}

test('a request that comes alone does not wait, those that follow closely share the next group', async () => {
  const { clock, groups, grouped } = recording();
  expect(await grouped.ask(1)).toBe(2);
  const rest = Promise.all([grouped.ask(2), grouped.ask(3)]);
  await clock.advance(99);
  expect(groups).toEqual([[1]]);
  await clock.advance(1);
  expect(await rest).toEqual([4, 6]);
  expect(groups).toEqual([[1], [2, 3]]);
});

test('a failure fails its own group and no other', async () => {
  const { clock, grouped } = recording(1);
  const failed = expect(grouped.ask(13)).rejects.toThrow('thirteen');
  const next = grouped.ask(4);
  await failed;
  await clock.advance(100);
  expect(await next).toBe(8);
});
