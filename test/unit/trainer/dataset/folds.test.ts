import { expect, test } from 'vitest';
import { sha256 } from '../../../../common/storage/digest.ts';
import { foldsOf } from '../../../../trainer/dataset/folds.ts';
import type { DatasetSample } from '../../../../trainer/dataset/dataset.ts';

const sample = (i: number, label: number, extra: Partial<DatasetSample> = {}): DatasetSample => ({
  file: `${i}.jpg`,
  digest: sha256(`picture ${i}`),
  label,
  part: 'training',
  group: null,
  time: null,
  twins: i,
  ...extra,
});

test('every fold has as many images of each class, give or take one', () => {
  const samples = Array.from({ length: 50 }, (_, i) => sample(i, i < 40 ? 0 : i < 47 ? 1 : 2));
  const folds = foldsOf(samples, 3, 1);
  for (const label of [0, 1, 2]) {
    const sizes = [0, 1, 2].map((k) => samples.filter((one, i) => one.label === label && folds[i] === k).length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  }
});

test('cameras and near-duplicates stay in one fold, also where they are chained', () => {
  const samples = Array.from({ length: 30 }, (_, i) => sample(i, 0, { group: `camera ${i >> 1}` }));
  samples[1] = sample(1, 0, { group: 'camera 0', twins: 2 });
  const folds = foldsOf(samples, 3, 1);
  expect(folds[0]).toBe(folds[1]);
  expect(folds[1]).toBe(folds[2]);
  expect(folds[2]).toBe(folds[3]);
});

test('folds depend on pictures and seed, not on the order of the list', () => {
  const samples = Array.from({ length: 20 }, (_, i) => sample(i, i % 2));
  const turned = [...samples].reverse();
  expect([...foldsOf(turned, 3, 1)].reverse()).toEqual(foldsOf(samples, 3, 1));
  expect(foldsOf(samples, 3, 2)).not.toEqual(foldsOf(samples, 3, 1));
});
