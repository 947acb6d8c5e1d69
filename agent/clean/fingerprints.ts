import { THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH } from './statistics.ts';

// Short descriptions of a picture that travel in a camera's memory: pure functions.

const COLUMNS = 16;
const ROWS = 8;
const BITS = COLUMNS * ROWS;
/** A block is darker than its neighbour when it is so by this much, as a share of the picture's deviation: noise and even ground make no bit. */
const MARGIN_SHARE = 0.1;
const LEAST_MARGIN = 1.5;

/** Digits of a hash that tell edges from left to right: the part that compares views. */
const ACROSS = BITS / 4;

/**
 * Perceptual hash, 48 hex digits: where the picture gets darker from left to right, and in coarser blocks from top to bottom.
 * Equal pictures in other sizes or qualities differ in a few bits at most, and how bright a scene is hardly counts.
 */
export function hashOf(thumbnail: Uint8Array, stdev: number): string {
  const margin = Math.max(LEAST_MARGIN, MARGIN_SHARE * stdev);
  const fine = averaged(thumbnail, FINE, BITS);
  const across = Array.from(fine, (value, block) => {
    const right = (block + 1) % COLUMNS === 0 ? block + 1 - COLUMNS : block + 1;
    return value > (fine[right] as number) + margin;
  });
  const coarse = averaged(thumbnail, COARSE, BITS / 2);
  const down = Array.from(
    coarse,
    (value, block) => value > (coarse[(block + COLUMNS / 2) % coarse.length] as number) + margin,
  );
  return toHex([...across, ...down]);
}

/** The part of a hash that compares views. */
export const edgesOf = (hash: string): string => hash.slice(0, ACROSS);

const DIGITS = '0123456789abcdef';

function toHex(bits: readonly boolean[]): string {
  let hex = '';
  for (let at = 0; at < bits.length; at += 4) {
    const digit = (bits[at] ? 8 : 0) + (bits[at + 1] ? 4 : 0) + (bits[at + 2] ? 2 : 0) + (bits[at + 3] ? 1 : 0);
    hex += DIGITS[digit] as string;
  }
  return hex;
}

/** Cell of the thumbnail → its block: computed once, read for every picture. */
const blockTable = (columns: number, rows: number): Uint8Array =>
  Uint8Array.from({ length: THUMBNAIL_WIDTH * THUMBNAIL_HEIGHT }, (_, cell) => {
    const [x, y] = [cell % THUMBNAIL_WIDTH, Math.floor(cell / THUMBNAIL_WIDTH)];
    return Math.floor((y * rows) / THUMBNAIL_HEIGHT) * columns + Math.floor((x * columns) / THUMBNAIL_WIDTH);
  });

const FINE = blockTable(COLUMNS, ROWS);
const COARSE = blockTable(COLUMNS / 2, ROWS);

function averaged(thumbnail: Uint8Array, blockOf: Uint8Array, blocks: number): Float64Array {
  const sums = new Float64Array(blocks);
  for (let cell = 0; cell < blockOf.length; cell++) sums[blockOf[cell] as number]! += thumbnail[cell] as number;
  const cells = blockOf.length / blocks;
  for (let block = 0; block < blocks; block++) sums[block]! /= cells;
  return sums;
}

/** Bits, of a digit each. */
const ONES = Uint8Array.from({ length: 16 }, (_, digit) => [1, 2, 4, 8].filter((bit) => digit & bit).length);
const digitsOf = (hash: string): number[] => [...hash].map((digit) => Number.parseInt(digit, 16));

/** Bits that differ. */
export function distance(a: string, b: string): number {
  const [left, right] = [digitsOf(a), digitsOf(b)];
  return left.reduce((sum, digit, at) => sum + (ONES[digit ^ (right[at] ?? 0)] as number), 0);
}

export const onesIn = (hash: string): number => digitsOf(hash).reduce((sum, digit) => sum + (ONES[digit] as number), 0);

