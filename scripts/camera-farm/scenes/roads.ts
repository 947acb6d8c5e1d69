import type { Rgb } from './canvas.ts';
import type { World } from './world.ts';

export const ASPHALT: readonly Rgb[] = [[98, 100, 104], [112, 110, 108], [84, 86, 92]]; // prettier-ignore
export const GRASS: readonly Rgb[] = [[104, 136, 74], [126, 142, 84], [90, 126, 78]]; // prettier-ignore
export const WALLS: readonly Rgb[] = [
  [202, 184, 160], [178, 112, 88], [214, 206, 192], [150, 152, 158], [196, 164, 122], [168, 176, 170], [124, 92, 80], [222, 196, 150],
]; // prettier-ignore
const WHITE: Rgb = [228, 228, 222];

/** Zebra stripes over a road that runs ahead (`along: 'z'`) or across. */
export function zebra(world: World, x: number, z: number, width: number, depth: number, along: 'x' | 'z'): void {
  const paint = world.light.tint(WHITE, z);
  const span = along === 'z' ? width : depth;
  for (let at = 0.3; at + 0.5 < span; at += 1)
    if (along === 'z')
      world.strip(x - width / 2 + at, x - width / 2 + at + 0.5, z - depth / 2, z + depth / 2, paint, 0.9);
    else world.strip(x - width / 2, x + width / 2, z - depth / 2 + at, z - depth / 2 + at + 0.5, paint, 0.9);
}

/** Dashes from one point of the ground to another. */
export function dashes(
  world: World,
  from: readonly [number, number],
  to: readonly [number, number],
  half = 0.09,
): void {
  const paint = world.light.tint(WHITE, 25);
  const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
  const across = Math.abs(to[0] - from[0]) > Math.abs(to[1] - from[1]);
  for (let at = 0; at + 2.5 < length; at += 5) {
    const x = from[0] + ((to[0] - from[0]) * at) / length;
    const z = from[1] + ((to[1] - from[1]) * at) / length;
    if (across) world.strip(x, x + 2.5, z - half, z + half, paint, 0.85);
    else world.strip(x - half, x + half, z, z + 2.5, paint, 0.85);
  }
}

/** A traffic light on a mast; which lamp burns depends on `phase`. */
export function trafficLight(world: World, x: number, z: number, phase: number): void {
  const { canvas, light } = world;
  const scale = world.scale(z);
  canvas.line(world.at(x, 0, z), world.at(x, 3.4, z), Math.max(0.003, 0.14 * scale), light.tint([70, 74, 78], z));
  world.box({ x, z, width: 0.45, depth: 0.3, base: 3, height: 1.2, colour: [38, 40, 42] });
  const lamps: readonly Rgb[] = [[64, 214, 110], [250, 190, 60], [240, 60, 50]]; // prettier-ignore
  const [px, py] = world.at(x, 3.2 + phase * 0.4, z);
  canvas.ellipse(px, py, 0.16 * scale, 0.16 * scale, lamps[phase] as Rgb);
  canvas.glow(px, py, Math.max(0.012, 0.7 * scale), lamps[phase] as Rgb, 0.5 + light.lamps * 0.5);
}
