import { describe, expect, test } from 'vitest';
import { classCounts, drawIteration } from '../../../../trainer/sampling/draw.ts';
import { baseOf, guardedEq2, paperEq2 } from '../../../../trainer/sampling/eq2.ts';
import { ClassQueues, samplesByClass } from '../../../../trainer/sampling/queues.ts';
import type { SamplingContext } from '../../../../trainer/sampling/sampler.ts';
import { samplerNames, samplers } from '../../../../trainer/sampling/samplers.ts';
import { referenceF1, smoothF1 } from '../../../../trainer/sampling/smoothing.ts';

const trainingCounts = [64, 16, 4];
const labels = trainingCounts.flatMap((count, j) => Array.from({ length: count }, () => j));
const context = (changes: Partial<SamplingContext> = {}): SamplingContext => ({
  iteration: 1,
  iterations: 5,
  trainingCounts,
  referenceCounts: [6, 2, 1],
  f1: null,
  base: baseOf(trainingCounts),
  eq2: paperEq2,
  ...changes,
});

describe('samplers', () => {
  test('instance takes every image once', () => {
    const plan = samplers.instance.plan(context());
    expect(plan.sizes).toEqual(trainingCounts);
    const queues = new ClassQueues(1, samplesByClass(labels, 3));
    const draws = drawIteration({ plan, queues, seed: 1, iteration: 1, batchSize: 32 }).flat();
    expect(draws.map((draw) => draw.sample).sort((a, b) => a - b)).toEqual(labels.map((_, i) => i));
  });

  test('class-balanced gives N* to each, square-root something between', () => {
    expect(samplers['class-balanced'].plan(context()).sizes).toEqual([28, 28, 28]);
    // Roots 8, 4, 2 of T = 84: sixths of 14.
    expect(samplers['square-root'].plan(context()).sizes).toEqual([48, 24, 12]);
  });

  test('the cap holds for every sampler that draws freely', () => {
    const eq2 = { ...guardedEq2, cap: 2 };
    // Class 2 has four images, so at most 8; the other 76 in halves, class 1 at most 32.
    expect(samplers['class-balanced'].plan(context({ eq2 })).sizes).toEqual([44, 32, 8]);
  });

  test('progressive goes from the images as they are to equal classes', () => {
    const at = (iteration: number): number[] => samplers.progressive.plan(context({ iteration })).sizes;
    expect(at(1)).toEqual([64, 16, 4]);
    expect(at(3)).toEqual([46, 22, 16]);
    expect(at(5)).toEqual([28, 28, 28]);
    expect(samplers.progressive.plan(context({ iterations: 1 })).sizes).toEqual([64, 16, 4]);
  });

  test('f1-dynamic begins with N* of every class in either form and follows Eq. 2 from then on', () => {
    const literal = { ...paperEq2, form: 'literal' as const };
    expect(samplers['f1-dynamic'].plan(context({ eq2: literal })).sizes).toEqual([28, 28, 28]);
    // 84 over weights .1, .2, .4; and as printed, 28.
    expect(samplers['f1-dynamic'].plan(context({ f1: [0.9, 0.8, 0.6] })).sizes).toEqual([12, 24, 48]);
    expect(samplers['f1-dynamic'].plan(context({ f1: [0.9, 0.8, 0.6], eq2: literal })).sizes).toEqual([4, 8, 16]);
  });

  test('no sampler gives samples to a class without images', () => {
    for (const name of samplerNames) {
      const plan = samplers[name].plan(context({ trainingCounts: [60, 0, 24], f1: [0.5, 0, 0.5] }));
      expect(plan.sizes[1], name).toBe(0);
      expect(plan.untrained, name).toEqual([1]);
    }
  });
});

