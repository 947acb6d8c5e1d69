import { AppError } from '../../common/runtime/errors.ts';
import type { Backbone } from '../backbone/backbone.ts';
import { basicAugmentation } from '../dataset/augment/draw.ts';
import type { Dataset } from '../dataset/dataset.ts';
import { indicesOf } from '../dataset/dataset.ts';
import { ImageLoader } from '../dataset/loader/image-loader.ts';
import { batchesOf } from '../sampling/draw.ts';
import { createRandom, shuffle } from '../sampling/random.ts';

/** Pictures that are decoded together. */
const CHUNK = 8;

/**
 * Training pictures to calibrate a trunk on, as agents would prepare them and never augmented. Every class gives one in turn, so
 * that rare scenes set the ranges as much as frequent ones; which ones is drawn by seed.
 *
 * @returns fewer than `count` where the training part has fewer
 * @throws AppError `CALIBRATION_EMPTY`, SAMPLE_UNREADABLE, DATASET_CHANGED
 */
export async function calibrationPictures(
  dataset: Dataset,
  { input }: Pick<Backbone, 'input'>,
  { count, seed }: { count: number; seed: number },
): Promise<Float32Array[]> {
  const samples = stratified(dataset, count, seed);
  if (samples.length === 0) {
    throw new AppError('CALIBRATION_EMPTY', `${dataset.name} has no training picture to calibrate on.`);
  }
  const { width, height, scale, offset } = input;
  const loader = new ImageLoader(dataset, {
    input: { width, height, scale, offset },
    augmentation: basicAugmentation,
    seed,
    threads: 1,
    cacheBytes: 0,
  });
  const size = 3 * width * height;
  try {
    const pictures: Float32Array[] = [];
    for (const chunk of batchesOf(samples, CHUNK)) {
      const batch = await loader.batch(chunk.map((sample) => ({ sample, repetition: null })));
      chunk.forEach((_, i) => pictures.push(batch.slice(i * size, (i + 1) * size)));
    }
    return pictures;
  } finally {
    await loader.close();
  }
}

/** Positions in the dataset: one of each class in turn until there are enough. */
export function stratified(dataset: Dataset, count: number, seed: number): number[] {
  const queues = dataset.classes.map((_, label) =>
    shuffle(
      indicesOf(dataset, 'training').filter((index) => dataset.samples[index]?.label === label),
      createRandom(seed, 'calibration', label),
    ),
  );
  const turns = Math.max(0, ...queues.map(({ length }) => length));
  const inTurn = Array.from({ length: turns }, (_, turn) => queues.flatMap((queue) => queue[turn] ?? [])).flat();
  return inTurn.slice(0, count);
}
