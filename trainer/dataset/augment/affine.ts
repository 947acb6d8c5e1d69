/**
 * One affine map of rows and columns: the output's pixel (r, c) shows the input at
 * (rr·r + rc·c + r0, cr·r + cc·c + c0).
 */
export interface Affine {
  rr: number;
  rc: number;
  r0: number;
  cr: number;
  cc: number;
  c0: number;
}

export interface WarpDraw {
  /** Radians. */
  rotation: number;
  /** Pixels along the rows' axis (vertical). */
  shiftRows: number;
  /** Pixels along the columns' axis. */
  shiftColumns: number;
  /** Radians. */
  shear: number;
  flip: boolean;
}

/** 0: nearest pixel, as Keras did until keras-preprocessing 1.0.9 gave a choice. 1: bilinear. */
export type Order = 0 | 1;

/**
 * Rotation, shift, shear, in this order, about a centre half a pixel beyond the middle of an even side: Keras'
 * `transform_matrix_offset_center`, kept as it is because the paper's networks were trained with it.
 */
export function affineOf(
  { rotation, shiftRows, shiftColumns, shear }: WarpDraw,
  height: number,
  width: number,
): Affine {
  const cos = Math.cos(rotation);
  const sin = Math.sin(rotation);
  const centreRow = height / 2 + 0.5;
  const centreColumn = width / 2 + 0.5;
  const rc = -cos * Math.sin(shear) - sin * Math.cos(shear);
  const cc = -sin * Math.sin(shear) + cos * Math.cos(shear);
  const r0 = cos * shiftRows - sin * shiftColumns;
  const c0 = sin * shiftRows + cos * shiftColumns;
  return {
    rr: cos,
    rc,
    r0: r0 + centreRow - cos * centreRow - rc * centreColumn,
    cr: sin,
    cc,
    c0: c0 + centreColumn - sin * centreRow - cc * centreColumn,
  };
}

/** Planes of pixels, [channels, height, width], one after the other. */
export interface Planes {
  channels: number;
  height: number;
  width: number;
}

/**
 * Warps `from` into `to`; beyond the edge the edge's pixel goes on. The same numbers as scipy.ndimage.affine_transform with
 * mode "nearest". With `flip` the result is mirrored afterwards, left to right.
 */
export function warp(
  from: Float32Array,
  to: Float32Array,
  planes: Planes,
  map: Affine,
  order: Order,
  flip: boolean,
): void {
  if (order === 0) warpNearest(from, to, planes, map, flip);
  else warpBilinear(from, to, planes, map, flip);
}

function warpNearest(from: Float32Array, to: Float32Array, planes: Planes, map: Affine, flip: boolean): void {
  const { channels, height, width } = planes;
  const { rr, rc, r0, cr, cc, c0 } = map;
  const area = height * width;
  const lastRow = height - 1;
  const lastColumn = width - 1;
  for (let r = 0; r < height; r++) {
    let target = r * width + (flip ? lastColumn : 0);
    const step = flip ? -1 : 1;
    for (let c = 0; c < width; c++, target += step) {
      // Sums in scipy's order: a different rounding would pick another pixel now and then.
      let row = rr * r + rc * c + r0;
      let column = cr * r + cc * c + c0;
      row = row < 0 ? 0 : row > lastRow ? lastRow : row;
      column = column < 0 ? 0 : column > lastColumn ? lastColumn : column;
      // Not negative any more, so cutting off is rounding down.
      let source = ((row + 0.5) | 0) * width + ((column + 0.5) | 0);
      for (let channel = 0, at = target; channel < channels; channel++, at += area, source += area) {
        to[at] = from[source] as number;
      }
    }
  }
}

function warpBilinear(from: Float32Array, to: Float32Array, planes: Planes, map: Affine, flip: boolean): void {
  const { channels, height, width } = planes;
  const { rr, rc, r0, cr, cc, c0 } = map;
  const area = height * width;
  const lastRow = height - 1;
  const lastColumn = width - 1;
  for (let r = 0; r < height; r++) {
    let target = r * width + (flip ? lastColumn : 0);
    const step = flip ? -1 : 1;
    for (let c = 0; c < width; c++, target += step) {
      let row = rr * r + rc * c + r0;
      let column = cr * r + cc * c + c0;
      row = row < 0 ? 0 : row > lastRow ? lastRow : row;
      column = column < 0 ? 0 : column > lastColumn ? lastColumn : column;
      const top = row | 0;
      const left = column | 0;
      const down = row - top;
      const right = column - left;
      // On the last row and column the next pixel does not exist and has no weight.
      const below = top < lastRow ? width : 0;
      const beside = left < lastColumn ? 1 : 0;
      let source = top * width + left;
      for (let channel = 0, at = target; channel < channels; channel++, at += area, source += area) {
        const upper = (from[source] as number) * (1 - right) + (from[source + beside] as number) * right;
        const lower =
          (from[source + below] as number) * (1 - right) + (from[source + below + beside] as number) * right;
        to[at] = upper * (1 - down) + lower * down;
      }
    }
  }
}