/** Bits that differ as a share of those that are set in either: 0 for equal structure, 1 for nothing in common. */
export function unlikeness(a: string, b: string): number {
  const [left, right] = [digitsOf(a), digitsOf(b)];
  let differing = 0;
  let either = 0;
  for (const [at, digit] of left.entries()) {
    differing += ONES[digit ^ (right[at] ?? 0)] as number;
    either += ONES[digit | (right[at] ?? 0)] as number;
  }
  // Two pictures without structure are alike.
  return either < 8 ? 0 : differing / either;
}

/** How far a camera's view may have turned, in blocks. */
const MOST_SHIFT = { x: 5, y: 2 };

/** The least unlikeness over all shifts but none: small where one picture shows a part of the other, moved. */
export function unlikenessShifted(a: string, b: string): number {
  const [left, right] = [bitsOf(a), bitsOf(b)];
  let least = 1;
  for (let dy = -MOST_SHIFT.y; dy <= MOST_SHIFT.y; dy++) {
    for (let dx = -MOST_SHIFT.x; dx <= MOST_SHIFT.x; dx++) {
      if (dx !== 0 || dy !== 0) least = Math.min(least, overlap(left, right, dx, dy));
    }
  }
  return least;
}

const bitsOf = (hash: string): number[] =>
  digitsOf(hash).flatMap((digit) => [digit >> 3, (digit >> 2) & 1, (digit >> 1) & 1, digit & 1]);

function overlap(a: readonly number[], b: readonly number[], dx: number, dy: number): number {
  let differing = 0;
  let either = 0;
  // The last column compares with the first: it is no edge of the scene.
  for (let y = Math.max(0, -dy); y < Math.min(ROWS, ROWS - dy); y++) {
    for (let x = Math.max(0, -dx); x < Math.min(COLUMNS - 1, COLUMNS - 1 - dx); x++) {
      const one = a[y * COLUMNS + x] as number;
      const other = b[(y + dy) * COLUMNS + x + dx] as number;
      differing += one ^ other;
      either += one | other;
    }
  }
  return either < 12 ? 1 : differing / either;
}

const TILE_COLUMNS = 8;
const TILE_ROWS = 6;
export const TILES = TILE_COLUMNS * TILE_ROWS;
const TILE_OF = blockTable(TILE_COLUMNS, TILE_ROWS);
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** A character for each of 8 × 6 tiles; equal for equal samples. `cells` has a hash for each cell of the thumbnail. */
export function tilesOf(cells: Int32Array): string {
  const hashes = new Int32Array(TILES).fill(0x811c9dc5 | 0);
  for (let cell = 0; cell < cells.length; cell++) {
    const tile = TILE_OF[cell] as number;
    hashes[tile] = Math.imul((hashes[tile] as number) ^ (cells[cell] as number), 0x01000193);
  }
  let tiles = '';
  for (const hash of hashes) tiles += ALPHABET[(hash ^ (hash >>> 6) ^ (hash >>> 12) ^ (hash >>> 18)) & 63] as string;
  return tiles;
}

/** A clock with date and name is a line or two of text; what covers more of the picture is the scene. */
const MOST_CLOCK_TILES = 12;
const MOST_CLOCK_ROWS = 2;

/**
 * Whether nothing but a ticking clock differs: the tiles that differ, together with those that did since the scene stands
 * still, are few and in a line or two. Gives those tiles, '' for none; `undefined` where the scene itself changed. A live
 * picture has noise everywhere, so that all of its tiles differ.
 */
export function clockOf(before: string, now: string, known: string): string | undefined {
  const clock = new Set([...known].map((letter) => ALPHABET.indexOf(letter)));
  for (let tile = 0; tile < TILES; tile++) if (before[tile] !== now[tile]) clock.add(tile);
  const rows = new Set([...clock].map((tile) => Math.floor(tile / TILE_COLUMNS)));
  if (clock.size > MOST_CLOCK_TILES || rows.size > MOST_CLOCK_ROWS) return undefined;
  return [...clock]
    .toSorted((a, b) => a - b)
    .map((tile) => ALPHABET[tile])
    .join('');
}
