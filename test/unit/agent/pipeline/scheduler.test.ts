import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DueHeap } from '../../../../agent/pipeline/heap.ts';
import { Scheduler } from '../../../../agent/pipeline/scheduler.ts';
import { SimulatedClock } from '../../../../common/runtime/clock.ts';

interface Setup {
  concurrency?: number;
  hostConcurrency?: number;
  takesMs?: number;
}

function setUp({ concurrency = 1_000, hostConcurrency = 1_000, takesMs = 1 }: Setup = {}) {
  const clock = new SimulatedClock();
  const began: { id: number; at: number }[] = [];
  let active = 0;
  let mostActive = 0;
  const scheduler = new Scheduler({ clock, concurrency, hostConcurrency: () => hostConcurrency });
  const add = (id: number, options: { host?: string; intervalMs?: number; ago?: number; takes?: number } = {}) =>
    scheduler.add(
      {
        id,
        host: options.host ?? `host-${id}`,
        intervalMs: () => options.intervalMs ?? 10_000,
        run: async () => {
          began.push({ id, at: clock.monotonic() });
          mostActive = Math.max(mostActive, ++active);
          await clock.sleep(options.takes ?? takesMs);
          active--;
        },
      },
      options.ago,
    );
  return { clock, scheduler, add, began, mostActive: () => mostActive };
}

describe('the scheduler', () => {
  test('a heap gives back what was put in, by due time and then by order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 })), (dues) => {
        const heap = new DueHeap<[number, number]>();
        dues.forEach((due, order) => heap.push(due, [due, order]));
        const popped = dues.map(() => heap.pop()!);
        expect(popped).toEqual(popped.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]));
        expect(heap.pop()).toBeUndefined();
      }),
    );
  });

  test('a new holder fetches when the interval since the last attempt is over, not at once', async () => {
    const { clock, add, began } = setUp();
    add(1, { ago: 4_000 });
    await clock.advance(5_900);
    expect(began).toEqual([]);
    await clock.advance(200);
    expect(began).toEqual([{ id: 1, at: 6_000 }]);
  });

  test('a hurried camera has its turn at once, and after that at its interval; one that is gone has none', async () => {
    const { clock, scheduler, add, began } = setUp();
    add(1, { ago: 1_000 });
    add(2, { ago: 1_000 });
    await clock.advance(2_000);
    scheduler.remove(2);
    scheduler.hurry([1, 2, 3]);
    scheduler.hurry([1]);
    await clock.advance(20_000);
    expect(began).toEqual([
      { id: 1, at: 2_000 },
      { id: 1, at: 12_000 },
      { id: 1, at: 22_000 },
    ]);
  });

  test('a camera that must wait is asked again when its wait is over, takes no slot meanwhile and makes up nothing', async () => {
    const clock = new SimulatedClock();
    const scheduler = new Scheduler({ clock, concurrency: 1, hostConcurrency: () => 1, random: () => 0 });
    const began: string[] = [];
    let closedUntil = 95_000;
    const turn = (id: number, waitMs: () => number) => ({
      ...{ id, host: 'h', waitMs, intervalMs: () => 10_000 },
      run: () => (began.push(`${id}@${clock.monotonic()}`), Promise.resolve()),
    });
    scheduler.add(
      turn(1, () => Math.max(0, closedUntil - clock.monotonic())),
      undefined,
    );
    scheduler.add(
      turn(2, () => 0),
      undefined,
    );
    await clock.advance(0);
    await clock.advance(106_000);
    expect(began.filter((one) => one.startsWith('2'))).toHaveLength(11);
    expect(began.filter((one) => one.startsWith('1'))).toEqual(['1@95000', '1@105000']);
    expect(scheduler.takeLate()).toBe(0);
    closedUntil = Infinity;
    await clock.advance(1_000_000);
    expect(began.filter((one) => one.startsWith('1'))).toHaveLength(2);
    closedUntil = 0;
    await clock.advance(300_000);
    expect(began.filter((one) => one.startsWith('1')).length).toBeGreaterThan(2);
  });

  test('cameras that are all due at once are spread', async () => {
    const { clock, add, began } = setUp();
    for (let id = 0; id < 500; id++) add(id, id % 2 === 0 ? {} : { ago: 3_600_000 });
    for (let second = 0; second < 5; second++) {
      const before = began.length;
      await clock.advance(1_000);
      expect(began.length - before).toBeLessThan(180);
    }
    expect(new Set(began.map(({ id }) => id)).size).toBe(500);
  });

  test('every camera has its turns at its own interval, on the grid of its first one', async () => {
    const { clock, add, began } = setUp({ takesMs: 40 });
    add(1, { intervalMs: 1_000, ago: 0 });
    await clock.advance(10_500);
    expect(began.map(({ at }) => at)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((s) => s * 1_000));
  });

  test('when there are too few slots everybody is late, nobody is left out and nothing is made up for', async () => {
    const { clock, scheduler, add, began } = setUp({ concurrency: 2, takesMs: 1_000 });
    for (let id = 0; id < 8; id++) add(id, { intervalMs: 1_000 });
    await clock.advance(60_000);
    const turns = [...Array(8).keys()].map((id) => began.filter((one) => one.id === id).length);
    expect(Math.max(...turns) - Math.min(...turns)).toBeLessThanOrEqual(2);
    expect(scheduler.takeLate()).toBe(8);
    expect(scheduler.takeLate()).toBe(0);
  });

  test('cameras of a slow host wait for it without taking slots from others', async () => {
    const { clock, add, began, mostActive } = setUp({ concurrency: 10, hostConcurrency: 2 });
    for (let id = 0; id < 300; id++) add(id, { host: 'slow', takes: 60_000 });
    for (let id = 300; id < 400; id++) add(id);
    await clock.advance(30_000);
    expect(began.filter(({ id }) => id < 300)).toHaveLength(2);
    expect(began.filter(({ id }) => id >= 300).length).toBeGreaterThan(200);
    expect(mostActive()).toBeLessThanOrEqual(10);
  });

  test('a camera that is removed while it waits has no turn, and those behind it do', async () => {
    const { clock, scheduler, add, began } = setUp({ hostConcurrency: 1, takesMs: 500 });
    for (let id = 0; id < 4; id++) add(id, { host: 'one', intervalMs: 100_000, ago: 99_900 });
    await clock.advance(200);
    for (const id of [1, 2]) scheduler.remove(id);
    await clock.advance(5_000);
    expect(began.map(({ id }) => id)).toEqual([0, 3]);
  });
});
