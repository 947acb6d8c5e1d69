import { describe, expect, test } from 'vitest';
import { ClassQueues, samplesByClass } from '../../../../trainer/sampling/queues.ts';
import { createRandom, shuffle } from '../../../../trainer/sampling/random.ts';

describe('class queues', () => {
  test('give every image of a class once before any comes again, in a new order', () => {
    const queues = new ClassQueues(7, [[10, 11, 12, 13, 14, 15, 16, 17], [20]]);
    const first = queues.take(0, 8);
    const second = queues.take(0, 8);
    expect(first.map((draw) => draw.sample).sort()).toEqual([10, 11, 12, 13, 14, 15, 16, 17]);
    expect(second.map((draw) => draw.sample).sort()).toEqual([10, 11, 12, 13, 14, 15, 16, 17]);
    expect(second.map((draw) => draw.sample)).not.toEqual(first.map((draw) => draw.sample));
    expect(new Set(first.map((draw) => draw.repetition))).toEqual(new Set([0]));
    expect(new Set(second.map((draw) => draw.repetition))).toEqual(new Set([1]));
  });

  test('number the repetitions of an image, so that each gets its own augmentation', () => {
    const queues = new ClassQueues(7, [[4]]);
    expect(queues.take(0, 3)).toEqual([0, 1, 2].map((repetition) => ({ sample: 4, repetition })));
  });

  test('go on from a stored state as if nothing had happened', () => {
    const samples = samplesByClass([0, 0, 0, 1, 1, 0, 1], 2);
    const whole = new ClassQueues('run', samples);
    whole.take(0, 5);
    whole.take(1, 2);
    const stored = JSON.parse(JSON.stringify(whole.state())) as ReturnType<typeof whole.state>;
    const resumed = new ClassQueues('run', samples);
    resumed.restore(stored);
    expect(resumed.take(0, 9)).toEqual(whole.take(0, 9));
    expect(resumed.take(1, 9)).toEqual(whole.take(1, 9));
  });

  test('refuse the state of another data set and a class without images', () => {
    const queues = new ClassQueues(1, [[0], []]);
    expect(() => queues.restore({ drawn: [1] })).toThrow(/resume with the data set/);
    expect(() => queues.take(1, 1)).toThrow(/no training image/);
    expect(queues.take(1, 0)).toEqual([]);
  });

  test('depend on the seed and on the class', () => {
    const images = Array.from({ length: 50 }, (_, i) => i);
    const order = (seed: number, classIndex: number): number[] =>
      new ClassQueues(seed, [images, images]).take(classIndex, 50).map((draw) => draw.sample);
    expect(order(1, 0)).toEqual(order(1, 0));
    expect(order(1, 0)).not.toEqual(order(2, 0));
    expect(order(1, 0)).not.toEqual(order(1, 1));
  });
});

describe('the random source', () => {
  test('shuffles every item to every place about equally often', () => {
    const random = createRandom('uniform');
    const counts = Array.from({ length: 5 }, () => [0, 0, 0, 0, 0]);
    for (let run = 0; run < 5000; run++)
      shuffle([0, 1, 2, 3, 4], random).forEach((item, place) => {
        const row = counts[item] as number[];
        row[place] = (row[place] as number) + 1;
      });
    // 1000 expected, standard deviation 28; five of them.
    for (const count of counts.flat()) expect(Math.abs(count - 1000)).toBeLessThan(142);
  });

  test('tells keys apart that only join to the same text', () => {
    expect(createRandom('a', 'b').next()).not.toBe(createRandom('ab').next());
    expect(createRandom(12, 3).next()).not.toBe(createRandom(1, 23).next());
  });
});
