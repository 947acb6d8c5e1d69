import { noiseAt } from '../random.ts';
import type { Point, Rgb } from './canvas.ts';
import { mix, scaled } from './canvas.ts';
import type { World } from './world.ts';

const SKIN: readonly Rgb[] = [[232, 190, 160], [198, 150, 118], [142, 100, 76], [92, 64, 50]]; // prettier-ignore
const CLOTHES: readonly Rgb[] = [
  [190, 52, 50], [44, 84, 150], [232, 226, 214], [58, 62, 72], [226, 170, 60], [64, 128, 90], [130, 82, 140], [92, 150, 186],
]; // prettier-ignore
const WARM: Rgb = [255, 214, 140];

export function choose(choices: readonly Rgb[], seed: number, salt: number): Rgb {
  return choices[Math.floor(noiseAt(seed, salt) * choices.length)] as Rgb;
}

/** Somebody who stands or walks; nobody in particular. */
export function person(world: World, x: number, z: number, seed: number, stride = 0, height = 1.7): void {
  const { canvas, light } = world;
  const scale = world.scale(z) * (height / 1.7);
  const [px, py] = world.at(x, 0, z);
  const coat = light.tint(choose(CLOTHES, seed, 1), z);
  const trousers = light.tint(scaled(choose(CLOTHES, seed, 2), 0.5), z);
  world.shadow(x, z, 0.6, 0.5, 0.35);
  const step = Math.sin(stride * 6) * 0.18 * scale;
  for (const side of [-1, 1]) canvas.line([px, py - 0.85 * scale], [px + side * step, py], 0.17 * scale, trousers);
  canvas.polygon([[px - 0.24 * scale, py - 1.42 * scale], [px + 0.24 * scale, py - 1.42 * scale], [px + 0.2 * scale, py - 0.75 * scale], [px - 0.2 * scale, py - 0.75 * scale]], coat); // prettier-ignore
  for (const side of [-1, 1])
    canvas.line([px + side * 0.24 * scale, py - 1.36 * scale], [px + side * 0.28 * scale - side * step * 0.5, py - 0.85 * scale], 0.1 * scale, scaled(coat, 0.9)); // prettier-ignore
  canvas.ellipse(px, py - 1.57 * scale, 0.13 * scale, 0.15 * scale, light.tint(choose(SKIN, seed, 3), z));
}

/** A broad-leaved tree whose crown is a heap of soft lumps. */
export function tree(
  world: World,
  x: number,
  z: number,
  height: number,
  seed: number,
  leaf: Rgb = [74, 118, 56],
): void {
  const { canvas, light } = world;
  const scale = world.scale(z);
  const [px, py] = world.at(x, 0, z);
  const rise = height * scale;
  world.shadow(x, z, height * 0.6, height * 0.5, 0.35);
  canvas.line([px, py], [px, py - rise * 0.5], Math.max(0.003, rise * 0.06), light.tint([86, 66, 48], z));
  for (let i = 0; i < 9; i++) {
    const angle = noiseAt(seed, i, 1) * 6.28;
    const away = noiseAt(seed, i, 2) * 0.24 * rise;
    const up = 0.66 + Math.sin(angle) * 0.12 - (i < 4 ? 0.06 : -0.05);
    const shade = 0.66 + (i / 9) * 0.42 + noiseAt(seed, i, 3) * 0.12;
    const radius = rise * (0.15 + noiseAt(seed, i, 4) * 0.09);
    canvas.ellipse(
      px + Math.cos(angle) * away,
      py - rise * up,
      radius * 1.15,
      radius,
      light.ground(scaled(leaf, shade), z),
      0.94,
    );
  }
}

/** A conifer: tiers of boughs, white ones where it snows. */
export function pine(world: World, x: number, z: number, height: number, seed: number, leaf: Rgb = [44, 84, 58]): void {
  const { canvas, light } = world;
  const scale = world.scale(z) * height;
  const [px, py] = world.at(x, 0, z);
  canvas.line([px, py], [px, py - 0.2 * scale], Math.max(0.003, 0.04 * scale), light.tint([78, 60, 46], z));
  for (let tier = 0; tier < 5; tier++) {
    const low = 0.1 + tier * 0.17;
    const half = 0.24 * (1 - tier * 0.17) * (0.9 + noiseAt(seed, tier) * 0.2);
    const shade = light.ground(scaled(leaf, 0.8 + tier * 0.08 + noiseAt(seed, 6) * 0.15), z);
    const tip: Point = [px, py - Math.min(1, low + 0.32) * scale];
    canvas.polygon([[px - half * scale, py - low * scale], tip, [px + half * scale, py - low * scale]], shade);
    canvas.polygon([[px, py - low * scale], tip, [px + half * scale, py - low * scale]], scaled(shade, 0.82), 0.6);
  }
}

export function bush(world: World, x: number, z: number, size: number, seed: number, leaf: Rgb): void {
  const scale = world.scale(z) * size;
  const [px, py] = world.at(x, 0, z);
  for (let i = 0; i < 4; i++)
    world.canvas.ellipse(px + (noiseAt(seed, i) - 0.5) * scale, py - 0.35 * scale, 0.5 * scale, 0.42 * scale, world.light.ground(scaled(leaf, 0.75 + i * 0.1), z)); // prettier-ignore
}

