import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import type { Point, Rgb } from './canvas.ts';
import { mix } from './canvas.ts';
import { lamp, person, tree } from './props.ts';
import { GRASS } from './roads.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import type { World } from './world.ts';

/** Lawns, a winding path, trees and sometimes a pond. */
export const park: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, 0.28, 0.4),
    eye: between(random, 3.6, 6),
    focal: between(random, 0.85, 1.1),
    centre: aspect * between(random, 0.4, 0.6),
  };
  const seed = wholeBetween(random, 1, 1e6);
  const bend = between(random, -7, 7);
  const leaf = pick<Rgb>(random, [[74, 118, 56], [92, 132, 60], [168, 116, 48], [58, 104, 66]]); // prettier-ignore
  const pond = random() < 0.45;
  const grass = pick(random, GRASS);
  const path = (z: number) => bend * Math.sin(z / 18 + (seed % 6));
  return {
    view,
    still(world) {
      world.sky(0.5, seed % 97);
      world.ridge(view.horizon + 0.015, 0.09, 9, seed % 53, mix(leaf, [40, 60, 40], 0.35), 140);
      world.plain(grass, 0.45, 2);
      if (pond) pool(world, path(24) + (bend > 0 ? -12 : 12), 25);
      winding(world, path);
      for (let i = 18; i >= 0; i--) {
        const z = 14 + i * 4.5;
        const side = noiseAt(seed, i, 1) < 0.5 ? -1 : 1;
        const x = path(z) + side * (4.5 + noiseAt(seed, i, 2) * 16);
        if (!pond || Math.abs(z - 25) > 8 || side === Math.sign(bend))
          tree(world, x, z, 6 + noiseAt(seed, i, 3) * 5, seed + i, leaf);
        if (i % 4 === 1) lamp(world, path(z) + 2.2, z, 3.6, 0);
      }
      for (const z of [22, 13]) bench(world, path(z) + (seed % 2 ? 3 : -3), z);
    },
    moving(world, seconds) {
      const walkers = Array.from({ length: 6 }, (_, i) => {
        const fast = i === 5 ? 3 : 1.2;
        return { i, z: 9 + travelled(seconds * (i % 2 ? 1 : -1), fast, noiseAt(seed, i, 8) * 40, 40) };
      });
      for (const { i, z } of walkers.sort((a, b) => b.z - a.z))
        person(world, path(z) + noiseAt(seed, i, 9) * 2 - 1, z, seed + i, seconds + i);
    },
  };
};

function winding(world: World, path: (z: number) => number): void {
  const left: Point[] = [];
  const right: Point[] = [];
  for (let z = world.nearest * 0.85; z < 110; z *= 1.06) {
    left.push(world.at(path(z) - 1.6, 0, z));
    right.push(world.at(path(z) + 1.6, 0, z));
  }
  world.canvas.polygon([...left, ...right.reverse()], world.surface([196, 180, 152], 0.2, 0.6));
}

function pool(world: World, x: number, z: number): void {
  const outline = (grow: number): Point[] =>
    Array.from({ length: 32 }, (_, i) =>
      world.at(x + (8 + grow) * Math.cos(i / 5.093), 0, z + (5 + grow) * Math.sin(i / 5.093)),
    );
  world.canvas.polygon(outline(0.6), world.light.ground([150, 146, 128], z));
  world.canvas.polygon(outline(0), mix(world.light.tint([70, 116, 130], z), world.light.skyLow, 0.4));
}

function bench(world: World, x: number, z: number): void {
  const wood: Rgb = [140, 94, 58];
  world.shadow(x, z, 1.8, 0.7, 0.4);
  for (const dx of [-0.7, 0.7]) world.box({ x: x + dx, z, width: 0.1, depth: 0.5, height: 0.45, colour: [60, 62, 64] });
  world.box({ x, z: z + 0.25, width: 1.8, depth: 0.08, base: 0.5, height: 0.45, colour: wood });
  world.box({ x, z, width: 1.8, depth: 0.5, base: 0.42, height: 0.08, colour: wood });
}
