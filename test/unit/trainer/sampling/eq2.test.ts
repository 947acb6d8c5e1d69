import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { baseOf, guardedEq2, paperEq2, sampleSizes, type Eq2Input } from '../../../../trainer/sampling/eq2.ts';
import { explainSizes } from '../../../../trainer/sampling/explain.ts';

const input = (f1: (number | null)[], changes: Partial<Eq2Input> = {}): Eq2Input => ({
  ...paperEq2,
  f1,
  trainingCounts: f1.map(() => 1000),
  referenceCounts: f1.map(() => 10),
  base: 100,
  ...changes,
});
const sizesOf = (f1: (number | null)[], changes: Partial<Eq2Input> = {}): number[] =>
  sampleSizes(input(f1, changes)).sizes;

describe('Eq. 2, worked by hand', () => {
  test('shares are in proportion to 1 − F1 and the total stays |C|·N*', () => {
    // Weights .5, .3, .2 have the sum 1; T = 3·100.
    expect(sizesOf([0.5, 0.7, 0.8])).toEqual([150, 90, 60]);
  });

  test('the formula as printed shares N* only', () => {
    expect(sizesOf([0.5, 0.7, 0.8], { form: 'literal' })).toEqual([50, 30, 20]);
  });

  test('what rounding leaves goes to the largest remainders, ties to the first class', () => {
    // T = 20 over weights 1, 1, 1: 6.67 each, two are left over.
    expect(sizesOf([0, 0, 0], { base: 20 / 3 })).toEqual([7, 7, 6]);
    // T = 10 over weights .9, .6, .5: 4.5, 3, 2.5; one is left over and the remainders are equal.
    expect(sizesOf([0.1, 0.4, 0.5], { base: 10 / 3 })).toEqual([5, 3, 2]);
    expect(sizesOf([0.1, 0.4, 0.5], { base: 10 / 3, rounding: 'trunc' })).toEqual([4, 3, 2]);
  });

  test('the truncation of the released program loses samples and whole classes', () => {
    // N* = 2 of 4 classes: T = 8, weights .05, .95, .6, .4 have the sum 2: .2, 3.8, 2.4, 1.6.
    const f1 = [0.95, 0.05, 0.4, 0.6];
    expect(sizesOf(f1, { base: 2, rounding: 'trunc' })).toEqual([0, 3, 2, 1]);
    expect(sizesOf(f1, { base: 2 })).toEqual([0, 4, 2, 2]);
  });

  test('all F1 = 1 gives equal shares', () => {
    expect(sizesOf([1, 1, 1])).toEqual([100, 100, 100]);
    expect(sizesOf([1, 1, 1, 1], { form: 'literal' })).toEqual([25, 25, 25, 25]);
  });

  test('a class that is perfect on its reference images starves, and is named', () => {
    const result = sampleSizes(input([1, 0.5, 0.5]));
    expect(result.sizes).toEqual([0, 150, 150]);
    expect(result.starved).toEqual([0]);
    expect(explainSizes(result, ['airport', 'bridge', 'yard'])).toEqual([
      'No sample in this iteration (F1 = 1, or too small a share): airport.',
    ]);
  });

  test('the floor keeps a quarter of N*, and the others share the rest by Eq. 2', () => {
    // 300 − 25 = 275 over weights .6 and .4.
    const result = sampleSizes(input([1, 0.4, 0.6], { floor: 0.25 }));
    expect(result.sizes).toEqual([25, 165, 110]);
    expect(result.floored).toEqual([0]);
    expect(result.starved).toEqual([]);
  });

  test('a class raised to the floor may push another one to it', () => {
    // Weights 0, .1, .9 of T = 300: 0, 30, 270. Floor 29: class 0 takes 29, class 1 gets .1·271 = 27.1, so it takes 29 too.
    expect(sizesOf([1, 0.9, 0.1], { floor: 0.29 })).toEqual([29, 29, 242]);
  });

  test('the cap limits the repeats of an image, and what it frees is shared by Eq. 2', () => {
    // Five images, 30 repeats: at most 150 of the 400·.7 = 280. The other 250 over weights .2 and .1.
    const result = sampleSizes(
      input([0.3, 0.8, 0.9, 1], { cap: 30, trainingCounts: [5, 1000, 1000, 1000], base: 100 }),
    );
    expect(result.sizes).toEqual([150, 167, 83, 0]);
    expect(result.capped).toEqual([0]);
    expect(result.total).toBe(400);
  });

  test('where every class that needs samples is capped, perfect classes take the rest', () => {
    expect(sizesOf([0, 1, 1], { cap: 30, trainingCounts: [2, 1000, 1000] })).toEqual([60, 120, 120]);
  });

  test('only caps of all classes together can miss the total', () => {
    const result = sampleSizes(input([0, 0.5], { cap: 10, trainingCounts: [3, 4] }));
    expect(result.sizes).toEqual([30, 40]);
    expect(result.total).toBe(70);
  });

  test('a class without reference images is held at N*, or counts as F1 = 0', () => {
    // Held: 100; the other 200 over weights .6 and .4.
    const held = sampleSizes(input([null, 0.4, 0.6]));
    expect(held.sizes).toEqual([100, 120, 80]);
    expect(held.held).toEqual([0]);
    // Weight 1 of 1 + .6 + .4 = 2: 300·½, 300·.3, 300·.2.
    expect(sizesOf([null, 0.4, 0.6], { absent: 'zero' })).toEqual([150, 90, 60]);
    expect(sizesOf([0, 0.4, 0.6], { referenceCounts: [0, 10, 10] })).toEqual([100, 120, 80]);
  });

  test('held classes keep N* where all others are perfect', () => {
    expect(sizesOf([null, 1, 1])).toEqual([100, 100, 100]);
  });

  test('a class without training images gets none and the others share the whole', () => {
    const result = sampleSizes(input([0, 0.4, 0.6], { trainingCounts: [0, 10, 10] }));
    expect(result.sizes).toEqual([0, 180, 120]);
    expect(result.untrained).toEqual([0]);
    expect(result.starved).toEqual([]);
    // Nobody else is left but a held class.
    expect(sizesOf([0, null], { trainingCounts: [0, 10] })).toEqual([0, 200]);
  });

  test('the exponent sharpens or levels the shares', () => {
    // Squares of .8 and .4 are .64 and .16: four to one.
    expect(sizesOf([0.2, 0.6], { exponent: 2 })).toEqual([160, 40]);
    expect(sizesOf([0.2, 0.6], { exponent: 0 })).toEqual([100, 100]);
  });

  test('an F1 that is 1 but for rounding counts as 1', () => {
    expect(sizesOf([1 - 1e-16, 1 - 1e-15, 1])).toEqual([100, 100, 100]);
    expect(sizesOf([1 - 1e-3, 0.5, 1], { exponent: 300 })).toEqual([0, 300, 0]);
  });

  test('N* of the paper is the mean number of training images', () => {
    expect(baseOf([10, 20, 0])).toBe(10);
  });

  test.each([
    [{ base: 0 }, /N\* must be above 0/],
    [{ trainingCounts: [0, 0] }, /no class has training images/],
    [{ referenceCounts: [1] }, /one value a class/],
    [{ floor: 2 }, /between 0 and 1/],
    [{ cap: 0 }, /at least 1/],
    [{ exponent: -1 }, /negative/],
    [{ f1: [Number.NaN, 1] }, /F1 of class 0/],
  ] as [Partial<Eq2Input>, RegExp][])('refuses %j', (changes, message) => {
    expect(() => sampleSizes(input([0, 0], changes))).toThrow(message);
  });
});

