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
    ...{ cameraPart, wasTrained: false, ...more },
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

  test('never judges on a frame that an earlier snapshot trained on', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...parts), fc.integer({ min: 0, max: 99 }), fc.boolean(), fc.nat(2))),
        (given) => {
          const frames = given.map(([part, hours, wasTrained, label]) =>
            frame(`${label}`, part, hours, { wasTrained }),
          );
          const { placed, classes } = splitFrames(frames);
          expect(placed.filter(({ part, wasTrained }) => wasTrained && part !== 'training')).toEqual([]);
          expect(new Set(placed.map(({ digest }) => digest)).size).toBe(placed.length);
          for (const { split, counts } of classes) {
            if (split !== 'not-evaluable') expect(Math.min(...Object.values(counts))).toBeGreaterThan(0);
          }
        },
      ),
    );
  });
});
