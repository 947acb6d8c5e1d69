import type { Canvas, Paint, Point, Rgb } from './canvas.ts';
import { cloudNoise, mix, scaled } from './canvas.ts';
import { noiseAt } from '../random.ts';
import type { Light } from './light.ts';

/** Where a camera hangs. Lengths in metres, positions on the picture in units of its height. */
export interface View {
  /** Height of the horizon on the picture; below 0 the camera looks down. */
  horizon: number;
  /** Height of the lens above the ground. */
  eye: number;
  /** Picture units that a metre takes at a distance of one metre. */
  focal: number;
  /** Where straight ahead lies on the picture. */
  centre: number;
}

export interface Box {
  /** Middle of the footprint: to the right of the camera, and ahead of it. */
  x: number;
  z: number;
  /** Extent along x, along z and upwards. */
  width: number;
  depth: number;
  height: number;
  /** Height of its underside. */
  base?: number;
  colour: Rgb;
  top?: Rgb;
}

// Beyond this the ground keeps its look, or it would pale to a white line along the horizon.
const FAR = 420;

/** Paints things that stand on a plane, as a camera sees them. Paint far things first. */
export class World {
  readonly canvas: Canvas;
  readonly light: Light;
  readonly view: View;
  /** Right edge of the picture. */
  readonly right: number;

  constructor(canvas: Canvas, light: Light, view: View) {
    this.canvas = canvas;
    this.light = light;
    this.view = view;
    this.right = canvas.aspect;
  }

  /** The picture's point of x metres to the right, y up and z ahead. */
  at(x: number, y: number, z: number): Point {
    const scale = this.view.focal / Math.max(0.4, z);
    return [this.view.centre + x * scale, this.view.horizon + (this.view.eye - y) * scale];
  }

  /** Picture units per metre, z metres ahead. */
  scale(z: number): number {
    return this.view.focal / Math.max(0.4, z);
  }

  /** How far ahead the ground is at a height of the picture. */
  distanceAt(y: number): number {
    return (this.view.focal * this.view.eye) / Math.max(0.004, y - this.view.horizon);
  }

  /** Metres to the right of a point of the ground on the picture. */
  lateralAt(x: number, z: number): number {
    return ((x - this.view.centre) * z) / this.view.focal;
  }

  /** The nearest ground that is on the picture. */
  get nearest(): number {
    return this.distanceAt(1.02);
  }

  sky(cover = 0.4, seed = 1): void {
    const { canvas, light } = this;
    const bottom = Math.max(0.02, Math.min(1, this.view.horizon + 0.01));
    const clouds = light.weather === 'clear' ? cover : 0.8;
    const white = light.weather === 'clear' ? light.tint([250, 250, 252], 500) : mix(light.skyLow, light.skyTop, 0.1);
    canvas.band(0, bottom, (x, y, out) => {
      const down = y / bottom;
      const cloud = Math.max(
        0,
        cloudNoise(x * 3 + seed * 17.3, (y * 7) / (0.35 + y) + seed * 5.1) - (0.72 - clouds * 0.36),
      );
      const share = Math.min(0.85, cloud * 3.4) * (1 - down * 0.4);
      for (let c = 0; c < 3; c++) {
        const clear = (light.skyTop[c] as number) + ((light.skyLow[c] as number) - (light.skyTop[c] as number)) * down;
        out[c] = clear + ((white[c] as number) - clear) * share;
      }
    });
    if (light.phase === 'night' && light.weather === 'clear') this.#stars(bottom, seed);
    if (light.phase !== 'night' && light.weather === 'clear') this.#sunDisc(bottom, seed);
  }