const cases = fc.integer({ min: 2, max: 24 }).chain((classes) => {
  const list = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
    fc.array(item, { minLength: classes, maxLength: classes });
  const f1 = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 0.5, 1, null));
  return fc.record({
    f1: list(f1),
    trainingCounts: list(fc.integer({ min: 1, max: 900 })),
    referenceCounts: list(fc.integer({ min: 0, max: 40 })),
  });
});

describe('Eq. 2, whatever the scores', () => {
  test('the total is exactly the number of training images, with and without guards', () => {
    fc.assert(
      fc.property(
        cases,
        fc.constantFrom(paperEq2, guardedEq2),
        fc.constantFrom('hold', 'zero'),
        (given, eq2, absent) => {
          const images = given.trainingCounts.reduce((sum, count) => sum + count, 0);
          const result = sampleSizes({ ...eq2, absent, ...given, base: baseOf(given.trainingCounts) });
          expect(result.total).toBe(images);
          expect(result.sizes.every((size) => Number.isInteger(size) && size >= 0)).toBe(true);
        },
      ),
    );
  });

  test('with the guards no class starves and no image repeats more often than allowed', () => {
    fc.assert(
      fc.property(cases, (given) => {
        const base = Math.max(1, baseOf(given.trainingCounts));
        const result = sampleSizes({ ...guardedEq2, ...given, base });
        expect(result.starved).toEqual([]);
        result.sizes.forEach((size, j) => {
          const limit = 30 * (given.trainingCounts[j] as number);
          expect(size).toBeLessThanOrEqual(limit);
          expect(size).toBeGreaterThanOrEqual(Math.min(limit, Math.floor(0.25 * base)));
        });
      }),
    );
  });

  test('without guards every share is that of Eq. 2, rounded', () => {
    fc.assert(
      fc.property(cases, (given) => {
        const f1 = given.f1.map((value) => value ?? 0);
        fc.pre(f1.some((value) => value < 0.999));
        const base = baseOf(given.trainingCounts);
        const referenceCounts = f1.map(() => 1);
        const { sizes } = sampleSizes({ ...paperEq2, ...given, f1, referenceCounts, base });
        const weight = f1.reduce((sum, value) => sum + 1 - value, 0);
        sizes.forEach((size, j) => {
          const exact = ((1 - (f1[j] as number)) / weight) * base * f1.length;
          expect(Math.abs(size - exact)).toBeLessThan(1 + 1e-6);
        });
      }),
    );
  });

  test('a class with a lower F1 never gets fewer samples, and equal ones differ by at most one', () => {
    fc.assert(
      fc.property(cases, (given) => {
        const f1 = given.f1.map((value) => value ?? 0);
        const { sizes } = sampleSizes(input(f1));
        for (let a = 0; a < f1.length; a++)
          for (let b = a + 1; b < f1.length; b++) {
            const difference = (sizes[a] as number) - (sizes[b] as number);
            if (f1[a] === f1[b]) expect([0, 1]).toContain(difference);
            else if ((f1[a] as number) < (f1[b] as number)) expect(difference).toBeGreaterThanOrEqual(-1);
          }
      }),
    );
  });

  test('held classes stay within one sample of N*', () => {
    fc.assert(
      fc.property(cases, (given) => {
        const { sizes, held } = sampleSizes({ ...paperEq2, ...given, base: 50 });
        fc.pre(held.length < sizes.length);
        for (const j of held) expect(Math.abs((sizes[j] as number) - 50)).toBeLessThanOrEqual(1);
      }),
    );
  });
});
