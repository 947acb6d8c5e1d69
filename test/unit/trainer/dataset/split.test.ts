import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parts } from '../../../../common/domain/dataset.ts';
import { sha256 } from '../../../../common/storage/digest.ts';
import type { Dataset, DatasetSample } from '../../../../trainer/dataset/dataset.ts';
import { countsOf, datasetFingerprint, examineClasses, requireUnchanged } from '../../../../trainer/dataset/dataset.ts';
import { findLeaks, leakInWords } from '../../../../trainer/dataset/leaks.ts';
import { drawParts, withParts } from '../../../../trainer/dataset/split.ts';
import type { SplitChoice } from '../../../../trainer/dataset/split.ts';

const CLASSES = ['beach', 'road', 'ski'];

function sample(i: number, label: number, more: Partial<DatasetSample> = {}): DatasetSample {
  const digest = sha256(`image ${i}`);
  return { file: `/data/${i}.jpg`, digest, label, part: 'training', group: null, time: null, twins: i, ...more };
}

const unsplit = (samples: DatasetSample[]) => samples.map((entry) => ({ ...entry, part: null }));

function datasetOf(samples: DatasetSample[]): Dataset {
  return {
    name: 'scenes',
    digest: sha256('scenes'),
    classes: CLASSES,
    samples,
    splitRule: '',
    leftOut: [],
    warnings: [],
  };
}

function drawnDataset(samples: DatasetSample[], choice: SplitChoice): Dataset {
  return withParts(datasetOf(samples), drawParts(CLASSES, unsplit(samples), choice));
}

describe('a split at random', () => {
  const samples = [90, 20, 3].flatMap((count, label) =>
    Array.from({ length: count }, (_, i) => sample(label * 1000 + i, label)),
  );

  test('gives each class 70/10/20, and one image at least to reference and test', () => {
    const counts = countsOf(drawnDataset(samples, { by: 'random', seed: 1 }));
    expect(counts).toEqual({ training: [63, 14, 1], reference: [9, 2, 1], test: [18, 4, 1] });
  });

  test('is another for another seed or number, and the same whatever the order of files', () => {
    const partOf = (order: DatasetSample[], choice: SplitChoice) => {
      const split = drawParts(CLASSES, unsplit(order), choice);
      return new Map(order.map(({ digest }, i) => [digest, split.parts[i]]));
    };
    const first = partOf(samples, { by: 'random', seed: 1 });
    expect(partOf([...samples].reverse(), { by: 'random', seed: 1, index: 0 })).toEqual(first);
    expect(partOf(samples, { by: 'random', seed: 2 })).not.toEqual(first);
    expect(partOf(samples, { by: 'random', seed: 1, index: 1 })).not.toEqual(first);
  });

  test('drawn from a dataset with parts keeps their sizes', () => {
    const given = samples.map((entry, i) => ({ ...entry, part: parts[i % 3] as DatasetSample['part'] }));
    const before = datasetOf(given);
    const again = withParts(before, drawParts(CLASSES, given, { by: 'random', seed: 5, index: 3 }));
    expect(countsOf(again)).toEqual(countsOf(before));
    expect(datasetFingerprint(again)).not.toBe(datasetFingerprint(before));
  });
});

describe('a split by camera', () => {
  test('never tears a camera or twins apart, and shows every class with three cameras in all parts', () => {
    const frames = fc.array(fc.record({ camera: fc.nat(40), twins: fc.nat(200) }), { minLength: 1, maxLength: 150 });
    fc.assert(
      fc.property(frames, fc.nat(1000), (list, seed) => {
        // A camera shows one scene.
        const samples = list.map(({ camera, twins }, i) =>
          sample(i, camera % 3, { group: `c${camera}`, twins: camera * 1000 + twins }),
        );
        const dataset = drawnDataset(samples, { by: 'camera', seed });
        expect(dataset.samples).toHaveLength(samples.length);
        expect(findLeaks(dataset, { cutByTime: new Set() })).toEqual([]);
        CLASSES.forEach((_, label) => {
          const own = dataset.samples.filter((entry) => entry.label === label);
          const cameras = new Set(own.map(({ group }) => group)).size;
          expect(new Set(own.map(({ part }) => part)).size).toBe(Math.min(3, cameras));
        });
      }),
      { numRuns: 60 },
    );
  });

  test('joins cameras that show the same picture', () => {
    const samples = Array.from({ length: 30 }, (_, i) => sample(i, 0, { group: `c${i}`, twins: i < 10 ? 0 : i }));
    const dataset = drawnDataset(samples, { by: 'camera', seed: 1 });
    expect(new Set(dataset.samples.slice(0, 10).map(({ part }) => part)).size).toBe(1);
  });

  test('needs to know every camera, and says what to do', () => {
    const samples = [sample(0, 0, { group: 'a' }), sample(1, 1)];
    expect(() => drawnDataset(samples, { by: 'camera', seed: 1 })).toThrow(
      expect.objectContaining({ code: 'DATASET_SPLIT_IMPOSSIBLE', message: expect.stringContaining('--split random') }),
    );
  });
});

