import { between, noiseAt, wholeBetween } from '../random.ts';
import type { Point, Rgb } from './canvas.ts';
import { cloudNoise } from './canvas.ts';
import { choose, house, pine } from './props.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import type { World } from './world.ts';

const SUITS: readonly Rgb[] = [[214, 50, 56], [40, 100, 190], [240, 180, 40], [60, 150, 100], [150, 70, 160], [40, 44, 52]]; // prettier-ignore

/** A piste with a lift and skiers. */
export const snowSlope: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, 0.3, 0.4),
    eye: between(random, 7, 11),
    focal: 1,
    centre: aspect * between(random, 0.4, 0.6),
  };
  const seed = wholeBetween(random, 1, 1e6);
  const side = random() < 0.5 ? -1 : 1;
  const top: Point = [aspect * (0.5 + side * between(random, 0.05, 0.25)), between(random, 0.1, 0.22)];
  const hut = random() < 0.5;
  return {
    view,
    still(world) {
      world.sky(0.4, seed % 97);
      world.ridge(view.horizon + 0.1, 0.24, 2.5, seed % 37, [206, 214, 228], 260);
      world.plain([236, 240, 248], 0.1, 3);
      hill(world, top, seed);
      for (let i = 40; i >= 0; i--) {
        const z = 20 + i * 2.4;
        const flank = i % 2 ? side : -side;
        const x = flank * (z * 0.3 + 5 + noiseAt(seed, i) * z * 0.45);
        pine(world, x, z, 6 + noiseAt(seed, i, 2) * 5, seed + i, [48, 84, 66]);
      }
      if (hut)
        house(world, {
          x: -side * 13,
          z: 26,
          width: 8,
          depth: 7,
          height: 3.6,
          roof: 3,
          colour: [126, 86, 58],
          roofColour: [214, 218, 226],
          seed,
        });
      lift(world, side, top);
    },
    moving(world, seconds) {
      chairs(world, side, top, seconds, seed);
      const skiers = Array.from({ length: 9 }, (_, i) => ({
        i,
        z: 76 - travelled(seconds, 5 + noiseAt(seed, i) * 4, noiseAt(seed, i, 2) * 64, 64),
      }));
      for (const { i, z } of skiers.sort((a, b) => b.z - a.z))
        skier(
          world,
          Math.sin(z / 4.5 + i * 1.7) * z * 0.09 + (noiseAt(seed, i, 5) - 0.5) * z * 0.3,
          z,
          seed + i,
          Math.cos(z / 4.5 + i * 1.7),
        );
    },
  };
};

function hill(world: World, top: Point, seed: number): void {
  const { canvas, light, right } = world;
  const crest: Point[] = [[0, 0.44]];
  for (let x = 0; x <= right + 0.01; x += 0.03) {
    const away = Math.abs(x - top[0]);
    crest.push([x, top[1] + away * 0.34 + cloudNoise(x * 5 + seed, 2) * 0.04]);
  }
  const white = light.tint([240, 244, 250], 30);
  const blue = light.tint([190, 206, 230], 30);
  canvas.polygon([...crest, [right, 1.01], [0, 1.01]], (x, y, out) => {
    const fold = cloudNoise(x * 5 + seed, y * 9 - x * 2);
    const share = Math.max(0, Math.min(1, (fold - 0.3) * 2.4));
    for (let c = 0; c < 3; c++) out[c] = (blue[c] as number) + ((white[c] as number) - (blue[c] as number)) * share;
  });
}

const cable = (world: World, side: number, top: Point, share: number): Point => {
  const foot: Point = [world.view.centre + side * world.right * 0.44, 0.72];
  return [foot[0] + (top[0] - foot[0]) * share, foot[1] + (top[1] - 0.02 - foot[1]) * share - 0.1 * (1 - share)];
};

function lift(world: World, side: number, top: Point): void {
  const { canvas, light } = world;
  const steel = light.tint([96, 104, 116], 30);
  canvas.line(cable(world, side, top, 0), cable(world, side, top, 1), 0.003, light.tint([40, 44, 52], 30));
  for (const share of [0.02, 0.3, 0.55, 0.76, 0.94]) {
    const [x, y] = cable(world, side, top, share);
    const size = 0.2 * (1 - share) + 0.03;
    canvas.line([x, y], [x, y + size], 0.004 + size * 0.03, steel);
    canvas.line([x - size * 0.14, y], [x + size * 0.14, y], 0.003 + size * 0.02, steel);
  }
}

function chairs(world: World, side: number, top: Point, seconds: number, seed: number): void {
  const { canvas, light } = world;
  for (let i = 0; i < 8; i++) {
    const share = travelled(seconds, 0.012, i / 8, 1);
    const [x, y] = cable(world, side, top, share);
    const size = 0.05 * (1 - share) + 0.012;
    canvas.line([x, y], [x, y + size], 0.0025, light.tint([50, 54, 60], 30));
    canvas.rect(x - size * 0.4, y + size * 0.8, size * 0.8, size * 0.35, light.tint([60, 64, 72], 30));
    canvas.ellipse(x, y + size * 0.68, size * 0.2, size * 0.26, light.tint(choose(SUITS, seed + i, 2), 30));
  }
}

function skier(world: World, x: number, z: number, seed: number, lean: number): void {
  const { canvas, light } = world;
  const s = world.scale(z);
  const [px, py] = world.at(x, 0, z);
  const suit = light.tint(choose(SUITS, seed, 1), z);
  const tilt = lean * 0.3 * s;
  world.shadow(x, z, 1.4, 0.6, 0.3);
  canvas.line(
    [px - 0.7 * s, py + 0.04 * s],
    [px + 0.7 * s, py - 0.06 * s * lean],
    Math.max(0.003, 0.1 * s),
    light.tint([40, 44, 60], z),
  );
  canvas.line([px, py], [px + tilt * 0.4, py - 0.8 * s], 0.34 * s, light.tint([44, 48, 58], z));
  canvas.line([px + tilt * 0.4, py - 0.7 * s], [px + tilt, py - 1.4 * s], 0.46 * s, suit);
  canvas.ellipse(px + tilt * 1.1, py - 1.58 * s, 0.16 * s, 0.17 * s, light.tint(choose(SUITS, seed, 4), z));
}
