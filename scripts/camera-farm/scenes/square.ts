import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import type { Rgb } from './canvas.ts';
import { house, lamp, person } from './props.ts';
import { WALLS } from './roads.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import type { World } from './world.ts';

/** A paved place in an old town, with a fountain and people. */
export const square: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, 0.26, 0.4),
    eye: between(random, 5.5, 9),
    focal: between(random, 0.85, 1.05),
    centre: aspect * 0.5,
  };
  const seed = wholeBetween(random, 1, 1e6);
  const paving = pick<Rgb>(random, [[196, 184, 166], [176, 170, 164], [206, 180, 150]]); // prettier-ignore
  const back = between(random, 40, 48);
  const church = between(random, -9, 9);
  const fountain = { x: between(random, -5, 5), z: between(random, 21, 26) };
  return {
    view,
    still(world) {
      world.sky(0.45, seed % 97);
      world.plain(paving, 0.15, 0.8);
      for (let i = -4; i <= 4; i++) {
        const colour = WALLS[Math.floor(noiseAt(seed, i) * WALLS.length)] as Rgb;
        if (Math.abs(i * 11 - church) > 7)
          house(world, {
            x: i * 11,
            z: back + 6,
            width: 11,
            depth: 10,
            height: 9 + noiseAt(seed, i, 2) * 5,
            roof: 3.5,
            colour,
            seed: seed + i,
          });
      }
      minster(world, church, back + 7, seed);
      pattern(world, back);
      for (const side of [-1, 1])
        for (let i = 2; i >= 0; i--)
          house(world, { x: side * 24, z: 20 + i * 11, width: 10, depth: 11, height: 10 + noiseAt(seed, i, side) * 4, roof: 3, colour: WALLS[(seed + i + side + 9) % WALLS.length]!, seed: seed + i + side * 9 }); // prettier-ignore
      for (const side of [-1, 1]) lamp(world, side * 12, 30, 5, 0);
      basin(world, fountain.x, fountain.z);
      for (let i = 0; i < 4; i++) awning(world, 10.5 + (i % 2) * 3.2, 17 + i * 2.4, seed);
    },
    moving(world, seconds) {
      jets(world, fountain.x, fountain.z, seconds);
      const people = Array.from({ length: 16 }, (_, i) => ({ i, z: 11 + noiseAt(seed, i, 7) * 24 })).sort(
        (a, b) => b.z - a.z,
      );
      for (const { i, z } of people) {
        const x = travelled(seconds * (i % 2 ? 1 : -1), 1.2, noiseAt(seed, i, 8) * 26, 26) - 15;
        if (Math.hypot(x - fountain.x, z - fountain.z) > 4.2) person(world, x, z, seed + i, seconds + i);
      }
      pigeons(world, seed, seconds);
    },
  };
};

function pattern(world: World, back: number): void {
  const paint = world.light.ground([150, 134, 120], 15);
  for (let x = -24; x <= 24; x += 4) world.strip(x - 0.12, x + 0.12, 4, back, paint, 0.6);
  for (let z = 8; z < back; z += 4) world.strip(-40, 40, z, z + 0.24, paint, 0.6);
}

function minster(world: World, x: number, z: number, seed: number): void {
  const stone: Rgb = seed % 2 ? [206, 196, 176] : [178, 128, 100];
  world.box({ x, z, width: 12, depth: 12, height: 13, colour: stone });
  const { canvas, light } = world;
  const near = z - 6;
  canvas.polygon(
    [world.at(x - 6.4, 13, near), world.at(x, 18, near), world.at(x + 6.4, 13, near)],
    light.tint([150, 84, 64], z),
  );
  world.box({ x: x - 7.5, z: z - 2, width: 5, depth: 5, height: 22, colour: stone });
  canvas.polygon(
    [world.at(x - 10.3, 22, z - 4.5), world.at(x - 7.5, 31, z - 2), world.at(x - 4.7, 22, z - 4.5)],
    light.tint([92, 128, 116], z),
  );
  const [cx, cy] = world.at(x, 10.4, near);
  canvas.ellipse(
    cx,
    cy,
    1.5 * world.scale(near),
    1.5 * world.scale(near),
    light.lamps > 0.3 ? [250, 206, 130] : light.tint([70, 84, 110], z),
  );
  const [dx, dy] = world.at(x - 1.2, 4, near);
  canvas.rect(dx, dy, 2.4 * world.scale(near), 4 * world.scale(near), light.tint([92, 62, 46], z));
  const [kx, ky] = world.at(x - 7.5, 18.5, z - 4.5);
  canvas.ellipse(kx, ky, 1.2 * world.scale(z), 1.2 * world.scale(z), light.tint([240, 236, 220], z));
}

function basin(world: World, x: number, z: number): void {
  const s = world.scale(z);
  const flat = (3.4 * world.view.eye * s) / z;
  const [px, py] = world.at(x, 0, z);
  const stone = world.light.tint([172, 166, 156], z);
  world.canvas.ellipse(px, py, 3.6 * s, flat * 1.05, world.light.tint([132, 126, 118], z));
  world.canvas.ellipse(px, py - 0.5 * s, 3.6 * s, flat * 1.05, stone);
  world.canvas.ellipse(px, py - 0.5 * s, 3.1 * s, flat * 0.86, world.light.tint([92, 150, 176], z));
  world.box({ x, z, width: 0.8, depth: 0.8, base: 0.3, height: 2.2, colour: [172, 166, 156] });
  world.canvas.ellipse(px, py - 2.4 * s, 1.2 * s, flat * 0.3, stone);
}

function jets(world: World, x: number, z: number, seconds: number): void {
  const s = world.scale(z);
  const [px, py] = world.at(x, 2.6, z);
  const spray = world.light.tint([226, 238, 246], z);
  const high = (1.4 + Math.sin(seconds * 1.7) * 0.3) * s;
  world.canvas.puff(px, py - high * 0.5, 0.35 * s, high, spray, 0.8);
  for (const side of [-1, 1]) world.canvas.puff(px + side * 0.9 * s, py + 0.6 * s, 0.4 * s, 1 * s, spray, 0.55);
}

function awning(world: World, x: number, z: number, seed: number): void {
  const cloth: Rgb = seed % 3 === 0 ? [196, 60, 52] : [236, 230, 214];
  world.shadow(x, z, 2.6, 2, 0.35);
  world.box({ x, z, width: 0.1, depth: 0.1, height: 2.2, colour: [90, 80, 70] });
  world.box({ x, z, width: 2.6, depth: 2.2, base: 2.2, height: 0.25, colour: cloth });
  world.box({ x: x + 0.6, z: z - 0.4, width: 0.8, depth: 0.8, height: 0.75, colour: [150, 112, 78] });
}

function pigeons(world: World, seed: number, seconds: number): void {
  const flock = Math.floor(seconds / 25);
  for (let i = 0; i < 9; i++) {
    const [px, py] = world.at(
      noiseAt(seed, flock) * 8 - 6 + noiseAt(seed, i, flock) * 3,
      0,
      12 + noiseAt(seed, i, 3) * 2,
    );
    world.canvas.ellipse(px, py, 0.009, 0.006, world.light.tint([112, 118, 130], 12));
  }
}
