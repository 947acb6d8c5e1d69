import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import type { Rgb } from './canvas.ts';
import { bush, person, tree } from './props.ts';
import { GRASS } from './roads.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import type { World } from './world.ts';

const FLOWERS: readonly Rgb[] = [[226, 70, 92], [246, 206, 70], [170, 96, 190], [240, 240, 244], [238, 130, 60], [232, 140, 180]]; // prettier-ignore

/** Flower beds in rows, hedges and a glasshouse. */
export const garden: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, 0.2, 0.32),
    eye: between(random, 3.6, 5.4),
    focal: between(random, 0.85, 1.05),
    centre: aspect * 0.5,
  };
  const seed = wholeBetween(random, 1, 1e6);
  const grass = pick(random, GRASS);
  const glass = random() < 0.65 ? between(random, -5, 5) : undefined;
  const rows = wholeBetween(random, 3, 4);
  const path = between(random, -1.5, 1.5);
  return {
    view,
    still(world) {
      world.sky(0.45, seed % 97);
      world.plain(grass, 0.45, 1);
      for (let i = 9; i >= 0; i--)
        tree(world, (i - 4.5) * 7 + noiseAt(seed, i) * 4, 36 + noiseAt(seed, i, 1) * 8, 8, seed + i);
      world.box({ x: 0, z: 28, width: 60, depth: 1.4, height: 2.2, colour: [58, 96, 54], top: [84, 124, 68] });
      if (glass !== undefined) glasshouse(world, glass, 23);
      world.strip(path - 0.9, path + 0.9, 1, 26, world.surface([204, 186, 154], 0.25, 0.4));
      for (let row = rows - 1; row >= 0; row--)
        for (const side of [-1, 1]) bed(world, path + side * 4.6, 9.5 + row * 3.4, seed + row * 2 + side);
      for (let i = 0; i < 4; i++) for (const side of [-1, 1]) cone(world, path + side * 1.5, 8 + i * 4.4);
    },
    moving(world, seconds) {
      const visit = Math.floor(seconds / 80);
      for (let i = 1; i >= 0; i--)
        if (noiseAt(seed, visit, i) < 0.7)
          person(
            world,
            path + i * 0.7 - 0.3,
            8.5 + travelled(seconds * (i ? 1 : -1), 0.7, noiseAt(seed, i) * 15, 15),
            seed + visit + i,
            seconds,
          );
      for (let i = 0; i < 5; i++) butterfly(world, seed, i, seconds);
    },
  };
};

function bed(world: World, x: number, z: number, seed: number): void {
  world.strip(x - 3, x + 3, z - 1.1, z + 1.1, world.surface([96, 70, 52], 0.4, 0.3));
  const colour = FLOWERS[Math.abs(seed) % FLOWERS.length] as Rgb;
  const second = FLOWERS[Math.abs(seed * 3 + 1) % FLOWERS.length] as Rgb;
  for (let line = 2; line >= 0; line--)
    for (let k = 0; k < 13; k++) {
      const at = { x: x - 2.8 + k * 0.46 + noiseAt(seed, k, line) * 0.15, z: z - 0.75 + line * 0.75 };
      const s = world.scale(at.z);
      const [px, py] = world.at(at.x, 0, at.z);
      world.canvas.ellipse(px, py - 0.16 * s, 0.22 * s, 0.2 * s, world.light.tint([70, 112, 58], at.z));
      world.canvas.ellipse(
        px,
        py - 0.38 * s,
        0.16 * s,
        0.14 * s,
        world.light.ground(line === 1 ? second : colour, at.z),
      );
    }
}

function glasshouse(world: World, x: number, z: number): void {
  const { canvas, light } = world;
  world.box({ x, z, width: 9, depth: 5, height: 2.6, colour: [186, 212, 214] });
  const near = z - 2.5;
  const frame = light.tint([240, 242, 240], z);
  canvas.polygon([world.at(x - 4.6, 2.6, near), world.at(x - 4, 4.4, z), world.at(x + 4, 4.4, z), world.at(x + 4.6, 2.6, near)], light.tint([170, 202, 208], z)); // prettier-ignore
  for (let k = -4; k <= 4; k++) {
    canvas.line(world.at(x + k * 1.12, 0, near), world.at(x + k * 1.12, 2.6, near), 0.0035, frame);
    canvas.line(world.at(x + k * 1.12, 2.6, near), world.at(x + k, 4.4, z), 0.003, frame);
  }
  canvas.line(world.at(x - 4.5, 1.3, near), world.at(x + 4.5, 1.3, near), 0.003, frame);
  if (light.lamps > 0.2) canvas.glow(...world.at(x, 1.6, near), 0.16, [255, 226, 160], light.lamps * 0.6);
}

function cone(world: World, x: number, z: number): void {
  const { canvas, light } = world;
  world.shadow(x, z, 0.8, 0.6, 0.35);
  canvas.polygon(
    [world.at(x - 0.4, 0, z), world.at(x, 1.5, z), world.at(x + 0.4, 0, z)],
    light.ground([62, 104, 58], z),
  );
  canvas.polygon(
    [world.at(x + 0.05, 0, z), world.at(x, 1.5, z), world.at(x + 0.4, 0, z)],
    light.ground([46, 82, 46], z),
  );
  bush(world, x, z - 0.2, 0.3, 3, [70, 110, 60]);
}

function butterfly(world: World, seed: number, i: number, seconds: number): void {
  const x = world.right * (0.15 + 0.7 * noiseAt(seed, i, 21)) + Math.sin(seconds * 0.6 + i * 2) * 0.12;
  const y = 0.55 + noiseAt(seed, i, 22) * 0.3 + Math.sin(seconds * 1.3 + i) * 0.04;
  const wing = 0.004 + Math.abs(Math.sin(seconds * 9 + i)) * 0.005;
  for (const side of [-1, 1])
    world.canvas.ellipse(x + side * wing, y, wing, 0.008, world.light.tint(FLOWERS[i % FLOWERS.length] as Rgb, 4));
}
