export const THUMBNAIL_WIDTH = 32;
export const THUMBNAIL_HEIGHT = 24;

export interface Statistics {
  /** Of grey values 0-255. */
  mean: number;
  stdev: number;
  min: number;
  max: number;
  /** Difference between the brightest and the darkest cell: structure without the sensor's noise. */
  spread: number;
  /** 32 × 24 grey cells, each the mean of its part of the picture. */
  thumbnail: Uint8Array;
  /** Equal for equal pictures: a hash of everything that was sampled. */
  fingerprint: string;
  /** A hash of what was sampled of each cell. The array is used again by the next call. */
  cells: Int32Array;
  /** Fine detail: the part of the variance that lies inside the cells, 0 to 1. */
  detail: number;
}

// 4 × 4 samples on a regular grid for each of the 768 cells give means that are stable to a grey value or two, at a cost that
// does not depend on the picture's size (the loop below is unrolled for 4). A picture smaller than the grid repeats its pixels.
const SIDE = 4;
const CELLS = THUMBNAIL_WIDTH * THUMBNAIL_HEIGHT;
const SAMPLES = CELLS * SIDE * SIDE;

interface Grid {
  width: number;
  height: number;
  /** Offset of each sampled column in its row, and of each sampled row in the picture. */
  columns: Int32Array;
  rows: Int32Array;
}

// Used again by every call: cameras mostly share a few sizes, and a worker thread measures one picture at a time.
let grid: Grid = { width: 0, height: 0, columns: new Int32Array(0), rows: new Int32Array(0) };
const sums = new Int32Array(CELLS);
const squares = new Int32Array(CELLS);
const cells = new Int32Array(CELLS);

/** One pass over a grey picture. */
export function measure(data: Uint8Array, width: number, height: number): Statistics {
  if (grid.width !== width || grid.height !== height) grid = createGrid(width, height);
  const { min, max } = sample(data, grid);
  const thumbnail = new Uint8Array(CELLS);
  let sum = 0;
  let square = 0;
  let darkest = Infinity;
  let brightest = 0;
  let hash = 0x811c9dc5;
  let inside = 0;
  for (let cell = 0; cell < CELLS; cell++) {
    const cellSum = sums[cell]!;
    const cellSquare = squares[cell]!;
    thumbnail[cell] = Math.round(cellSum / (SIDE * SIDE));
    sum += cellSum;
    square += cellSquare;
    inside += cellSquare - (cellSum * cellSum) / (SIDE * SIDE);
    cells[cell] = Math.imul(cellSum, 0x9e3779b1) ^ cellSquare;
    if (cellSum > brightest) brightest = cellSum;
    if (cellSum < darkest) darkest = cellSum;
    // FNV-1a over the sums of all cells.
    hash = Math.imul(hash ^ cellSum, 0x01000193);
    hash = Math.imul(hash ^ cellSquare, 0x01000193);
  }
  const mean = sum / SAMPLES;
  const variance = Math.max(0, square / SAMPLES - mean * mean);
  return {
    mean,
    stdev: Math.sqrt(variance),
    min,
    max,
    spread: (brightest - darkest) / (SIDE * SIDE),
    thumbnail,
    cells,
    detail: variance < 1 ? 0 : inside / SAMPLES / variance,
    fingerprint: `${(hash >>> 0).toString(36)}.${sum.toString(36)}.${square.toString(36)}`,
  };
}

/** Fills `sums` and `squares`. */
function sample(data: Uint8Array, { columns, rows }: Grid): { min: number; max: number } {
  let min = 255;
  let max = 0;
  sums.fill(0);
  squares.fill(0);
  for (let y = 0; y < THUMBNAIL_HEIGHT * SIDE; y++) {
    const row = rows[y]!;
    const firstCell = Math.floor(y / SIDE) * THUMBNAIL_WIDTH;
    for (let x = 0; x < THUMBNAIL_WIDTH; x++) {
      const column = x * SIDE;
      const a = data[row + columns[column]!]!;
      const b = data[row + columns[column + 1]!]!;
      const c = data[row + columns[column + 2]!]!;
      const d = data[row + columns[column + 3]!]!;
      sums[firstCell + x]! += a + b + c + d;
      squares[firstCell + x]! += a * a + b * b + c * c + d * d;
      if (a > max) max = a;
      if (b > max) max = b;
      if (c > max) max = c;
      if (d > max) max = d;
      if (a < min) min = a;
      if (b < min) min = b;
      if (c < min) min = c;
      if (d < min) min = d;
    }
  }
  return { min, max };
}

function createGrid(width: number, height: number): Grid {
  const spread = (count: number, size: number, scale: number): Int32Array =>
    Int32Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * size) / count) * scale);
  return {
    width,
    height,
    columns: spread(THUMBNAIL_WIDTH * SIDE, width, 1),
    rows: spread(THUMBNAIL_HEIGHT * SIDE, height, width),
  };
}
