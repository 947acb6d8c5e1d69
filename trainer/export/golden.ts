import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import type { Dataset, DatasetSample } from '../dataset/dataset.ts';
import { indicesOf } from '../dataset/dataset.ts';

/** Enough to meet most classes' paths through the network, few enough for a manifest that travels to every agent. */
const MOST_FRAMES = 8;
/** Larger originals are scaled down: a manifest carries its frames with it. */
const MOST_PIXELS = 640;

/** JPEG training images of different classes, for the golden frames of an artifact; the same for the same dataset. */
export async function goldenPictures(dataset: Dataset): Promise<Buffer[]> {
  const firstOfClass = new Map<number, DatasetSample>();
  for (const index of indicesOf(dataset, 'training')) {
    const sample = dataset.samples[index] as DatasetSample;
    if (!firstOfClass.has(sample.label)) firstOfClass.set(sample.label, sample);
  }
  const all = [...firstOfClass.values()].sort((a, b) => a.label - b.label);
  const every = Math.max(1, all.length / MOST_FRAMES);
  const chosen = Array.from({ length: Math.min(MOST_FRAMES, all.length) }, (_, i) => all[Math.floor(i * every)]);
  return Promise.all(chosen.map((sample) => asSmallJpeg((sample as DatasetSample).file)));
}

async function asSmallJpeg(file: string): Promise<Buffer> {
  const bytes = await readFile(file);
  const { format, width, height } = await sharp(bytes).metadata();
  if (format === 'jpeg' && Math.max(width, height) <= MOST_PIXELS) return bytes;
  return sharp(bytes).resize(MOST_PIXELS, MOST_PIXELS, { fit: 'inside', withoutEnlargement: true }).jpeg({ quality: 90 }).toBuffer(); // prettier-ignore
}
