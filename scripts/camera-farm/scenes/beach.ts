import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import type { Point, Rgb } from './canvas.ts';
import { mix } from './canvas.ts';
import { person } from './props.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import { sailboat, waterSurface } from './water.ts';
import type { World } from './world.ts';

const CLOTHS: readonly Rgb[] = [[226, 70, 60], [54, 130, 196], [246, 196, 60], [240, 238, 230], [240, 130, 60], [84, 170, 140]]; // prettier-ignore

/** Sand, surf and sunshades. */
export const beach: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, 0.26, 0.38),
    eye: between(random, 5, 8),
    focal: between(random, 0.9, 1.1),
    centre: aspect * 0.5,
  };
  const seed = wholeBetween(random, 1, 1e6);
  const sand = pick<Rgb>(random, [[232, 212, 166], [222, 196, 148], [206, 190, 162]]); // prettier-ignore
  const sea = pick<Rgb>(random, [[40, 128, 160], [52, 142, 150], [60, 108, 140]]); // prettier-ignore
  const slope = between(random, -0.16, 0.16);
  const shore = between(random, 0.52, 0.62);
  const shades = wholeBetween(random, 6, 11);
  const edge = (x: number, surge: number) => shore + slope * (x - aspect / 2) + Math.sin(x * 9 + seed) * 0.006 + surge;
  return {
    view,
    still(world) {
      world.sky(0.4, seed % 97);
      waterSurface(world, view.horizon, sea);
      if (seed % 3 === 0) world.ridge(view.horizon, 0.12, 1.6, seed % 41, [92, 112, 96], 420);
      below(world, (x) => edge(x, 0), world.surface(sand, 0.25, 0.8));
      const spots = Array.from({ length: shades }, (_, i) => ({ i, z: 9.5 + noiseAt(seed, i) * 9 })).sort(
        (a, b) => b.z - a.z,
      );
      for (const { i, z } of spots) sunshade(world, (noiseAt(seed, i, 2) - 0.5) * z * 1.2, z, seed + i);
    },
    moving(world, seconds) {
      surf(world, (x, surge) => edge(x, surge), seconds, sand);
      sailboat(world, travelled(seconds, 1.5, seed % 160, 160) - 80, 110, 9, seed);
      sailboat(world, 60 - travelled(seconds, 1.1, seed % 110, 120), 75, 7, seed + 4);
      const far = world.distanceAt(shore + 0.03);
      for (let i = 0; i < 6; i++)
        person(
          world,
          travelled(seconds * (i % 2 ? 1 : -1), 0.9, noiseAt(seed, i, 7) * 24, 24) - 12,
          far - 0.5 - i * 0.5,
          seed + i,
          seconds + i,
        );
    },
  };
};

function below(world: World, edge: (x: number) => number, paint: Parameters<World['canvas']['polygon']>[1]): void {
  const points: Point[] = [];
  for (let x = 0; x <= world.right + 0.02; x += 0.03) points.push([x, edge(x)]);
  world.canvas.polygon([...points, [world.right + 0.02, 1], [0, 1]], paint);
}

/** Wet sand and two lines of foam that come and go. */
function surf(world: World, edge: (x: number, surge: number) => number, seconds: number, sand: Rgb): void {
  const foam = world.light.tint([246, 248, 248], 12);
  const wet = mix(world.light.tint(sand, 12), [60, 70, 80], 0.35);
  const swash = Math.sin(seconds * 0.7) * 0.012;
  ribbon(world, (x) => edge(x, -0.002), (x) => edge(x, 0.03), wet, 0.5); // prettier-ignore
  for (const [rest, thickness] of [[-0.02, 0.008], [-0.06, 0.006]] as const) // prettier-ignore
    ribbon(world, (x) => edge(x, rest + swash + Math.sin(x * 23 + seconds) * 0.003), (x) => edge(x, rest + swash + thickness + Math.sin(x * 31) * 0.003), foam, 0.85); // prettier-ignore
}

function ribbon(
  world: World,
  top: (x: number) => number,
  bottom: (x: number) => number,
  paint: Rgb,
  alpha: number,
): void {
  const upper: Point[] = [];
  const lower: Point[] = [];
  for (let x = 0; x <= world.right + 0.02; x += 0.025) {
    upper.push([x, top(x)]);
    lower.push([x, bottom(x)]);
  }
  world.canvas.polygon([...upper, ...lower.reverse()], paint, alpha);
}

function sunshade(world: World, x: number, z: number, seed: number): void {
  const { canvas, light } = world;
  const s = world.scale(z);
  const [px, py] = world.at(x, 0, z);
  const cloth = CLOTHS[Math.abs(seed) % CLOTHS.length] as Rgb;
  world.shadow(x + 0.6, z, 2.4, 1.6, 0.4);
  canvas.rect(
    px - 1.4 * s,
    py - 0.06 * s,
    1.6 * s,
    0.22 * s,
    light.tint(CLOTHS[(Math.abs(seed) + 2) % CLOTHS.length] as Rgb, z),
  );
  canvas.line([px, py], [px, py - 2.2 * s], Math.max(0.003, 0.07 * s), light.tint([236, 232, 224], z));
  for (let k = 0; k < 6; k++) {
    const from = -1.4 + k * 0.467;
    canvas.polygon([[px, py - 2.7 * s], [px + from * s, py - 1.95 * s], [px + (from + 0.467) * s, py - 1.95 * s]], light.tint(k % 2 ? [244, 242, 236] : cloth, z)); // prettier-ignore
  }
}
