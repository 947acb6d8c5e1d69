import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import type { Rgb } from './canvas.ts';
import { bush, house, person, tree } from './props.ts';
import { GRASS, WALLS } from './roads.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import type { World } from './world.ts';

/** The space behind a house: lawn, shed and fence. */
export const yard: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, 0.24, 0.36),
    eye: between(random, 3, 4.4),
    focal: between(random, 0.8, 1),
    centre: aspect * 0.5,
  };
  const grass = pick(random, GRASS);
  const seed = wholeBetween(random, 1, 1e6);
  const side = random() < 0.5 ? -1 : 1;
  const back = between(random, 15, 20);
  const wall = pick(random, WALLS);
  const wood = pick<Rgb>(random, [[142, 108, 76], [176, 164, 148], [112, 92, 74]]); // prettier-ignore
  const pool = random() < 0.3;
  return {
    view,
    still(world) {
      world.sky(0.45, seed % 97);
      world.plain(grass, 0.5, 1);
      for (let i = 5; i >= 0; i--)
        tree(world, (noiseAt(seed, i) - 0.5) * 44, back + 8 + i * 3, 6 + noiseAt(seed, i, 1) * 4, seed + i);
      house(world, { x: -side * 8, z: back + 11, width: 10, depth: 8, height: 5, roof: 3, colour: pick2(seed), seed });
      fence(world, back, wood);
      house(world, { x: side * 9.5, z: 13, width: 9, depth: 9, height: 5.6, roof: 0, colour: wall, seed: seed + 3 });
      world.patch([[side * 5, 8], [side * 5, 15], [side * 2, 15], [side * 1.6, 8]], world.surface([184, 170, 152], 0.25, 0.5)); // prettier-ignore
      if (pool) water(world, -side * 3.4, 11);
      table(world, side * 3, 10.5, wood);
      for (let i = 0; i < 7; i++)
        bush(world, -12 + i * 4 + noiseAt(seed, i, 8) * 2, back - 1, 1.2, seed + i, [78, 116, 62]);
      tree(world, -side * 6.5, 12.5, 5.5, seed + 77);
      for (let i = 0; i < 2; i++)
        world.box({
          x: side * 5.6,
          z: 8 + i,
          width: 0.7,
          depth: 0.7,
          height: 1.1,
          colour: i ? [60, 92, 70] : [62, 74, 98],
        });
    },
    moving(world, seconds) {
      const way = travelled(seconds, 0.9, seed % 12, 12);
      if (noiseAt(seed, Math.floor(seconds / 90)) < 0.6)
        person(world, -3 + Math.abs(way - 6) * 0.7, 8.4, seed + Math.floor(seconds / 90), seconds);
      dog(world, travelled(seconds, 1.7, seed % 7, 9) - 5.5, 9.4, seconds);
    },
  };
};

const pick2 = (seed: number): Rgb => WALLS[seed % WALLS.length] as Rgb;

function fence(world: World, z: number, wood: Rgb): void {
  for (let i = -30; i < 30; i++)
    world.box({ x: i * 0.9, z, width: 0.78, depth: 0.1, height: 1.7, colour: [wood[0] * (0.9 + noiseAt(i, 5) * 0.2), wood[1] * (0.9 + noiseAt(i, 5) * 0.2), wood[2] * (0.9 + noiseAt(i, 5) * 0.2)] }); // prettier-ignore
}

function table(world: World, x: number, z: number, wood: Rgb): void {
  world.shadow(x, z, 2, 1, 0.4);
  for (const dx of [-0.8, 0.8]) world.box({ x: x + dx, z, width: 0.12, depth: 0.6, height: 0.75, colour: wood });
  world.box({ x, z, width: 2, depth: 0.9, base: 0.72, height: 0.08, colour: wood });
  for (const dz of [0.9, -0.9])
    world.box({ x, z: z + dz, width: 1.8, depth: 0.3, base: 0.4, height: 0.06, colour: wood });
}

function water(world: World, x: number, z: number): void {
  const [px, py] = world.at(x, 0, z);
  const scale = world.scale(z);
  world.canvas.ellipse(px, py, 2.3 * scale, 0.62 * scale, world.light.tint([214, 212, 206], z));
  world.canvas.ellipse(px, py, 2 * scale, 0.5 * scale, world.light.tint([74, 158, 190], z));
}

function dog(world: World, x: number, z: number, seconds: number): void {
  const coat: Rgb = [120, 86, 54];
  world.shadow(x, z, 0.8, 0.4, 0.35);
  for (const dx of [-0.3, 0.3])
    world.box({ x: x + dx + Math.sin(seconds * 8) * 0.05, z, width: 0.08, depth: 0.2, height: 0.35, colour: coat });
  world.box({ x, z, width: 0.8, depth: 0.25, base: 0.3, height: 0.28, colour: coat });
  world.box({ x: x + 0.48, z, width: 0.28, depth: 0.22, base: 0.48, height: 0.25, colour: coat });
}
