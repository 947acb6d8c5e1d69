import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parts } from '../../../../common/domain/dataset.ts';
import type { Part } from '../../../../common/domain/dataset.ts';
import { drawOverTime, seeded } from '../../../../coordinator/learning/datasets/draw.ts';
import { splitFrames } from '../../../../coordinator/learning/datasets/split.ts';
import type { Drawn } from '../../../../coordinator/learning/datasets/split.ts';
import { lackingPart } from '../../../../coordinator/learning/labels/parts.ts';

const HOUR_MS = 3_600_000;

describe('drawing over time', () => {
  const instants = fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 1, maxLength: 60 });

  test('takes as many as asked, each once, in order, and the same for the same seed', () => {
    fc.assert(
      fc.property(instants, fc.integer({ min: 1, max: 12 }), fc.string(), (times, most, seed) => {
        const frames = times.toSorted((a, b) => a - b).map((fetchedAt) => ({ fetchedAt }));
        const drawn = drawOverTime(frames, most, seeded(seed));
        expect(drawn).toHaveLength(Math.min(most, frames.length));
        expect(new Set(drawn).size).toBe(drawn.length);
        expect(drawn).toEqual(frames.filter((frame) => drawn.includes(frame)));
        expect(drawOverTime(frames, most, seeded(seed))).toEqual(drawn);
      }),
    );
  });

  test('does not care how densely frames were kept', () => {
    // 900 frames in the first hour, ten in each of the nine others.
    const dense = Array.from({ length: 900 }, (_, index) => ({ fetchedAt: index * 4_000 }));
    const sparse = Array.from({ length: 91 }, (_, index) => ({ fetchedAt: HOUR_MS + index * 360_000 }));
    let early = 0;
    for (let run = 0; run < 300; run++) {
      const [one] = drawOverTime([...dense, ...sparse], 1, seeded(`run ${run}`));
      if ((one?.fetchedAt ?? 0) < HOUR_MS) early++;
    }
    expect(early).toBeGreaterThan(12);
    expect(early).toBeLessThan(60);
  });
});

describe('the part of a camera', () => {
  test('fills each part once, then keeps to the shares', () => {
    const counts = { training: 0, reference: 0, test: 0 };
    const given: Part[] = [];
    for (let camera = 0; camera < 100; camera++) {
      const part = lackingPart(counts);
      counts[part]++;
      given.push(part);
    }
    expect(given.slice(0, 3)).toEqual(['training', 'test', 'reference']);
    expect(counts).toEqual({ training: 70, reference: 10, test: 20 });
  });
});

