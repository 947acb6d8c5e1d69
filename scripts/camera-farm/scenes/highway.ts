import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import type { Rgb } from './canvas.ts';
import { tree } from './props.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import { vehicle } from './vehicles.ts';
import type { World } from './world.ts';

const LANE = 3.6;
const REACH = 260;

/** Two carriageways from a gantry or a bridge. */
export const highway: Concept = ({ random, aspect }) => {
  const lanes = wholeBetween(random, 2, 4);
  const median = between(random, 2, 6);
  const eye = between(random, 6.5, 11);
  const shift = between(random, -6, 6);
  const view = {
    horizon: between(random, 0.14, 0.34),
    eye,
    focal: between(random, 0.85, 1.25),
    centre: aspect * between(random, 0.35, 0.65),
  };
  const asphalt = pick<Rgb>(random, [[98, 100, 104], [116, 114, 112], [84, 86, 92]]); // prettier-ignore
  const verge = pick<Rgb>(random, [[112, 134, 78], [148, 142, 92], [96, 124, 84]]); // prettier-ignore
  const seed = wholeBetween(random, 1, 1e6);
  const gantry = random() < 0.5 ? between(random, 45, 80) : 0;
  const edge = median / 2 + lanes * LANE + 1.5;
  return {
    view,
    still(world) {
      world.sky(0.5, seed % 97);
      world.ridge(view.horizon, 0.08, 3, seed % 89, [96, 116, 104], 500);
      world.plain(verge, 0.5, 3);
      world.strip(shift - edge, shift + edge, 1, 900, world.surface(asphalt, 0.16, 1.2, true));
      world.strip(shift - median / 2, shift + median / 2, 1, 900, world.surface(verge, 0.4, 1));
      for (const side of [-1, 1]) markings(world, shift, side, median / 2, lanes);
      for (let i = 14; i > 0; i--)
        for (const side of [-1, 1])
          if (noiseAt(seed, i, side) < 0.7)
            tree(
              world,
              shift + side * (edge + 5 + noiseAt(seed, i, side + 4) * 14),
              25 + i * 15,
              6 + noiseAt(seed, i) * 5,
              seed + i,
            );
      rails(world, shift, edge, median / 2);
      if (gantry) signs(world, shift, edge, gantry);
    },
    moving(world, seconds) {
      const cars = Array.from({ length: lanes * 5 }, (_, i) => {
        const away = i % 2 === 0;
        const lane = Math.floor(i / 2) % lanes;
        const speed = (24 + lane * -3 + noiseAt(seed, i) * 3) * (away ? 1 : -1);
        const z = world.nearest + 3 + travelled(seconds, speed, noiseAt(seed, i, 8) * REACH, REACH);
        const x = shift + (away ? 1 : -1) * (median / 2 + 0.8 + (lanes - 1 - lane + 0.5) * LANE);
        return { x, z, heading: away ? ('away' as const) : ('towards' as const), seed: seed + i };
      });
      for (const car of cars.sort((a, b) => b.z - a.z)) vehicle(world, car);
    },
  };
};

function markings(world: World, shift: number, side: number, inner: number, lanes: number): void {
  const paint = world.light.tint([226, 226, 220], 20);
  for (let lane = 0; lane <= lanes; lane++) {
    const x = shift + side * (inner + 0.8 + lane * LANE);
    const solid = lane === 0 || lane === lanes;
    if (solid) world.strip(x - 0.1, x + 0.1, 1, 400, paint, 0.9);
    else for (let z = 4; z < 160; z += 12) world.strip(x - 0.09, x + 0.09, z, z + 5, paint, 0.9);
  }
}

function rails(world: World, shift: number, edge: number, inner: number): void {
  for (const x of [shift - edge, shift - inner, shift + inner, shift + edge]) {
    const steel = world.light.tint([168, 172, 176], 30);
    const [near, far] = [Math.max(2, world.nearest * 0.8), 300];
    world.canvas.polygon([world.at(x, 0.8, near), world.at(x, 0.8, far), world.at(x, 0.4, far), world.at(x, 0.4, near)], steel); // prettier-ignore
  }
}

function signs(world: World, shift: number, edge: number, z: number): void {
  const steel: Rgb = [128, 132, 138];
  for (const x of [shift - edge - 0.6, shift + edge + 0.6])
    world.box({ x, z, width: 0.5, depth: 0.5, height: 6.4, colour: steel });
  world.box({ x: shift, z, width: edge * 2 + 1.6, depth: 0.5, base: 6.2, height: 0.6, colour: steel });
  for (const at of [-0.5, 0.5])
    world.box({
      x: shift + at * edge,
      z: z - 0.5,
      width: edge * 0.62,
      depth: 0.2,
      base: 5.4,
      height: 2.6,
      colour: [30, 84, 140],
    });
}
