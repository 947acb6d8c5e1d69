import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Part } from '../../../common/domain/dataset.ts';
import { sha256 } from '../../../common/storage/digest.ts';
import { countsOf, datasetFingerprint } from '../../../trainer/dataset/dataset.ts';
import { drawSplit, loadDataset } from '../../../trainer/dataset/load.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { noiseJpeg, writeFiles } from './pictures.ts';

const PLACES = join(
  process.env['CAMFLEET_SHARED'] ?? resolve(import.meta.dirname, '../../../../shared'),
  'datasets/places19',
);

let folder: string;
beforeEach(async () => {
  folder = await makeTestFolder('dataset');
});
afterEach(() => rm(folder, { recursive: true }));

const failure = (code: string, message = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(message) });

/** Ten images of each class, by default; the first image's number decides what they show. */
async function imageFolder(classes: Record<string, number>): Promise<void> {
  let seed = 1;
  for (const [label, count] of Object.entries(classes)) {
    for (let i = 0; i < count; i++) await writeFiles(folder, { [`${label}/${i}.jpg`]: await noiseJpeg(seed++) });
  }
}

describe('an ImageFolder', () => {
  test('is split at random only when told so; classes are in byte order', async () => {
    await imageFolder({ Ski: 10, beach: 20, äpple: 10 });
    await expect(loadDataset(folder)).rejects.toThrow(failure('DATASET_SPLIT_UNKNOWN', '--split random'));
    const dataset = await loadDataset(folder, { split: { by: 'random', seed: 1 } });
    expect(dataset.classes).toEqual(['Ski', 'beach', 'äpple']);
    expect(countsOf(dataset)).toEqual({ training: [7, 14, 7], reference: [1, 2, 1], test: [2, 4, 2] });
    expect(dataset.splitRule).toBe('at random, seed 1, split 0, 70/10/20 of each class');
    expect(dataset.warnings).toEqual([]);
    const first = dataset.samples[0]!;
    expect(first.digest).toBe(sha256(await readFile(first.file)));
  });

  test('is split by the cameras and times that its metadata.csv names', async () => {
    await imageFolder({ beach: 9, road: 9 });
    const rows = ['beach', 'road'].flatMap((label) =>
      Array.from({ length: 9 }, (_, i) => `${label}/${i}.jpg,"${label}, ${i % 3}",2020-01-0${i + 1}T12:00:00+01:00`),
    );
    await writeFiles(folder, { 'metadata.csv': ['file,camera,time', ...rows].join('\r\n') });
    const byCamera = await loadDataset(folder);
    expect(byCamera.splitRule).toContain('by camera');
    expect(byCamera.samples[1]).toMatchObject({ group: 'beach, 1', time: Date.UTC(2020, 0, 2, 11) });
    expect(countsOf(byCamera)).toEqual({ training: [3, 3], reference: [3, 3], test: [3, 3] });
    const byTime = await loadDataset(folder, { split: { by: 'time' } });
    expect(countsOf(byTime)).toEqual({ training: [6, 6], reference: [1, 1], test: [2, 2] });
    expect(byTime.warnings[0]).toContain('cameras never seen');
    // At random cameras end up everywhere.
    await expect(loadDataset(folder, { split: { by: 'random', seed: 1 } })).rejects.toThrow(
      failure('DATASET_LEAK', 'camera across parts'),
    );
  });

  test('wants times that mean the same everywhere', async () => {
    await imageFolder({ beach: 3, road: 3 });
    await writeFiles(folder, { 'metadata.csv': 'file,time\nbeach/0.jpg,2020-01-01T12:00:00\n' });
    await expect(loadDataset(folder)).rejects.toThrow(failure('DATASET_INVALID', 'line 2'));
  });

  test('leaves out what cannot be read, and lists it', async () => {
    await imageFolder({ beach: 10, road: 10 });
    await writeFiles(folder, { 'beach/empty.jpg': '', 'road/page.jpg': '<html>not found</html>' });
    const dataset = await loadDataset(folder, { split: { by: 'random', seed: 1 } });
    expect(dataset.samples).toHaveLength(20);
    expect(dataset.leftOut).toEqual([
      { file: 'beach/empty.jpg', reason: 'empty file' },
      { file: 'road/page.jpg', reason: expect.stringContaining('cannot be decoded') },
    ]);
    expect(dataset.warnings[0]).toContain('2 images are left out: beach/empty.jpg (empty file)');
  });

  test('keeps copies of a picture in one part, however they were saved', async () => {
    await imageFolder({ beach: 10, road: 10 });
    for (let i = 0; i < 10; i++) {
      const copy = await noiseJpeg(1 + (i % 3), { width: 40 + 8 * i, height: 30 + 6 * i, quality: 80 });
      await writeFiles(folder, { [`beach/copy${i}.jpg`]: copy });
    }
    for (let index = 0; index < 5; index++) {
      const dataset = await loadDataset(folder, { split: { by: 'random', seed: 1, index } });
      const parts = new Map<number, Set<Part>>();
      for (const { twins, part } of dataset.samples) parts.set(twins, (parts.get(twins) ?? new Set()).add(part));
      expect(parts.size).toBe(20);
      expect([...parts.values()].every((set) => set.size === 1)).toBe(true);
    }
  });

  test('of one class, of nothing, or nowhere is an error that says so', async () => {
    await expect(loadDataset(join(folder, 'nowhere'))).rejects.toThrow(failure('DATASET_NOT_FOUND', '--dataset'));
    await expect(loadDataset(folder)).rejects.toThrow(failure('DATASET_NOT_FOUND', 'ImageFolder'));
    await imageFolder({ beach: 10 });
    await expect(loadDataset(folder, { split: { by: 'random', seed: 1 } })).rejects.toThrow(
      failure('DATASET_ONE_CLASS', '"beach"'),
    );
  });

  test('may not have labels that the model does not know', async () => {
    await imageFolder({ beach: 10, road: 10 });
    const split = { by: 'random', seed: 1 } as const;
    await expect(loadDataset(folder, { split, classes: ['road', 'ski'] })).rejects.toThrow(
      failure('DATASET_LABEL_UNKNOWN', 'beach'),
    );
    const dataset = await loadDataset(folder, { split, classes: ['ski', 'road', 'beach'] });
    expect(countsOf(dataset).training).toEqual([0, 7, 7]);
    expect(dataset.warnings).toContainEqual(expect.stringContaining('"ski" has no training images'));
  });
});

