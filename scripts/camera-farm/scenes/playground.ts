import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import type { Point, Rgb } from './canvas.ts';
import { person, tree } from './props.ts';
import { GRASS } from './roads.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import type { World } from './world.ts';

const BRIGHT: readonly Rgb[] = [[222, 66, 58], [54, 120, 200], [246, 190, 50], [76, 168, 92], [236, 128, 46]]; // prettier-ignore
const bright = (seed: number): Rgb => BRIGHT[Math.abs(seed) % BRIGHT.length] as Rgb;

/** Slide, swings, climbing frame and sand. */
export const playground: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, 0.2, 0.32),
    eye: between(random, 3.8, 5.4),
    focal: between(random, 0.85, 1.05),
    centre: aspect * 0.5,
  };
  const seed = wholeBetween(random, 1, 1e6);
  const side = random() < 0.5 ? -1 : 1;
  const floor = pick<Rgb>(random, [[206, 120, 84], [96, 150, 132], [214, 184, 130], [120, 132, 176]]); // prettier-ignore
  const grass = pick(random, GRASS);
  const swings = { x: -side * 3.6, z: between(random, 13.5, 15.5) };
  return {
    view,
    still(world) {
      world.sky(0.45, seed % 97);
      world.plain(grass, 0.45, 1.2);
      for (let i = 11; i >= 0; i--)
        tree(
          world,
          (i - 5.5) * 6 + noiseAt(seed, i) * 4,
          27 + noiseAt(seed, i, 2) * 8,
          7 + noiseAt(seed, i, 1) * 3,
          seed + i,
        );
      island(world, 0, 13, 9.5, 6, floor);
      island(world, side * 3.4, 9.6, 2.6, 1.6, [226, 206, 158]);
      for (let i = -14; i < 14; i++)
        world.box({ x: i * 1.1, z: 21, width: 0.1, depth: 0.1, height: 1, colour: bright(seed + 2) });
      world.box({ x: 0, z: 21, width: 31, depth: 0.1, base: 0.9, height: 0.1, colour: bright(seed + 2) });
      slide(world, side * 3.6, 15, seed);
      frame(world, swings.x, swings.z, seed);
      climber(world, side * -1 + 0.6, 18, seed);
    },
    moving(world, seconds) {
      for (const i of [0, 1])
        swing(world, swings.x - 1 + i * 2, swings.z, Math.sin(seconds * 2.1 + i * 2) * 0.9, seed + i);
      const children = Array.from({ length: 5 }, (_, i) => ({
        i,
        z: 9 + noiseAt(seed, i, Math.floor(seconds / 30)) * 6,
      }));
      for (const { i, z } of children.sort((a, b) => b.z - a.z)) {
        const x = travelled(seconds * (i % 2 ? 1 : -1), 1.5, noiseAt(seed, i, 3) * 12, 12) - 6;
        person(world, x, z, seed + i, seconds * 1.5 + i, i === 0 ? 1.7 : 1.15);
      }
    },
  };
};

function island(world: World, x: number, z: number, radiusX: number, radiusZ: number, colour: Rgb): void {
  const points: Point[] = [];
  for (let i = 0; i < 28; i++)
    points.push(world.at(x + radiusX * Math.cos(i / 4.456), 0, z + radiusZ * Math.sin(i / 4.456)));
  world.canvas.polygon(points, world.surface(colour, 0.15, 0.5));
}

function slide(world: World, x: number, z: number, seed: number): void {
  const { canvas, light } = world;
  world.shadow(x, z, 4, 1.6, 0.4);
  for (const dx of [-0.7, 0.7])
    for (const dz of [0.7, -0.7])
      world.box({ x: x + dx, z: z + dz, width: 0.16, depth: 0.16, height: 3, colour: bright(seed) });
  world.box({ x, z, width: 1.6, depth: 1.6, base: 1.5, height: 0.9, colour: bright(seed + 1) });
  const roof = light.tint(bright(seed + 3), z);
  canvas.polygon([world.at(x - 1.1, 2.9, z - 0.8), world.at(x, 4, z - 0.4), world.at(x + 1.1, 2.9, z - 0.8)], roof);
  const chute = light.tint(bright(seed + 2), z);
  const to = x > 0 ? -1 : 1;
  canvas.polygon([world.at(x + to * 0.8, 1.7, z - 0.5), world.at(x + to * 0.8, 1.7, z + 0.5), world.at(x + to * 3.6, 0.25, z + 0.3), world.at(x + to * 4.2, 0.2, z - 0.5), world.at(x + to * 3.4, 0.15, z - 0.9)], chute); // prettier-ignore
}

function frame(world: World, x: number, z: number, seed: number): void {
  const paint = world.light.tint(bright(seed + 4), z);
  const width = Math.max(0.004, 0.12 * world.scale(z));
  for (const dx of [-2.2, 2.2])
    for (const dz of [-1, 1])
      world.canvas.line(world.at(x + dx, 2.6, z), world.at(x + dx * 1.1, 0, z + dz), width, paint);
  world.canvas.line(world.at(x - 2.2, 2.6, z), world.at(x + 2.2, 2.6, z), width, paint);
}

function swing(world: World, x: number, z: number, angle: number, seed: number): void {
  const seat = world.at(x + Math.sin(angle) * 0.5, 0.6 + Math.abs(Math.sin(angle)) * 0.4, z);
  const steel = world.light.tint([90, 92, 96], z);
  for (const dx of [-0.22, 0.22])
    world.canvas.line(world.at(x + dx, 2.6, z), [seat[0] + dx * world.scale(z), seat[1]], 0.0025, steel);
  world.canvas.line(
    [seat[0] - 0.3 * world.scale(z), seat[1]],
    [seat[0] + 0.3 * world.scale(z), seat[1]],
    0.008,
    world.light.tint(bright(seed), z),
  );
}

function climber(world: World, x: number, z: number, seed: number): void {
  const { canvas, light } = world;
  const paint = light.tint(bright(seed + 2), z);
  for (let ring = 0; ring <= 3; ring++) {
    const radius = 2.2 * Math.cos(ring * 0.45);
    const y = 2.2 * Math.sin(ring * 0.45);
    canvas.line(world.at(x - radius, y, z), world.at(x + radius, y, z), 0.005, paint);
  }
  for (let k = -3; k <= 3; k++) canvas.line(world.at(x + k * 0.72, 0, z), world.at(x + k * 0.2, 2.15, z), 0.005, paint);
}
