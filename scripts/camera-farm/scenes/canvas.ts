import { noiseAt } from '../random.ts';

/** Red, green, blue; 0 to 255. */
export type Rgb = readonly [number, number, number];
/** In units of the picture's height: y runs from 0 (top) to 1, x from 0 to `aspect`. */
export type Point = readonly [number, number];
/** A colour, or a function that writes the colour of a point into `out`. */
export type Paint = Rgb | ((x: number, y: number, out: [number, number, number]) => void);

const SUBLINES = 4;
const MOST_CORNERS = 512;

/** An RGB raster with anti-aliased polygons, soft spots and glows. Resolution-independent: coordinates are shares of the height. */
export class Canvas {
  readonly width: number;
  readonly height: number;
  readonly aspect: number;
  /** width · height · 3 bytes, rows from the top. */
  readonly data: Uint8ClampedArray;
  readonly #coverage: Float32Array;
  // The outline at hand, in pixels, and its crossings with one line: kept, because polygons are drawn by the thousand.
  readonly #xs = new Float64Array(MOST_CORNERS);
  readonly #ys = new Float64Array(MOST_CORNERS);
  readonly #crossings = new Float64Array(MOST_CORNERS);

  constructor(width: number, height: number, data = new Uint8ClampedArray(width * height * 3)) {
    this.width = width;
    this.height = height;
    this.aspect = width / height;
    this.data = data;
    this.#coverage = new Float32Array(width + 2);
  }

  /** Fills the whole width between two heights. */
  band(top: number, bottom: number, paint: Paint): void {
    const from = Math.max(0, Math.round(top * this.height));
    const to = Math.min(this.height, Math.round(bottom * this.height));
    this.#coverage.fill(1);
    for (let row = from; row < to; row++) this.#blendRow(row, 0, this.width, paint, 1, false);
    this.#coverage.fill(0);
  }

