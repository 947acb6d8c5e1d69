import { readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parts } from '../../../common/domain/dataset.ts';
import { decodeRgb } from '../../../common/inference/decode.ts';
import { buildResize } from '../../../common/inference/graphs.ts';
import { Resizer } from '../../../common/inference/resizer.ts';
import { sha256 } from '../../../common/storage/digest.ts';
import { affineOf, warp } from '../../../trainer/dataset/augment/affine.ts';
import { basicAugmentation, drawWarp } from '../../../trainer/dataset/augment/draw.ts';
import type { Dataset, DatasetSample } from '../../../trainer/dataset/dataset.ts';
import type { BatchItem, ImageLoaderOptions } from '../../../trainer/dataset/loader/image-loader.ts';
import { ImageLoader } from '../../../trainer/dataset/loader/image-loader.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { noiseJpeg } from './pictures.ts';

const INPUT = { width: 32, height: 24, scale: 1 / 127.5, offset: -1 };
const SIZE = 3 * INPUT.width * INPUT.height;

let folder: string;
let dataset: Dataset;
beforeAll(async () => {
  folder = await makeTestFolder('loader');
  const samples: DatasetSample[] = [];
  for (let i = 0; i < 12; i++) {
    const jpeg = await noiseJpeg(i, { width: 60 + i, height: 40 });
    const file = join(folder, `${i}.jpg`);
    await writeFile(file, jpeg);
    const part = i < 10 ? 'training' : parts[i - 9]!;
    samples.push({ file, digest: sha256(jpeg), label: i % 2, part, group: null, time: null, twins: i });
  }
  const classes = ['beach', 'road'];
  dataset = { name: 'small', digest: sha256('small'), classes, samples, splitRule: '', leftOut: [], warnings: [] };
});
afterAll(() => rm(folder, { recursive: true }));

/** Threads take half a second of processor time to start from sources: most tests share these two. */
let shared: ImageLoader;
beforeAll(() => {
  shared = new ImageLoader(dataset, { input: INPUT, augmentation: basicAugmentation, seed: 5, threads: 2 });
});
afterAll(() => shared.close());

const loaders: ImageLoader[] = [];
afterEach(async () => {
  for (const loader of loaders.splice(0)) await loader.close();
});
function open(options: Partial<ImageLoaderOptions> = {}, of = dataset): ImageLoader {
  const loader = new ImageLoader(of, {
    input: INPUT,
    augmentation: basicAugmentation,
    seed: 5,
    threads: 2,
    ...options,
  });
  loaders.push(loader);
  return loader;
}

const training: BatchItem[] = [3, 0, 3, 7, 9, 3, 1].map((sample, repetition) => ({ sample, repetition }));
const asTheyAre: BatchItem[] = [10, 2, 11].map((sample) => ({ sample, repetition: null }));
const failure = (code: string) => expect.objectContaining({ code });

async function resized(sample: number, scale: number, offset: number): Promise<Float32Array> {
  const resizer = await Resizer.load(buildResize({ ...INPUT, layout: 'nchw', scale, offset }), { threads: 1 });
  const values = await resizer.run(await decodeRgb(await readFile(dataset.samples[sample]!.file)));
  await resizer.close();
  return values;
}

describe('a batch', () => {
  test('holds exactly what the artifact’s resize graph gives the network, where nothing is augmented', async () => {
    const batch = await shared.batch(asTheyAre);
    expect(batch).toHaveLength(asTheyAre.length * SIZE);
    for (const [i, { sample }] of asTheyAre.entries()) {
      expect(batch.slice(i * SIZE, (i + 1) * SIZE)).toEqual(await resized(sample, INPUT.scale, INPUT.offset));
    }
  });

  test('warps 0…255 values before scaling them', async () => {
    const batch = await shared.batch(training);
    for (const [i, { sample, repetition }] of training.entries()) {
      const { height, width } = INPUT;
      const key = { seed: 5, digest: dataset.samples[sample]!.digest, repetition: repetition! };
      const draw = drawWarp(basicAugmentation, key, height, width);
      const expected = new Float32Array(SIZE);
      const map = affineOf(draw, height, width);
      warp(await resized(sample, 1, 0), expected, { channels: 3, height, width }, map, 0, draw.flip);
      const scaled = expected.map((value) => Math.fround(value * Math.fround(1 / 127.5)) - 1);
      expect(batch.slice(i * SIZE, (i + 1) * SIZE)).toEqual(scaled);
    }
  });

  test('is the same for any number of threads, with or without cache, prefetched or not, the first time or the third', async () => {
    const expected = await shared.batch(training);
    const three = open({ threads: 3, cacheBytes: 2 * SIZE * 4 });
    for (let time = 0; time < 3; time++) expect(await three.batch(training)).toEqual(expected);
    const uncached = open({ threads: 1, cacheBytes: 0 });
    uncached.prefetch(training);
    uncached.prefetch(asTheyAre);
    expect(await uncached.batch(training)).toEqual(expected);
    expect(await uncached.batch(asTheyAre)).toEqual(await shared.batch(asTheyAre));
    expect(await open({ threads: 1, seed: 6 }).batch(training)).not.toEqual(expected);
  });

  test('may be empty', async () => {
    expect(await shared.batch([])).toHaveLength(0);
  });

  test('stays what it is when the next one is prepared', async () => {
    const first = await shared.batch(training);
    const copy = first.slice();
    await shared.batch(training.map(({ sample }) => ({ sample, repetition: 99 })));
    expect(first).toEqual(copy);
  });

  test('never augments reference or test images', async () => {
    for (const sample of [10, 11]) {
      await expect(shared.batch([{ sample, repetition: 0 }])).rejects.toThrow(failure('SAMPLE_NOT_FOR_TRAINING'));
    }
  });
});

describe('a loader', () => {
  test('says which image is missing or changed, and goes on with others', async () => {
    const file = join(folder, 'other.jpg');
    const sample = { ...dataset.samples[0]!, file };
    const loader = open({}, { ...dataset, samples: [sample, ...dataset.samples.slice(1)] });
    const wanted = [0, 1].map((i) => ({ sample: i, repetition: 0 }));
    await expect(loader.batch(wanted)).rejects.toThrow(failure('SAMPLE_UNREADABLE'));
    await writeFile(file, await noiseJpeg(77));
    loader.prefetch(wanted);
    await expect(loader.batch(wanted)).rejects.toThrow(failure('DATASET_CHANGED'));
    await expect(loader.batch(wanted)).rejects.toThrow(file);
    await unlink(file);
    expect(await loader.batch([wanted[1]!])).toHaveLength(SIZE);
  });

  test('ends its threads, and fails what was under way', async () => {
    const loader = open({ cacheBytes: 0 });
    const underWay = loader.batch(training);
    const ended = expect(underWay).rejects.toThrow(failure('LOADER_CLOSED'));
    loader.prefetch(asTheyAre);
    await loader.close();
    await ended;
    await expect(loader.batch(asTheyAre)).rejects.toThrow(failure('LOADER_CLOSED'));
    await loader.close();
  });
});
