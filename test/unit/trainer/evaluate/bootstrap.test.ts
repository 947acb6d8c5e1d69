import { describe, expect, test } from 'vitest';
import { pairedBootstrap, verdictOf, type BootstrapInput } from '../../../../trainer/evaluate/bootstrap.ts';
import { summarise } from '../../../../trainer/evaluate/metrics.ts';
import { drawImages, unitsOf, weightedConfusion } from '../../../../trainer/evaluate/resample.ts';
import { createRandom } from '../../../../trainer/sampling/random.ts';

const truth = Array.from({ length: 40 }, (_, i) => i % 2);
/** Wrong on the first `errors` images. */
const wrongOn = (errors: number): number[] => truth.map((label, i) => (i < errors ? 1 - label : label));
const input = (changes: Partial<BootstrapInput> = {}): BootstrapInput => ({
  classes: 2,
  testSets: [{ truth }],
  splits: [
    { group: 'a', testSet: 0, predictions: { m0: wrongOn(8), same: wrongOn(8), better: wrongOn(4) } },
    { group: 'a', testSet: 0, predictions: { m0: wrongOn(8), same: wrongOn(8), better: wrongOn(0) } },
  ],
  baseline: 'm0',
  methods: ['same', 'better'],
  measure: (confusion) => ({ accuracy: summarise(confusion).accuracy }),
  replicates: 200,
  seed: 1,
  ...changes,
});

describe('the paired bootstrap', () => {
  test('gives mean, spread and wins over the splits as they are', () => {
    // Differences .1 and .2: sd over two is .1/√2.
    const better = pairedBootstrap(input()).better?.accuracy;
    expect(better).toMatchObject({ wins: 2, ties: 0, splits: 2 });
    expect(better?.mean).toBeCloseTo(0.15, 12);
    expect(better?.sd).toBeCloseTo(0.1 / Math.SQRT2, 12);
    expect(better?.lower).toBeGreaterThan(0.02);
    expect(better?.lower).toBeLessThan(0.15);
    expect(better?.upper).toBeGreaterThan(0.15);
  });

  test('equal predictions have no difference in any draw', () => {
    const same = pairedBootstrap(input()).same?.accuracy;
    expect(same).toEqual({ mean: 0, sd: 0, wins: 0, ties: 2, splits: 2, lower: 0, upper: 0 });
  });

  test('groups count alike, however many splits they have', () => {
    const [first, second] = input().splits as [BootstrapInput['splits'][0], BootstrapInput['splits'][0]];
    const splits = [first, first, first, { ...second, group: 'b' }];
    // Mean of .1 and .2, not of .1 .1 .1 .2.
    expect(pairedBootstrap(input({ splits })).better?.accuracy?.mean).toBeCloseTo(0.15, 12);
  });

  test('is repeatable by its seed', () => {
    expect(pairedBootstrap(input())).toEqual(pairedBootstrap(input()));
    expect(pairedBootstrap(input({ seed: 2 }))).not.toEqual(pairedBootstrap(input()));
  });

  test('one test image shared by all splits is noise that more splits do not remove', () => {
    const [first] = input().splits as [BootstrapInput['splits'][0]];
    const width = (splits: number, testSets: number): number => {
      const better = pairedBootstrap(
        input({
          testSets: Array.from({ length: testSets }, () => ({ truth })),
          splits: Array.from({ length: splits }, (_, k) => ({ ...first, testSet: k % testSets })),
        }),
      ).better?.accuracy;
      return (better?.upper as number) - (better?.lower as number);
    };
    expect(width(16, 1)).toBeGreaterThan(0.8 * width(1, 1));
    expect(width(16, 16)).toBeLessThan(0.5 * width(1, 1));
  });

  test('a measure learns which split it is for', () => {
    const seen = new Set<number>();
    const measure = (_: unknown, split: number) => (seen.add(split), { split });
    pairedBootstrap(input({ measure, replicates: 20 }));
    expect([...seen].sort()).toEqual([0, 1]);
  });

  test('missing predictions are named', () => {
    expect(() => pairedBootstrap(input({ methods: ['absent'] }))).toThrow(/split 0 has no predictions of "absent"/);
    expect(() => pairedBootstrap(input({ testSets: [] }))).toThrow(/names test set 0/);
    expect(() => pairedBootstrap(input({ splits: [] }))).toThrow(/no split/);
  });
});

describe('drawing test images', () => {
  test('keeps the number of images of each class', () => {
    const times = drawImages(unitsOf({ truth }, 2), truth.length, createRandom(1));
    const ofClass = (label: number): number => times.reduce((sum, n, i) => sum + (truth[i] === label ? n : 0), 0);
    expect([ofClass(0), ofClass(1)]).toEqual([20, 20]);
    expect(new Set(times).size).toBeGreaterThan(2);
  });

  test('draws the images of a camera together, class by class', () => {
    const cameras = ['x', 'x', 'x', 'y', 'y', 'z'];
    const testSet = { truth: [0, 0, 1, 0, 0, 1], cameras };
    expect(unitsOf(testSet, 2)).toEqual([
      [
        [0, 1],
        [3, 4],
      ],
      [[2], [5]],
    ]);
    const times = drawImages(unitsOf(testSet, 2), 6, createRandom(3));
    expect(times[0]).toBe(times[1]);
    expect(times[3]).toBe(times[4]);
  });

  test('images count as often as they were drawn', () => {
    expect(weightedConfusion([0, 0, 1], [0, 1, 1], Int32Array.of(2, 0, 3), 2)).toEqual([
      [2, 0],
      [0, 3],
    ]);
  });
});

test('a bar is met or missed by the whole interval, else undecided', () => {
  expect(verdictOf({ lower: 0.02, upper: 0.05 }, 0.02)).toBe('met');
  expect(verdictOf({ lower: 0.01, upper: 0.05 }, 0.02)).toBe('undecided');
  expect(verdictOf({ lower: -0.01, upper: 0.019 }, 0.02)).toBe('missed');
});
