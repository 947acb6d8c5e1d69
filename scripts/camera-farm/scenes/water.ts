import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import type { Rgb } from './canvas.ts';
import { mix, scaled, smoothNoise } from './canvas.ts';
import { house, tree } from './props.ts';
import { WALLS } from './roads.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import type { World } from './world.ts';

/** Everything below `top` as water that mirrors the sky. */
export function waterSurface(world: World, top: number, deep: Rgb, bottom = 1): void {
  const { light } = world;
  const near = light.tint(deep, 4);
  const far = mix(light.skyLow, light.tint(deep, 60), 0.35);
  world.canvas.band(top, bottom, (x, y, out) => {
    const down = (y - top) / Math.max(0.05, 1 - top);
    const wave = smoothNoise((x - world.view.centre) * (8 + 10 * (1 - down)), (9 / (0.08 + down)) * 2.2);
    const base = mix(far, near, Math.min(1, down * 1.25));
    const shine = 0.86 + wave * 0.3;
    [out[0], out[1], out[2]] = [base[0] * shine, base[1] * shine, base[2] * shine];
  });
}

/** A sailing boat; `size` metres of hull. */
export function sailboat(world: World, x: number, z: number, size: number, seed: number): void {
  const { canvas, light } = world;
  const [px, py] = world.at(x, 0, z);
  const s = world.scale(z) * size;
  const lean = (noiseAt(seed, 4) - 0.5) * 0.2;
  canvas.puff(px, py + 0.06 * s, 0.6 * s, 0.1 * s, light.tint([60, 76, 92], z), 0.5);
  const sail = light.tint(noiseAt(seed, 5) < 0.75 ? [244, 242, 236] : [206, 92, 70], z);
  canvas.polygon([[px - 0.5 * s, py - 0.14 * s], [px + 0.55 * s, py - 0.14 * s], [px + 0.38 * s, py + 0.05 * s], [px - 0.38 * s, py + 0.05 * s]], light.tint([236, 234, 230], z)); // prettier-ignore
  canvas.polygon(
    [
      [px + lean * s, py - 1.35 * s],
      [px + 0.04 * s, py - 0.2 * s],
      [px + 0.5 * s, py - 0.22 * s],
    ],
    sail,
  );
  canvas.polygon([[px + lean * s, py - 1.2 * s], [px - 0.02 * s, py - 0.2 * s], [px - 0.42 * s, py - 0.2 * s]], scaled(sail, 0.88)); // prettier-ignore
  canvas.line(
    [px, py - 0.14 * s],
    [px + lean * s, py - 1.4 * s],
    Math.max(0.002, 0.03 * s),
    light.tint([120, 110, 100], z),
  );
}

/** A lake or a wide river with boats, and a shore beyond it. */
export const water: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, 0.34, 0.48),
    eye: between(random, 5, 11),
    focal: 1,
    centre: aspect * between(random, 0.35, 0.65),
  };
  const seed = wholeBetween(random, 1, 1e6);
  const deep = pick<Rgb>(random, [[44, 92, 122], [58, 104, 112], [70, 98, 92]]); // prettier-ignore
  const pier = random() < 0.5 ? between(random, -6, 6) : undefined;
  const town = random() < 0.5;
  return {
    view,
    still(world) {
      world.sky(0.5, seed % 97);
      world.ridge(view.horizon, between2(seed, 0.06, 0.16), 2.5, seed % 67, [86, 110, 98], 420);
      world.plain([98, 116, 84], 0.4, 4);
      for (let i = 0; i < 26; i++) {
        const x = (noiseAt(seed, i) - 0.5) * 260;
        if (town && i % 3 === 0)
          house(world, {
            x,
            z: 190,
            width: 12,
            depth: 8,
            height: 7,
            roof: 4,
            colour: WALLS[i % WALLS.length]!,
            seed: seed + i,
          });
        else tree(world, x, 180, 10 + noiseAt(seed, i, 2) * 6, seed + i);
      }
      waterSurface(world, view.horizon + view.eye / 180, deep);
      if (pier !== undefined) jetty(world, pier);
    },
    moving(world, seconds) {
      const boats = Array.from({ length: 4 }, (_, i) => ({ i, z: 28 + noiseAt(seed, i, 7) * 80 })).sort(
        (a, b) => b.z - a.z,
      );
      for (const { i, z } of boats) {
        const reach = z * aspect * 1.3;
        sailboat(
          world,
          travelled(seconds * (i % 2 ? 1 : -1), 1.5, noiseAt(seed, i, 8) * reach, reach) - reach / 2,
          z,
          5 + noiseAt(seed, i, 9) * 3,
          seed + i,
        );
      }
      for (let i = 0; i < 5; i++)
        duck(world, travelled(seconds, 0.25, noiseAt(seed, i, 14) * 14, 14) - 7, 13 + noiseAt(seed, i, 15) * 9);
    },
  };
};

const between2 = (seed: number, low: number, high: number): number => low + noiseAt(seed, 55) * (high - low);

function jetty(world: World, x: number): void {
  for (let z = 34; z > 9; z -= 3)
    for (const dx of [-1, 1]) world.box({ x: x + dx, z, width: 0.25, depth: 0.25, height: 0.8, colour: [96, 78, 60] });
  world.box({ x, z: 21, width: 2.4, depth: 27, base: 0.6, height: 0.25, colour: [148, 122, 92], top: [164, 138, 106] });
}

function duck(world: World, x: number, z: number): void {
  const [px, py] = world.at(x, 0, z);
  const s = world.scale(z) * 0.5;
  world.canvas.ellipse(px, py, 0.5 * s, 0.24 * s, world.light.tint([112, 92, 70], z));
  world.canvas.ellipse(px + 0.42 * s, py - 0.3 * s, 0.18 * s, 0.18 * s, world.light.tint([40, 96, 66], z));
}
