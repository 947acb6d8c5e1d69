import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import type { Point, Rgb } from './canvas.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import { vehicle } from './vehicles.ts';
import { waterSurface } from './water.ts';
import type { World } from './world.ts';

const BOXES: readonly Rgb[] = [[170, 58, 48], [46, 96, 148], [58, 124, 92], [214, 140, 50], [150, 152, 156], [104, 60, 90], [224, 218, 204]]; // prettier-ignore
const boxColour = (seed: number, i: number, k: number): Rgb =>
  BOXES[Math.floor(noiseAt(seed, i, k) * BOXES.length)] as Rgb;

/** A container quay with cranes and a ship. */
export const harbour: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, 0.4, 0.52),
    eye: between(random, 11, 17),
    focal: between(random, 0.9, 1.1),
    centre: aspect * between(random, 0.4, 0.6),
  };
  const seed = wholeBetween(random, 1, 1e6);
  const hull = pick<Rgb>(random, [[46, 62, 92], [122, 42, 40], [36, 84, 78], [54, 56, 62]]); // prettier-ignore
  const cranes = wholeBetween(random, 2, 3);
  const paint = pick<Rgb>(random, [[60, 110, 170], [206, 78, 54], [232, 186, 70]]); // prettier-ignore
  const quay = 84;
  return {
    view,
    still(world) {
      world.sky(0.5, seed % 97);
      world.ridge(view.horizon, 0.05, 3, seed % 47, [92, 108, 104], 600);
      waterSurface(world, view.horizon, [54, 88, 104]);
      ship(world, (seed % 20) - 10, quay + 27, hull, seed);
      world.strip(-300, 300, 1, quay + 12, world.surface([150, 148, 144], 0.14, 2, true));
      for (let x = -80; x < 80; x += 6)
        world.box({ x, z: quay + 11, width: 0.8, depth: 0.8, height: 0.9, colour: [70, 68, 60] });
      for (let i = 0; i < cranes; i++) gantry(world, (i - (cranes - 1) / 2) * 44 + (seed % 9), quay, paint);
      for (let row = 1; row >= 0; row--)
        for (let i = -3; i <= 3; i++)
          if (noiseAt(seed, i, row + 5) < 0.8) stack(world, i * 14 + row * 4, 46 - row * 14, seed + row * 50 + i);
    },
    moving(world, seconds) {
      for (let i = 0; i < 3; i++) {
        const x = travelled(seconds * (i % 2 ? 1 : -1), 6, noiseAt(seed, i, 8) * 90, 90) - 45;
        vehicle(world, {
          x,
          z: 22.5 - i * 1.6,
          heading: i % 2 ? 'right' : 'left',
          seed: seed + i,
          kind: i === 2 ? 'van' : 'truck',
        });
      }
      gulls(world, seed, seconds);
    },
  };
};

function stack(world: World, x: number, z: number, seed: number): void {
  const high = 1 + Math.floor(noiseAt(seed, 3) * 4);
  for (let level = 0; level < high; level++)
    world.box({ x, z, width: 12, depth: 2.5, base: level * 2.6, height: 2.55, colour: boxColour(seed, level, 1) });
}

function ship(world: World, x: number, z: number, hull: Rgb, seed: number): void {
  const { canvas, light } = world;
  const at = (dx: number, y: number): Point => world.at(x + dx, y, z);
  for (let i = -5; i <= 3; i++) {
    const high = 2 + Math.floor(noiseAt(seed, i, 2) * 4);
    for (let level = 0; level < high; level++)
      world.box({
        x: x + i * 10.5 + 6,
        z: z + 1,
        width: 10,
        depth: 3,
        base: 9 + level * 2.7,
        height: 2.6,
        colour: boxColour(seed, i, level),
      });
  }
  canvas.polygon([at(-72, 10.5), at(-68, 9), at(58, 9), at(70, 13), at(62, 0), at(-66, 0)], light.tint(hull, z));
  canvas.polygon([at(-66.6, 1.6), at(62.8, 1.6), at(62, 0), at(-66, 0)], light.tint([142, 50, 42], z));
  world.box({ x: x - 60, z: z - 1, width: 10, depth: 8, base: 9, height: 17, colour: [234, 234, 228] });
  for (let y = 12; y < 25; y += 3)
    for (let k = -3; k <= 3; k++)
      canvas.rect(
        ...at(-60 + k * 1.3, y),
        0.7 * world.scale(z),
        1 * world.scale(z),
        light.lamps > 0.3 ? [255, 222, 150] : light.tint([70, 84, 100], z),
      );
}

function gantry(world: World, x: number, z: number, colour: Rgb): void {
  const { canvas, light } = world;
  const paint = light.tint(colour, z);
  const beam = Math.max(0.006, 1.1 * world.scale(z));
  const at = (dx: number, y: number, dz = 0): Point => world.at(x + dx, y, z + dz);
  for (const dx of [-7, 7]) for (const dz of [7, -5]) canvas.line(at(dx, 0, dz), at(dx * 0.86, 32, dz), beam, paint);
  for (const y of [12, 31]) canvas.line(at(-6.6, y, -5), at(6.6, y, -5), beam, paint);
  canvas.polygon([at(-2, 33, -22), at(2, 33, -22), at(2, 33, 46), at(-2, 33, 46)], paint);
  canvas.line(at(0, 33, -20), at(0, 46, 4), beam * 0.5, paint);
  canvas.line(at(0, 46, 4), at(0, 33, 44), beam * 0.5, paint);
  for (const dx of [-3, 3]) canvas.line(at(dx, 31, 4), at(0, 46, 4), beam * 0.8, paint);
  world.box({ x: x + 1, z: z - 4, width: 5, depth: 4, base: 30, height: 3, colour: [226, 226, 220] });
  if (light.lamps > 0.2)
    for (const dx of [-6, 6]) canvas.glow(...at(dx, 31, -5), 0.05, [255, 226, 170], light.lamps * 0.8);
}

function gulls(world: World, seed: number, seconds: number): void {
  for (let i = 0; i < 6; i++) {
    const x = travelled(seconds, 0.02 + noiseAt(seed, i) * 0.03, noiseAt(seed, i, 1) * 2, world.right + 0.2) - 0.1;
    const y = 0.12 + noiseAt(seed, i, 2) * 0.2 + Math.sin(seconds / 3 + i) * 0.015;
    const flap = Math.sin(seconds * 5 + i * 2) * 0.008;
    for (const side of [-1, 1])
      world.canvas.line([x, y], [x + side * 0.016, y - 0.004 - flap], 0.003, world.light.tint([236, 238, 240], 20));
  }
}
