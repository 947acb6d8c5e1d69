import { digitAt, edgesOf, onesOf } from '../../common/domain/perceptual-hash.ts';
import { THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH } from './statistics.ts';

// Short descriptions of a picture that travel in a camera's memory: pure functions.

const COLUMNS = 16;
const ROWS = 8;
const BITS = COLUMNS * ROWS;
/** A block is darker than its neighbour when it is so by this much, as a share of the picture's deviation: noise and even ground make no bit. */
const MARGIN_SHARE = 0.1;
const LEAST_MARGIN = 1.5;

/**
 * Perceptual hash, 48 hex digits: where the picture gets darker from left to right, and in coarser blocks from top to bottom.
 * Equal pictures in other sizes or qualities differ in a few bits at most, and how bright a scene is hardly counts.
 */
export function hashOf(thumbnail: Uint8Array, stdev: number): string {
  const margin = Math.max(LEAST_MARGIN, MARGIN_SHARE * stdev);
  averageInto(fine, thumbnail, FINE);
  averageInto(coarse, thumbnail, COARSE);
  return bitsToHex(fine, 1, COLUMNS, margin) + bitsToHex(coarse, COLUMNS / 2, coarse.length, margin);
}

const DIGITS = '0123456789abcdef';

/** A bit for each block: brighter by `margin` than the one `step` further, counted around within `lap` blocks. */
function bitsToHex(blocks: Float64Array, step: number, lap: number, margin: number): string {
  let hex = '';
  let digit = 0;
  for (let block = 0; block < blocks.length; block++) {
    const lapStart = block - (block % lap);
    const other = lapStart + ((block - lapStart + step) % lap);
    digit = (digit << 1) | (blocks[block]! > blocks[other]! + margin ? 1 : 0);
    if (block % 4 === 3) {
      hex += DIGITS[digit]!;
      digit = 0;
    }
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

// Used again by every call: a worker thread describes one picture at a time.
const fine = new Float64Array(BITS);
const coarse = new Float64Array(BITS / 2);

function averageInto(sums: Float64Array, thumbnail: Uint8Array, blockOf: Uint8Array): void {
  sums.fill(0);
  for (let cell = 0; cell < blockOf.length; cell++) sums[blockOf[cell]!]! += thumbnail[cell]!;
  const cells = blockOf.length / sums.length;
  for (let block = 0; block < sums.length; block++) sums[block]! /= cells;
}

/** Bits that differ as a share of those that are set in either: 0 for equal structure, 1 for nothing in common. */
export function unlikeness(a: string, b: string): number {
  let differing = 0;
  let either = 0;
  for (let at = 0; at < a.length; at++) {
    const [left, right] = [digitAt(a, at), digitAt(b, at)];
    differing += onesOf(left ^ right);
    either += onesOf(left | right);
  }
  // Two pictures without structure are alike.
  return either < 8 ? 0 : differing / either;
}

/** Cells of a block: turns by less than a block are found by moving the blocks over the thumbnail. */
const PHASES = { x: THUMBNAIL_WIDTH / COLUMNS, y: THUMBNAIL_HEIGHT / ROWS };
const moved = new Uint8Array(THUMBNAIL_WIDTH * THUMBNAIL_HEIGHT);

/** The part of `hashOf` that compares views, for every way in which the blocks can lie over the picture. */
export function edgesOfPhases(thumbnail: Uint8Array, stdev: number): string[] {
  const phases: string[] = [];
  for (let dy = 0; dy < PHASES.y; dy++) {
    for (let dx = 0; dx < PHASES.x; dx++) {
      for (let y = 0; y < THUMBNAIL_HEIGHT; y++) {
        const row = Math.min(THUMBNAIL_HEIGHT - 1, y + dy) * THUMBNAIL_WIDTH;
        for (let x = 0; x < THUMBNAIL_WIDTH; x++)
          moved[y * THUMBNAIL_WIDTH + x] = thumbnail[row + Math.min(THUMBNAIL_WIDTH - 1, x + dx)]!;
      }
      phases.push(edgesOf(hashOf(moved, stdev)));
    }
  }
  return phases;
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
  Array.from({ length: hash.length * 4 }, (_, bit) => (digitAt(hash, bit >> 2) >> (3 - (bit & 3))) & 1);

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

const tileHashes = new Int32Array(TILES);

/** A character for each of 8 × 6 tiles; equal for equal samples. `cells` has a hash for each cell of the thumbnail. */
export function tilesOf(cells: Int32Array): string {
  tileHashes.fill(0x811c9dc5 | 0);
  for (let cell = 0; cell < cells.length; cell++) {
    const tile = TILE_OF[cell]!;
    tileHashes[tile] = Math.imul(tileHashes[tile]! ^ cells[cell]!, 0x01000193);
  }
  let tiles = '';
  for (let tile = 0; tile < TILES; tile++) {
    const hash = tileHashes[tile]!;
    tiles += ALPHABET[(hash ^ (hash >>> 6) ^ (hash >>> 12) ^ (hash >>> 18)) & 63]!;
  }
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
  const ticking = new Set<number>();
  for (let at = 0; at < known.length; at++) ticking.add(ALPHABET.indexOf(known[at]!));
  for (let tile = 0; tile < TILES; tile++) {
    if (before.charCodeAt(tile) !== now.charCodeAt(tile)) ticking.add(tile);
    if (ticking.size > MOST_CLOCK_TILES) return undefined;
  }
  const tiles = [...ticking].toSorted((a, b) => a - b);
  const rows = new Set(tiles.map((tile) => Math.floor(tile / TILE_COLUMNS)));
  return rows.size > MOST_CLOCK_ROWS ? undefined : tiles.map((tile) => ALPHABET[tile]).join('');
}