/** A street lamp with its light; `reach` metres to the side. */
export function lamp(world: World, x: number, z: number, height: number, reach: number): void {
  const { canvas, light } = world;
  const thickness = Math.max(0.003, 0.14 * world.scale(z));
  const steel = light.tint([92, 96, 102], z);
  const head = world.at(x + reach, height, z);
  canvas.line(world.at(x, 0, z), world.at(x, height, z), thickness, steel);
  canvas.line(world.at(x, height, z), head, thickness, steel);
  canvas.ellipse(head[0], head[1], thickness * 2, thickness, light.lamps > 0.1 ? WARM : light.tint([210, 214, 216], z));
  if (light.lamps <= 0.1) return;
  canvas.glow(head[0], head[1], Math.min(0.16, Math.max(0.015, 1.8 * world.scale(z))), WARM, light.lamps * 0.6);
  const [px, py] = world.at(x + reach, 0, z);
  const pool = Math.min(0.5, 5 * world.scale(z));
  canvas.puff(px, py, pool, pool * 0.28, [214, 176, 116], light.lamps * 0.3);
}

/** A rectangle in space: its corner, and the steps to the right and upwards. */
export interface Wall {
  corner: readonly [number, number, number];
  along: readonly [number, number, number];
  height: number;
}

/** Window rows on a wall; by night some of them are lit. */
export function windows(
  world: World,
  wall: Wall,
  columns: number,
  rows: number,
  seed: number,
  glass: Rgb = [86, 104, 122],
): void {
  const { corner, along, height } = wall;
  const at = (u: number, v: number): Point =>
    world.at(corner[0] + along[0] * u, corner[1] + height * v, corner[2] + along[2] * u);
  for (let column = 0; column < columns; column++)
    for (let row = 0; row < rows; row++) {
      const u = (column + 0.24) / columns;
      const v = (row + 0.3) / rows;
      const lit = world.light.lamps > 0.3 && noiseAt(seed, column, row) < 0.42;
      const z = corner[2] + along[2] * u;
      const sheen = scaled(glass, 0.8 + noiseAt(seed, row, column + 50) * 0.5);
      const paint = lit ? mix(world.light.tint(sheen, z), WARM, world.light.lamps * 0.85) : world.light.tint(sheen, z);
      const [du, dv] = [0.52 / columns, 0.5 / rows];
      world.canvas.polygon([at(u, v), at(u + du, v), at(u + du, v + dv), at(u, v + dv)], paint);
    }
}

interface House {
  x: number;
  z: number;
  width: number;
  depth: number;
  height: number;
  colour: Rgb;
  seed: number;
  /** Height of a pitched roof; 0 for a flat one. */
  roof?: number;
  roofColour?: Rgb;
  storey?: number;
}

/** A building with windows on all walls that the camera sees. */
export function house(world: World, house: House): void {
  const { x, z, width, depth, height, colour, seed, roof = 0, storey = 3 } = house;
  world.box({ x, z, width, depth, height, colour });
  const rows = Math.max(1, Math.round(height / storey));
  const [left, right, near] = [x - width / 2, x + width / 2, Math.max(0.5, z - depth / 2)];
  const side = (wallX: number) =>
    windows(world, { corner: [wallX, 0, near], along: [0, 0, z + depth / 2 - near], height }, Math.max(1, Math.round(depth / 3)), rows, seed + 1); // prettier-ignore
  if (left > 0) side(left);
  if (right < 0) side(right);
  windows(
    world,
    { corner: [left, 0, near], along: [width, 0, 0], height },
    Math.max(1, Math.round(width / 3)),
    rows,
    seed,
  );
  if (roof > 0) pitchedRoof(world, house);
}

function pitchedRoof(world: World, { x, z, width, depth, height, roof = 0, roofColour = [142, 76, 58] }: House): void {
  const { canvas, light } = world;
  const [left, right, near, far] = [
    x - width / 2 - 0.3,
    x + width / 2 + 0.3,
    Math.max(0.5, z - depth / 2),
    z + depth / 2,
  ];
  const ridge: readonly [Point, Point] = [world.at(x, height + roof, near), world.at(x, height + roof, far)];
  canvas.polygon([world.at(left, height, near), ridge[0], ridge[1], world.at(left, height, far)], light.ground(scaled(roofColour, 0.86), z)); // prettier-ignore
  canvas.polygon([world.at(right, height, near), ridge[0], ridge[1], world.at(right, height, far)], light.ground(roofColour, z)); // prettier-ignore
  canvas.polygon([world.at(left + 0.3, height, near), ridge[0], world.at(right - 0.3, height, near)], light.tint(scaled(roofColour, 0.72), z)); // prettier-ignore
}

/** A drifting heap of cloud in the sky; positions on the picture. */
export function cloud(world: World, x: number, y: number, size: number, seed: number): void {
  const white = world.light.tint([248, 248, 250], 300);
  for (let i = 0; i < 6; i++)
    world.canvas.puff(x + (noiseAt(seed, i) - 0.5) * size * 1.8, y + (noiseAt(seed, i, 5) - 0.5) * size * 0.3, size * (0.4 + noiseAt(seed, i, 2) * 0.4), size * 0.26, white, 0.6); // prettier-ignore
}