describe('splitting', () => {
  let serial = 0;
  const frame = (label: string, cameraPart: Part, hours: number, more: Partial<Drawn> = {}): Drawn => ({
    ...{ digest: `d${String(serial++).padStart(4, '0')}`, label, cameraId: serial, fetchedAt: hours * HOUR_MS },
    ...{ cameraPart, trainedAs: null, ...more },
  });

  test('goes by camera where a class has all parts; classes come in byte order with their ratios', () => {
    const frames = ['é', 'b', 'B'].flatMap((label) => parts.map((part) => frame(label, part, 0)));
    const { placed, classes } = splitFrames(frames);
    expect(classes.map(({ label }) => label)).toEqual(['B', 'b', 'é']);
    expect(classes.every(({ split, ratio }) => split === 'camera' && ratio === 0.5)).toBe(true);
    expect(placed.every(({ part, cameraPart }) => part === cameraPart)).toBe(true);
  });

  test('by time leaves a gap between parts, and gives up where too little is left', () => {
    const hours = Array.from({ length: 10 }, (_, hour) => frame('a', 'training', hour));
    const { placed, classes } = splitFrames(hours);
    expect(classes[0]).toMatchObject({ split: 'time', counts: { training: 7, reference: 1, test: 2 } });
    expect(placed.map(({ part }) => part).join()).toMatch(/^(training,)+reference,(test,?)+$/);
    const minutes = Array.from({ length: 10 }, (_, minute) => frame('a', 'training', minute / 60));
    expect(splitFrames(minutes).classes[0]).toMatchObject({
      ...{ split: 'not-evaluable', counts: { training: 10, reference: 0, test: 0 } },
    });
  });

  test('by time leaves a camera of another class in its own part', () => {
    const hours = (cameraId: number) =>
      Array.from({ length: 10 }, (_, hour) => frame('a', 'training', hour, { cameraId }));
    const street = parts.map((part) => frame('b', part, 0, { cameraId: 1000 + parts.indexOf(part) }));
    // Camera 1000 trains as b; its newest frames of a would be test by time.
    const shared = splitFrames([...hours(2000), ...hours(1000), ...street]);
    expect(shared.classes.map(({ split }) => split)).toEqual(['time', 'camera']);
    expect(new Set(shared.placed.filter(({ cameraId }) => cameraId === 1000).map(({ part }) => part))).toEqual(
      new Set(['training']),
    );
    expect(shared.classes[0]?.counts).toEqual({ training: 17, reference: 1, test: 2 });
    const alone = splitFrames([...hours(1000), ...street]);
    expect(alone.classes.map(({ split }) => split)).toEqual(['not-evaluable', 'camera']);
  });

  test('judges by time on frames after those that taught the same class, and never where a camera taught another', () => {
    const after = (trainedAs: Drawn['trainedAs']) =>
      splitFrames(Array.from({ length: 10 }, (_, hour) => frame('a', 'training', hour, { cameraId: 1, trainedAs })));
    expect(after({ a: 6 * HOUR_MS }).classes[0]).toMatchObject({ split: 'time', counts: { training: 7 } });
    expect(after({ a: 9 * HOUR_MS }).classes[0]?.split).toBe('not-evaluable');
    expect(after({ a: 6 * HOUR_MS, b: 0 }).classes[0]?.split).toBe('not-evaluable');
  });

  test('judges by camera on no camera that an earlier snapshot cut by time and trained on', () => {
    const cameras = [...parts, 'test' as const].map((part, hour) =>
      frame('a', part, hour, { trainedAs: hour === 2 ? { a: 0 } : null }),
    );
    expect(cameras.map(({ cameraPart }) => cameraPart)).toEqual(['training', 'reference', 'test', 'test']);
    expect(splitFrames(cameras).placed.map(({ digest }) => digest)).not.toContain(cameras[2]?.digest);
    expect(splitFrames(cameras).classes[0]).toMatchObject({ split: 'camera', counts: { test: 1 } });
  });

  test('never judges on what was learnt: a camera crosses parts with one class cut by time only', () => {
    const trained = fc.option(
      fc.dictionary(fc.constantFrom('0', '1', '2'), fc.integer({ min: 0, max: 99 }), { minKeys: 1 }),
    );
    const cameras = fc.array(fc.tuple(fc.constantFrom(...parts), trained), { minLength: 6, maxLength: 6 });
    const shots = fc.array(fc.tuple(fc.nat(5), fc.integer({ min: 0, max: 99 }), fc.nat(2)), { maxLength: 40 });
    fc.assert(
      fc.property(cameras, shots, (given, taken) => {
        const frames = taken.map(([cameraId, hours, label]) => {
          const [part, known] = given[cameraId] as (typeof given)[number];
          const trainedAs =
            known && Object.fromEntries(Object.entries(known).map(([as, hour]) => [as, hour * HOUR_MS]));
          return frame(`${label}`, part, hours, { cameraId, trainedAs });
        });
        const { placed, classes } = splitFrames(frames);
        expect(new Set(placed.map(({ digest }) => digest)).size).toBe(placed.length);
        const byTime = classes.filter(({ split }) => split === 'time').map(({ label }) => label);
        for (const { part, label, fetchedAt, trainedAs } of placed) {
          if (part === 'training' || trainedAs === null) continue;
          expect(byTime).toContain(label);
          expect(Object.keys(trainedAs)).toEqual([label]);
          expect(fetchedAt).toBeGreaterThan(trainedAs[label] ?? Infinity);
        }
        for (let id = 0; id < given.length; id++) {
          const own = placed.filter(({ cameraId }) => cameraId === id);
          const labels = [...new Set(own.map(({ label }) => label))];
          const mayCross = labels.length === 1 && byTime.includes(labels[0] as string);
          expect(new Set(own.map(({ part }) => part)).size <= 1 || mayCross).toBe(true);
        }
        for (const { split, counts } of classes) {
          if (split !== 'not-evaluable') expect(Math.min(...Object.values(counts))).toBeGreaterThan(0);
        }
      }),
    );
  });
});