  #stars(bottom: number, seed: number): void {
    for (let i = 0; i < 40; i++) {
      const y = noiseAt(i, seed, 2) * bottom * 0.8;
      this.canvas.glow(noiseAt(i, seed, 1) * this.right, y, 0.005, [220, 225, 255], 0.3 + noiseAt(i, seed, 3) * 0.6);
    }
  }

  #sunDisc(bottom: number, seed: number): void {
    const x = noiseAt(seed, 91) * this.right;
    const y = bottom * (1 - Math.max(0.05, this.light.sun)) * 0.95;
    this.canvas.glow(x, y, 0.5, [255, 225, 160], 0.22);
    this.canvas.glow(x, y, 0.06, [255, 246, 220], 1);
  }

  /** Hills or a skyline of woods along the horizon. `rise` in picture units. */
  ridge(base: number, rise: number, roughness: number, seed: number, colour: Rgb, metres: number): void {
    const points: Point[] = [[0, base + 0.02]];
    for (let i = 0; i <= 60; i++) {
      const x = (i / 60) * this.right;
      points.push([x, base - rise * cloudNoise(x * roughness + seed * 7.7, seed * 3.1)]);
    }
    points.push([this.right, base + 0.02]);
    this.canvas.polygon(points, this.light.ground(colour, metres));
  }

  /** Everything below the horizon, with a texture of `grain` (0 to 1) whose features have `size` metres. */
  plain(colour: Rgb, grain = 0.25, size = 1.5): void {
    this.canvas.band(Math.max(0, this.view.horizon), 1, this.surface(colour, grain, size));
  }

  /** Paint for ground: haze by distance, texture by perspective. */
  surface(colour: Rgb, grain: number, size: number, road = false): Paint {
    const { light } = this;
    let row = -1;
    let z = 1;
    let shade: Rgb = [0, 0, 0];
    return (x, y, out) => {
      if (y !== row) {
        row = y;
        z = this.distanceAt(y);
        shade = road ? light.road(colour, Math.min(z, FAR)) : light.ground(colour, Math.min(z, FAR));
      }
      const fade = grain / (1 + z / (size * 30));
      const factor = 1 - fade / 2 + fade * cloudNoise(this.lateralAt(x, z) / size + 40, z / size);
      out[0] = shade[0] * factor;
      out[1] = shade[1] * factor;
      out[2] = shade[2] * factor;
    };
  }

  /** A patch on the ground, given by corners [x, z] in metres. */
  patch(corners: readonly (readonly [number, number])[], paint: Paint, alpha = 1): void {
    this.canvas.polygon(corners.map(([x, z]) => this.at(x, 0, Math.max(z, this.nearest * 0.8))), paint, alpha); // prettier-ignore
  }

  /** A strip of ground from one distance to another, e.g. a road. */
  strip(left: number, right: number, near: number, far: number, paint: Paint, alpha = 1): void {
    this.patch([[left, near], [left, far], [right, far], [right, near]], paint, alpha); // prettier-ignore
  }

  box(box: Box): void {
    const { x, z, width, depth, height, base = 0, colour } = box;
    const [left, right, near, far] = [x - width / 2, x + width / 2, Math.max(0.5, z - depth / 2), z + depth / 2];
    const top = base + height;
    const paint = (shade: number, of = colour) => this.light.tint(scaled(of, shade), z);
    const face = (corners: readonly (readonly [number, number, number])[], shade: number, of?: Rgb) =>
      this.canvas.polygon(corners.map(([px, py, pz]) => this.at(px, py, pz)), paint(shade, of)); // prettier-ignore
    if (left > 0) face([[left, base, near], [left, base, far], [left, top, far], [left, top, near]], 0.76); // prettier-ignore
    if (right < 0) face([[right, base, near], [right, base, far], [right, top, far], [right, top, near]], 0.84); // prettier-ignore
    if (this.view.eye > top) {
      const roof = box.top ?? scaled(colour, 1.1);
      const white = this.light.weather === 'snow' ? mix(roof, [235, 238, 244], 0.7) : roof;
      face([[left, top, near], [right, top, near], [right, top, far], [left, top, far]], 1, white); // prettier-ignore
    }
    face([[left, base, near], [right, base, near], [right, top, near], [left, top, near]], 1); // prettier-ignore
  }

  /** A soft shadow on the ground. */
  shadow(x: number, z: number, width: number, depth: number, alpha = 0.35): void {
    const [px, py] = this.at(x, 0, z);
    const scale = this.scale(z);
    const flat = (depth * this.view.eye) / Math.max(1, z);
    this.canvas.puff(px, py, width * scale * 0.75, Math.max(0.004, flat * scale * 0.9), [12, 14, 20], alpha);
  }
}