describe('a manifest of parts', () => {
  const lists = (label: string) => ({
    train: [`${label}/0.jpg`, `${label}/1.jpg`],
    reference: [`${label}/2.jpg`],
    test: [`${label}/3.jpg`],
  });

  test('gives classes in its own order, and its parts', async () => {
    await imageFolder({ road: 4, beach: 4 });
    await writeFiles(folder, { 'profile.json': JSON.stringify({ road: lists('road'), beach: lists('beach') }) });
    const dataset = await loadDataset(folder, { manifest: 'profile.json' });
    expect(dataset).toMatchObject({ name: 'profile', classes: ['road', 'beach'], splitRule: 'as profile.json says' });
    expect(countsOf(dataset)).toEqual({ training: [2, 2], reference: [1, 1], test: [1, 1] });
    const redrawn = drawSplit(dataset, { by: 'random', seed: 1, index: 1 });
    expect(countsOf(redrawn)).toEqual(countsOf(dataset));
    expect(redrawn.digest).toBe(dataset.digest);
    expect(datasetFingerprint(redrawn)).not.toBe(datasetFingerprint(dataset));
  });

  test('with one picture in two parts is refused, unless forced', async () => {
    await imageFolder({ road: 4, beach: 4 });
    await writeFile(join(folder, 'beach/3.jpg'), await noiseJpeg(5, { quality: 70 }));
    await writeFile(join(folder, 'road/3.jpg'), await readFile(join(folder, 'road/0.jpg')));
    await writeFiles(folder, { 'profile.json': JSON.stringify({ road: lists('road'), beach: lists('beach') }) });
    const loading = loadDataset(folder, { manifest: 'profile.json' });
    await expect(loading).rejects.toThrow(failure('DATASET_LEAK', '0.jpg (training) and 3.jpg (test)'));
    await expect(loading).rejects.toThrow('1 × near-duplicate across parts');
    const forced = await loadDataset(folder, { manifest: 'profile.json', force: true });
    expect(forced.warnings).toContainEqual(expect.stringContaining('1 × equal digest across parts'));
  });

  test('may list cameras, and test images alone', async () => {
    await imageFolder({ road: 2, beach: 1 });
    const road = [{ file: 'road/0.jpg', camera: 'a', time: '2020-01-01T00:00:00Z' }, 'road/1.jpg'];
    await writeFiles(folder, { 'more.json': JSON.stringify({ road, beach: ['beach/0.jpg'] }) });
    const dataset = await loadDataset(folder, { manifest: 'more.json', testOnly: true, classes: ['beach', 'road'] });
    expect(dataset.samples.map(({ label, part, group }) => [label, part, group])).toEqual([
      [1, 'test', 'a'],
      [1, 'test', null],
      [0, 'test', null],
    ]);
  });

  test('does not reach outside its folder', async () => {
    await writeFiles(folder, { 'evil.json': JSON.stringify({ road: ['../../etc/passwd'] }) });
    await expect(loadDataset(folder, { manifest: 'evil.json' })).rejects.toThrow(failure('DATASET_INVALID'));
    await expect(loadDataset(folder, { manifest: 'missing.json' })).rejects.toThrow(failure('DATASET_NOT_FOUND'));
  });
});

