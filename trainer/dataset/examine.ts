import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { decodeRgb } from '../../common/inference/decode.ts';
import { AppError, codeOf } from '../../common/runtime/errors.ts';
import { sha256 } from '../../common/storage/digest.ts';
import type { ListedImage } from './loaders/loader.ts';
import type { Look } from './near-duplicates.ts';
import { lookOf } from './near-duplicates.ts';

// Enough to hide reading behind decoding; a few large pictures in memory at most.
const AT_A_TIME = 4;
// 100 megapixels: more than any camera gives, 300 MB when decoded.
const MAX_PIXELS = 100_000_000;

export interface ExaminedImage extends Omit<ListedImage, 'digest'> {
  digest: string;
  look: Look | null;
}

export interface Examination {
  images: ExaminedImage[];
  /** File and reason of every image that is left out. */
  leftOut: { file: string; reason: string }[];
}

/** Reads every file of a listing once: its digest, whether it can be decoded, what it looks like. Keeps the listing's order. */
export async function examineImages(
  folder: string,
  listed: readonly ListedImage[],
  onProgress?: (done: number, all: number) => void,
): Promise<Examination> {
  const results: (ExaminedImage | { reason: string })[] = new Array(listed.length);
  let next = 0;
  let done = 0;
  const work = async () => {
    while (next < listed.length) {
      const i = next++;
      results[i] = await examineImage(folder, listed[i] as ListedImage);
      onProgress?.(++done, listed.length);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  const examination: Examination = { images: [], leftOut: [] };
  results.forEach((result, i) => {
    if ('reason' in result) examination.leftOut.push({ file: (listed[i] as ListedImage).file, reason: result.reason });
    else examination.images.push(result);
  });
  return examination;
}

async function examineImage(folder: string, image: ListedImage): Promise<ExaminedImage | { reason: string }> {
  try {
    const bytes = await readFile(join(folder, image.file));
    if (bytes.length === 0) return { reason: 'empty file' };
    const digest = sha256(bytes);
    if (image.digest !== null && image.digest !== digest) return { reason: 'not the bytes that the dataset lists' };
    return { ...image, digest, look: await lookAt(bytes) };
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return { reason: 'missing' };
    if (code === 'IMAGE_UNDECODABLE' || code === 'IMAGE_TOO_LARGE') return { reason: (error as Error).message };
    throw new AppError('DATASET_UNREADABLE', `Reading ${join(folder, image.file)} failed: ${String(error)}`, {
      cause: error,
    });
  }
}

async function lookAt(bytes: Buffer): Promise<Look | null> {
  // Before decoding: a few bytes can claim gigabytes of pixels.
  const { width, height } = await sharp(bytes)
    .metadata()
    .catch(() => ({ width: 0, height: 0 }));
  if (width * height > MAX_PIXELS) {
    throw new AppError('IMAGE_TOO_LARGE', `${width}×${height} pixels, more than ${MAX_PIXELS}`);
  }
  return lookOf(await decodeRgb(bytes));
}
