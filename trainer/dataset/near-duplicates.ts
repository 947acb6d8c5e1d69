import type { RgbImage } from '../../common/inference/decode.ts';
import { DisjointSets } from './disjoint-sets.ts';

/** Width and height of the grey thumbnails that are compared. */
const THUMBNAIL = 32;
// Pixels looked at along one side of a thumbnail's pixel: more changes nothing but the time.
const MAX_SAMPLES = 8;
const FREQUENCIES = 8;
// Re-encoding and scaling flip at most a few of 63 bits; more would join different pictures of one kind.
const MAX_DISTANCE = 6;
// Bands of 8 bits: of eight bands at least two are equal where at most six bits differ, so no pair is missed.
const BANDS = 8;
// The hash sees coarse structure only; these many grey levels, after brightness is taken out, are what recompression makes.
const MAX_MEAN_DIFFERENCE = 5;
// A plain wall has no structure to compare.
const MIN_DEVIATION = 3;

const COSINES = Float64Array.from({ length: FREQUENCIES * THUMBNAIL }, (_, i) =>
  Math.cos((Math.PI * Math.floor(i / THUMBNAIL) * (2 * (i % THUMBNAIL) + 1)) / (2 * THUMBNAIL)),
);

/** What is compared of a picture; `null` in its place where there is too little structure to tell pictures apart. */
export interface Look {
  /** 64 bits: a coefficient of the lowest 8×8 of the thumbnail's cosine transform is above their median or not. */
  hash: readonly [high: number, low: number];
  /** Grey levels minus their mean. */
  thumbnail: Float32Array;
}

export function lookOf(image: RgbImage): Look | null {
  const grey = greyThumbnail(image);
  const mean = grey.reduce((sum, value) => sum + value, 0) / grey.length;
  const thumbnail = Float32Array.from(grey, (value) => value - mean);
  const variance = thumbnail.reduce((sum, value) => sum + value * value, 0) / grey.length;
  return Math.sqrt(variance) < MIN_DEVIATION ? null : { hash: hashOf(thumbnail), thumbnail };
}

function greyThumbnail({ data, width, height }: RgbImage): Float32Array {
  const grey = new Float32Array(THUMBNAIL * THUMBNAIL);
  const [rowStep, columnStep] = [height, width].map((side) => Math.max(1, Math.floor(side / THUMBNAIL / MAX_SAMPLES)));
  for (let y = 0; y < THUMBNAIL; y++) {
    const [top, bottom] = cell(y, height);
    for (let x = 0; x < THUMBNAIL; x++) {
      const [left, right] = cell(x, width);
      let sum = 0;
      let count = 0;
      for (let row = top; row < bottom; row += rowStep as number) {
        for (let column = left; column < right; column += columnStep as number, count++) {
          const at = (row * width + column) * 3;
          sum += 0.299 * (data[at] as number) + 0.587 * (data[at + 1] as number) + 0.114 * (data[at + 2] as number);
        }
      }
      grey[y * THUMBNAIL + x] = sum / count;
    }
  }
  return grey;
}

/** From and until of a thumbnail's pixel along a side; never empty, however small the picture. */
function cell(i: number, side: number): [from: number, until: number] {
  const from = Math.floor((i * side) / THUMBNAIL);
  return [from, Math.max(from + 1, Math.floor(((i + 1) * side) / THUMBNAIL))];
}

function hashOf(thumbnail: Float32Array): readonly [number, number] {
  const coefficients = cosineTransform(thumbnail);
  const median = coefficients.slice(1).sort()[31] as number;
  const bits: [number, number] = [0, 0];
  // Bit 0 is the mean, which is 0 by now.
  for (let i = 1; i < 64; i++) {
    const word = i < 32 ? 0 : 1;
    if ((coefficients[i] as number) > median) bits[word] = (bits[word] | (1 << (i & 31))) >>> 0;
  }
  return bits;
}

function cosineTransform(thumbnail: Float32Array): Float64Array {
  const rows = new Float64Array(THUMBNAIL * FREQUENCIES);
  for (let y = 0; y < THUMBNAIL; y++) {
    for (let v = 0; v < FREQUENCIES; v++) {
      let sum = 0;
      for (let x = 0; x < THUMBNAIL; x++) {
        sum += (thumbnail[y * THUMBNAIL + x] as number) * (COSINES[v * THUMBNAIL + x] as number);
      }
      rows[y * FREQUENCIES + v] = sum;
    }
  }
  const coefficients = new Float64Array(FREQUENCIES * FREQUENCIES);
  for (let u = 0; u < FREQUENCIES; u++) {
    for (let v = 0; v < FREQUENCIES; v++) {
      let sum = 0;
      for (let y = 0; y < THUMBNAIL; y++) {
        sum += (rows[y * FREQUENCIES + v] as number) * (COSINES[u * THUMBNAIL + y] as number);
      }
      coefficients[u * FREQUENCIES + v] = sum;
    }
  }
  return coefficients;
}

export function looksAlike(a: Look, b: Look): boolean {
  const distance = bitsIn(a.hash[0] ^ b.hash[0]) + bitsIn(a.hash[1] ^ b.hash[1]);
  if (distance > MAX_DISTANCE) return false;
  let sum = 0;
  for (let i = 0; i < a.thumbnail.length; i++) {
    sum += Math.abs((a.thumbnail[i] as number) - (b.thumbnail[i] as number));
  }
  return sum / a.thumbnail.length <= MAX_MEAN_DIFFERENCE;
}

function bitsIn(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/**
 * Numbers pictures such that equal digests and near-duplicates, directly or through others, share a number. Crops and mirror
 * images are not found.
 */
export function twinNumbers(pictures: readonly { digest: string; look: Look | null }[]): number[] {
  const sets = new DisjointSets(pictures.length);
  const firstOfDigest = new Map<string, number>();
  const bands = Array.from({ length: BANDS }, () => new Map<number, number[]>());
  pictures.forEach(({ digest, look }, i) => {
    const first = firstOfDigest.get(digest);
    if (first !== undefined) return sets.join(first, i);
    firstOfDigest.set(digest, i);
    if (!look) return;
    for (const [band, bucket] of bands.entries()) {
      const key = ((look.hash[band >> 2] as number) >>> ((band & 3) * 8)) & 0xff;
      const others = bucket.get(key) ?? [];
      for (const other of others) {
        if (sets.rootOf(other) === sets.rootOf(i)) continue;
        if (looksAlike(look, pictures[other]?.look as Look)) sets.join(other, i);
      }
      others.push(i);
      bucket.set(key, others);
    }
  });
  return pictures.map((_, i) => sets.rootOf(i));
}