describe('a pulled snapshot', () => {
  async function pulled({ split = 'camera', sameCamera = false } = {}): Promise<void> {
    const samples = [];
    for (const [c, label] of ['road', 'beach'].entries()) {
      for (const [i, part] of (['training', 'training', 'reference', 'test'] as const).entries()) {
        const jpeg = await noiseJpeg(100 + 10 * c + i);
        const digest = sha256(jpeg);
        const file = `${label}/${digest}.jpg`;
        await writeFiles(folder, { [file]: jpeg });
        samples.push({
          ...{ digest, bytes: jpeg.length, label, part, file, cameraId: sameCamera ? 10 * c : 10 * c + i },
          ...{ fetchedAt: 1e12 + i, labelledBy: 'farm', labelledAt: 1e12, modelVersion: null, scores: null },
        });
      }
    }
    const classes = ['road', 'beach'].map((label) => ({
      ...{ label, split, counts: { training: 2, reference: 1, test: 1 }, cameras: 4, ratio: 1 },
    }));
    const dataset = {
      name: 'farm-1',
      createdAt: '2026-01-01T00:00:00Z',
      digest: sha256('farm-1'),
      perCamera: 1,
      classes,
    };
    const json = JSON.stringify({ ...dataset, samples, cameras: 8, bytes: 1 });
    await writeFiles(folder, { 'dataset.json': json, 'metadata.csv': 'camera\n1\n' });
  }

  test('keeps digest, order of classes, parts and cameras', async () => {
    await pulled();
    const dataset = await loadDataset(folder);
    expect(dataset).toMatchObject({
      name: 'farm-1',
      digest: sha256('farm-1'),
      classes: ['road', 'beach'],
      warnings: [],
    });
    expect(countsOf(dataset)).toEqual({ training: [2, 2], reference: [1, 1], test: [1, 1] });
    expect(dataset.samples[1]).toMatchObject({ group: '1', time: 1e12 + 1, label: 0 });
  });

  test('may have one camera in all parts only in classes cut by time', async () => {
    await pulled({ sameCamera: true });
    await expect(loadDataset(folder)).rejects.toThrow(failure('DATASET_LEAK', 'camera 0 in training and reference'));
    await pulled({ sameCamera: true, split: 'time' });
    expect((await loadDataset(folder)).splitRule).toContain('by time with a gap: road, beach');
  });

  test('notices a file with other bytes than were listed', async () => {
    await pulled();
    const { file } = (await loadDataset(folder)).samples[0]!;
    await writeFile(file, await noiseJpeg(999));
    const dataset = await loadDataset(folder);
    expect(dataset.leftOut[0]?.reason).toBe('not the bytes that the dataset lists');
    expect(dataset.samples).toHaveLength(7);
  });

  test('that is damaged says what to do', async () => {
    await writeFiles(folder, { 'dataset.json': '{"name": "x"}' });
    await expect(loadDataset(folder)).rejects.toThrow(failure('DATASET_INVALID', 'pull again'));
  });
});

test.skipIf(!existsSync(PLACES))(
  'places19 profile B has no leak, and its further splits keep its shape (needs ../shared)',
  async () => {
    const dataset = await loadDataset(PLACES, { manifest: 'profileB.json' });
    expect(dataset.warnings).toEqual([]);
    expect(dataset.samples).toHaveLength(1728);
    expect(dataset.classes[0]).toBe('highway');
    const counts = countsOf(dataset);
    expect([counts.training[0], counts.reference[0], counts.test[0]]).toEqual([630, 90, 180]);
    const split = drawSplit(dataset, { by: 'random', seed: 1, index: 1 });
    expect(countsOf(split)).toEqual(counts);
  },
);