describe('drawing an iteration', () => {
  test('mixes the classes, cuts batches and holds exactly the planned sizes', () => {
    const plan = samplers['f1-dynamic'].plan(context({ f1: [0.9, 0.8, 0.6] }));
    const queues = new ClassQueues(3, samplesByClass(labels, 3));
    const batches = drawIteration({ plan, queues, seed: 3, iteration: 2, batchSize: 32 });
    expect(batches.map((batch) => batch.length)).toEqual([32, 32, 20]);
    expect(classCounts(batches.flat(), labels, 3)).toEqual([12, 24, 48]);
    for (const batch of batches) expect(classCounts(batch, labels, 3).every((count) => count > 0)).toBe(true);
    // Class 2 has four images: each comes twelve times, in repetitions 0 to 11.
    const rare = batches.flat().filter((draw) => draw.sample === 83);
    expect(rare.map((draw) => draw.repetition).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test('a resumed run draws the same batches', () => {
    const plan = samplers['square-root'].plan(context());
    const samples = samplesByClass(labels, 3);
    const whole = new ClassQueues(5, samples);
    drawIteration({ plan, queues: whole, seed: 5, iteration: 1, batchSize: 8 });
    const resumed = new ClassQueues(5, samples);
    resumed.restore(whole.state());
    const next = { plan, seed: 5, iteration: 2, batchSize: 8 };
    expect(drawIteration({ ...next, queues: resumed })).toEqual(drawIteration({ ...next, queues: whole }));
  });

  test('balanced batches differ by at most one image a class, and the odd ones go round', () => {
    const counts = [40, 9, 3, 5, 6];
    const order = counts.flatMap((count, j) => Array.from({ length: count }, () => j));
    const queues = new ClassQueues(1, samplesByClass(order, 5));
    const extra = [0, 0, 0, 0, 0];
    for (let iteration = 1; iteration <= 5; iteration++) {
      const plan = samplers['balanced-batches'].plan(
        context({ trainingCounts: counts, iteration, base: baseOf(counts) }),
      );
      const batches = drawIteration({ plan, queues, seed: 1, iteration, batchSize: 8 });
      expect(classCounts(batches.flat(), order, 5)).toEqual(plan.sizes);
      for (const batch of batches) {
        const inBatch = classCounts(batch, order, 5);
        expect(Math.max(...inBatch) - Math.min(...inBatch)).toBeLessThanOrEqual(1);
        inBatch.forEach((count, j) => (extra[j] = (extra[j] as number) + count));
      }
    }
    expect(Math.max(...extra) - Math.min(...extra)).toBeLessThanOrEqual(1);
  });

  test('the sampler of the released program fills 20 batches by truncated quotas', () => {
    // Two a class: 6 over weights .1, .2, .4: .86, 1.71, 3.43; class 0 gets nothing.
    const plan = samplers['authors-2019'].plan(context({ f1: [0.9, 0.8, 0.6] }));
    expect(plan.sizes).toEqual([0, 20, 60]);
    expect(plan.starved).toEqual([0]);
    const queues = new ClassQueues(1, samplesByClass(labels, 3));
    const batches = drawIteration({ plan, queues, seed: 1, iteration: 2, batchSize: 32 });
    expect(batches).toHaveLength(20);
    for (const batch of batches) expect(classCounts(batch, labels, 3)).toEqual([0, 1, 3]);
    expect(samplers['authors-2019'].plan(context()).sizes).toEqual([40, 40, 40]);
  });
});

describe('F1 that steers the sampling', () => {
  const confusion = [
    [8, 2, 0],
    [1, 1, 0],
    [0, 0, 0],
  ];

  test('is undefined for a class without reference images, with shrinkage towards a half', () => {
    // Class 0: 16 of 10 + 9; class 1: 2 of 2 + 3.
    expect(referenceF1(confusion)).toEqual([16 / 19, 2 / 5, null]);
    expect(referenceF1(confusion, 1)).toEqual([17 / 21, 3 / 7, null]);
  });

  test('is smoothed over iterations and survives an undefined one', () => {
    expect(smoothF1(null, [0.4, null], 0.5)).toEqual([0.4, null]);
    expect(smoothF1([0.4, null], [0.8, 0.2], 0.5)).toEqual([0.6000000000000001, 0.2]);
    expect(smoothF1([0.4], [null], 0.5)).toEqual([0.4]);
    expect(smoothF1([0.4], [0.9], 0)).toEqual([0.9]);
  });
});