describe('a split by time', () => {
  const minutes = (n: number) => n * 60_000;
  const samples = Array.from({ length: 20 }, (_, i) => sample(i, 0, { group: 'a', time: minutes(10 * i) }));

  test('trains on the earliest images and leaves the gaps out', () => {
    const dataset = drawnDataset([...samples].reverse(), { by: 'time', gapMs: minutes(15) });
    const timesIn = (part: string) =>
      dataset.samples.filter((entry) => entry.part === part).map(({ time }) => (time as number) / minutes(10));
    expect(timesIn('training').sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    expect(timesIn('reference')).toEqual([15]);
    expect(timesIn('test').sort((a, b) => a - b)).toEqual([17, 18, 19]);
  });

  test('says that scores tell nothing of new cameras', () => {
    const { warnings } = drawParts(CLASSES, unsplit(samples), { by: 'time' });
    expect(warnings[0]).toContain('cameras never seen');
    expect(warnings[1]).toMatch(/\d+ images within 60 min/);
  });
});

describe('leaks', () => {
  test('are cameras, equal digests and near-duplicates in two parts, with examples', () => {
    const same = sha256('same');
    const leaks = findLeaks(
      datasetOf([
        sample(0, 0, { group: 'harbour' }),
        sample(1, 0, { group: 'harbour', part: 'test' }),
        sample(2, 1, { digest: same, twins: 7 }),
        sample(3, 1, { digest: same, twins: 7, part: 'reference' }),
        sample(4, 2, { twins: 9 }),
        sample(5, 2, { twins: 9, part: 'test' }),
      ]),
      { cutByTime: new Set() },
    );
    expect(leaks.map(({ kind, count }) => [kind, count])).toEqual([
      ['camera', 1],
      ['equal digest', 1],
      ['near-duplicate', 1],
    ]);
    expect(leakInWords(leaks[0]!)).toBe('1 × camera across parts: camera harbour in training and test');
    expect(leakInWords(leaks[2]!)).toBe('1 × near-duplicate across parts: 4.jpg (training) and 5.jpg (test)');
  });

  test('are not the cameras of a class that was cut by time', () => {
    const samples = [0, 1].map((i) => sample(i, 1, { group: 'a', twins: 0, part: i === 0 ? 'training' : 'test' }));
    expect(findLeaks(datasetOf(samples), { cutByTime: new Set(['road']) })).toEqual([]);
    expect(findLeaks(datasetOf(samples), { cutByTime: new Set(['ski']) })).toHaveLength(2);
  });
});

describe('a camera of a class that was cut by time', () => {
  const rules = { cutByTime: new Set(['road', 'ski']) };
  const of = (...shown: [label: number, part: 'training' | 'reference' | 'test'][]) =>
    findLeaks(datasetOf(shown.map(([label, part], i) => sample(i, label, { group: 'pier', part }))), rules).map(
      ({ kind, examples }) => [kind, examples[0]],
    );

  test('leaks where it teaches another class, however that was split', () => {
    expect(of([1, 'test'], [0, 'training'])).toEqual([['camera', 'camera pier in test and training']]);
    expect(of([1, 'training'], [0, 'test'])).toHaveLength(1);
    expect(of([1, 'training'], [2, 'test'])).toHaveLength(1);
  });

  test('does not where it shows nothing else, or is in one part', () => {
    expect(of([1, 'training'], [1, 'reference'], [1, 'test'])).toEqual([]);
    expect(of([1, 'test'], [0, 'test'])).toEqual([]);
  });
});

describe('a dataset', () => {
  const samples = [0, 1, 2].flatMap((label) => parts.map((part, i) => sample(label * 3 + i, label, { part })));

  test('has a fingerprint that changes with any image, label, part or order of classes', () => {
    const fingerprint = datasetFingerprint({ classes: CLASSES, samples });
    const with0 = (more: Partial<DatasetSample>) => [{ ...samples[0]!, ...more }, ...samples.slice(1)];
    const changed = [
      { classes: ['road', 'beach', 'ski'], samples },
      { classes: CLASSES, samples: samples.slice(1) },
      { classes: CLASSES, samples: with0({ digest: sha256('x') }) },
      { classes: CLASSES, samples: with0({ label: 1 }) },
      { classes: CLASSES, samples: with0({ part: 'test' }) },
    ];
    expect(new Set([...changed.map(datasetFingerprint), fingerprint]).size).toBe(6);
    expect(datasetFingerprint({ classes: CLASSES, samples: with0({ file: '/elsewhere.jpg' }) })).toBe(fingerprint);
    expect(() => requireUnchanged(datasetOf(samples), fingerprint)).not.toThrow();
    expect(() => requireUnchanged(datasetOf(samples.slice(1)), fingerprint)).toThrow(
      expect.objectContaining({ code: 'DATASET_CHANGED' }),
    );
  });

  test('of one class, or without training or reference images, is refused', () => {
    const only = (keep: (entry: DatasetSample) => boolean) => () =>
      examineClasses({ classes: CLASSES, samples: samples.filter(keep) });
    expect(only(({ label }) => label === 1)).toThrow(expect.objectContaining({ code: 'DATASET_ONE_CLASS' }));
    expect(only(({ label }) => label === 1)).toThrow('"road"');
    expect(only(({ part }) => part !== 'reference')).toThrow(expect.objectContaining({ code: 'DATASET_PART_EMPTY' }));
    expect(only(({ part }) => part !== 'training')).toThrow(expect.objectContaining({ code: 'DATASET_PART_EMPTY' }));
  });

  test('names every class that lacks images of a part', () => {
    const lacking = samples.filter(({ label, part }) => label !== 2 || part === 'training');
    expect(examineClasses({ classes: CLASSES, samples })).toEqual([]);
    expect(examineClasses({ classes: CLASSES, samples: lacking })).toEqual([
      expect.stringMatching(/^"ski" has no reference images: .*sample size stays/),
      expect.stringMatching(/^"ski" has no test images: .*not evaluable/),
    ]);
  });
});