  polygon(points: readonly Point[], paint: Paint, alpha = 1): void {
    const { height } = this;
    const corners = Math.min(points.length, MOST_CORNERS);
    let top = Infinity;
    let bottom = -Infinity;
    for (let i = 0; i < corners; i++) {
      const point = points[i] as Point;
      this.#xs[i] = point[0] * height;
      const y = (this.#ys[i] = point[1] * height);
      if (y < top) top = y;
      if (y > bottom) bottom = y;
    }
    const first = Math.max(0, Math.floor(top));
    const last = Math.min(height - 1, Math.floor(bottom));
    for (let row = first; row <= last; row++) this.#polygonRow(corners, row, paint, alpha);
  }

  rect(x: number, y: number, width: number, height: number, paint: Paint, alpha = 1): void {
    this.polygon([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], paint, alpha); // prettier-ignore
  }

  ellipse(x: number, y: number, radiusX: number, radiusY: number, paint: Paint, alpha = 1): void {
    const corners = Math.max(8, Math.min(40, Math.round(6 + Math.max(radiusX, radiusY) * this.height * 0.9)));
    const points: Point[] = [];
    for (let i = 0; i < corners; i++) {
      const angle = (i / corners) * 2 * Math.PI;
      points.push([x + radiusX * Math.cos(angle), y + radiusY * Math.sin(angle)]);
    }
    this.polygon(points, paint, alpha);
  }

  line(from: Point, to: Point, thickness: number, paint: Paint, alpha = 1): void {
    const dx = to[0] - from[0];
    const dy = to[1] - from[1];
    const half = thickness / 2 / (Math.hypot(dx, dy) || 1);
    const [nx, ny] = [-dy * half, dx * half];
    this.polygon([[from[0] + nx, from[1] + ny], [to[0] + nx, to[1] + ny], [to[0] - nx, to[1] - ny], [from[0] - nx, from[1] - ny]], paint, alpha); // prettier-ignore
  }

  /** A spot that fades out towards its rim. */
  puff(x: number, y: number, radiusX: number, radiusY: number, colour: Rgb, alpha: number): void {
    this.#spot(x, y, radiusX, radiusY, (i, fade) => {
      for (let c = 0; c < 3; c++) {
        const below = this.data[i + c] as number;
        this.data[i + c] = below + ((colour[c] as number) - below) * fade * alpha;
      }
    });
  }

  /** Light that is added to what is there. */
  glow(x: number, y: number, radius: number, colour: Rgb, strength: number): void {
    this.#spot(x, y, radius, radius, (i, fade) => {
      for (let c = 0; c < 3; c++)
        this.data[i + c] = (this.data[i + c] as number) + (colour[c] as number) * fade * strength;
    });
  }

  #spot(x: number, y: number, radiusX: number, radiusY: number, mix: (index: number, fade: number) => void): void {
    const { width, height } = this;
    const left = Math.max(0, Math.floor((x - radiusX) * height));
    const right = Math.min(width - 1, Math.ceil((x + radiusX) * height));
    const top = Math.max(0, Math.floor((y - radiusY) * height));
    const bottom = Math.min(height - 1, Math.ceil((y + radiusY) * height));
    for (let row = top; row <= bottom; row++) {
      const dy = ((row + 0.5) / height - y) / radiusY;
      for (let column = left; column <= right; column++) {
        const dx = ((column + 0.5) / height - x) / radiusX;
        const fade = 1 - dx * dx - dy * dy;
        if (fade > 0) mix((row * width + column) * 3, fade * fade);
      }
    }
  }

  #polygonRow(corners: number, row: number, paint: Paint, alpha: number): void {
    let left = this.width;
    let right = 0;
    const crossings = this.#crossings;
    for (let line = 0; line < SUBLINES; line++) {
      const count = this.#crossingsAt(corners, row + (line + 0.5) / SUBLINES);
      for (let k = 0; k + 1 < count; k += 2) {
        const from = Math.min(this.width, Math.max(0, crossings[k] as number));
        const to = Math.min(this.width, Math.max(0, crossings[k + 1] as number));
        if (to <= from) continue;
        this.#cover(from, 1 / SUBLINES);
        this.#cover(to, -1 / SUBLINES);
        left = Math.min(left, Math.floor(from));
        right = Math.max(right, Math.ceil(to));
      }
    }
    if (right <= left) return;
    this.#blendRow(row, left, Math.min(this.width, right), paint, alpha, true);
    this.#coverage.fill(0, left, right + 2);
  }

  /** Fills `#crossings` with where the outline crosses a line, from the left; returns how many there are. */
  #crossingsAt(corners: number, y: number): number {
    const xs = this.#xs;
    const ys = this.#ys;
    const crossings = this.#crossings;
    let count = 0;
    let px = xs[corners - 1] as number;
    let py = ys[corners - 1] as number;
    for (let i = 0; i < corners; i++) {
      const x = xs[i] as number;
      const cy = ys[i] as number;
      if (py <= y !== cy <= y) {
        const at = px + ((y - py) * (x - px)) / (cy - py);
        let slot = count++;
        for (; slot > 0 && (crossings[slot - 1] as number) > at; slot--)
          crossings[slot] = crossings[slot - 1] as number;
        crossings[slot] = at;
      }
      px = x;
      py = cy;
    }
    return count;
  }

  /** Coverage is kept as differences: everything right of `x` gains `amount`, the pixel that holds `x` its share. */
  #cover(x: number, amount: number): void {
    const pixel = Math.floor(x);
    const share = x - pixel;
    this.#coverage[pixel] = (this.#coverage[pixel] as number) + amount * (1 - share);
    this.#coverage[pixel + 1] = (this.#coverage[pixel + 1] as number) + amount * share;
  }

  #blendRow(row: number, from: number, to: number, paint: Paint, alpha: number, summed: boolean): void {
    const { data, width, height } = this;
    const colour: [number, number, number] = typeof paint === 'function' ? [0, 0, 0] : [...paint];
    let covered = 0;
    for (let column = from, i = (row * width + from) * 3; column < to; column++, i += 3) {
      covered = summed ? covered + (this.#coverage[column] as number) : 1;
      const weight = (covered > 1 ? 1 : covered) * alpha;
      if (weight <= 0.002) continue;
      if (typeof paint === 'function') paint((column + 0.5) / height, (row + 0.5) / height, colour);
      data[i] = (data[i] as number) + (colour[0] - (data[i] as number)) * weight;
      data[i + 1] = (data[i + 1] as number) + (colour[1] - (data[i + 1] as number)) * weight;
      data[i + 2] = (data[i + 2] as number) + (colour[2] - (data[i + 2] as number)) * weight;
    }
  }
}

const LATTICE = 256;
const lattice = Float32Array.from({ length: LATTICE * LATTICE }, (_, i) => noiseAt(i, 7));

/** Smooth noise in 0 to 1 with features of about one unit. */
export function smoothNoise(x: number, y: number): number {
  const left = Math.floor(x);
  const top = Math.floor(y);
  const fx = x - left;
  const fy = y - top;
  const sx = fx * fx * (3 - 2 * fx);
  const sy = fy * fy * (3 - 2 * fy);
  const row = (top & 255) * LATTICE;
  const below = ((top + 1) & 255) * LATTICE;
  const a = lattice[row + (left & 255)] as number;
  const b = lattice[row + ((left + 1) & 255)] as number;
  const c = lattice[below + (left & 255)] as number;
  const d = lattice[below + ((left + 1) & 255)] as number;
  return a + (b - a) * sx + (c - a + (a - b - c + d) * sx) * sy;
}

/** Three octaves of smooth noise: clouds, grass, rock. */
export function cloudNoise(x: number, y: number): number {
  return (
    smoothNoise(x, y) * 0.57 + smoothNoise(x * 2.1 + 11, y * 2.1 + 5) * 0.29 + smoothNoise(x * 4.3, y * 4.3) * 0.14
  );
}

export function mix(a: Rgb, b: Rgb, share: number): [number, number, number] {
  return [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share];
}

export function scaled(colour: Rgb, factor: number): [number, number, number] {
  return [colour[0] * factor, colour[1] * factor, colour[2] * factor];
}
