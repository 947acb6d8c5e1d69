import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import type { Point, Rgb } from './canvas.ts';
import { cloudNoise, mix, scaled, smoothNoise } from './canvas.ts';
import { cloud, house, pine } from './props.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import type { World } from './world.ts';

/** Peaks above a valley. */
export const mountain: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, 0.6, 0.74),
    eye: between(random, 5, 14),
    focal: 1.1,
    centre: aspect * between(random, 0.3, 0.7),
  };
  const seed = wholeBetween(random, 1, 1e6);
  const rock = pick<Rgb>(random, [[116, 118, 132], [132, 120, 112], [98, 106, 118]]); // prettier-ignore
  const meadow = pick<Rgb>(random, [[104, 138, 78], [126, 142, 86], [142, 134, 92]]); // prettier-ignore
  const snowLine = between(random, 0.18, 0.42);
  const peak = between(random, 0.42, 0.56);
  const hut = random() < 0.6 ? between(random, -12, 12) : undefined;
  return {
    view,
    still(world) {
      world.sky(0.45, seed % 83);
      massif(world, view.horizon, peak * 0.75, seed + 5, scaled(rock, 1.15), snowLine, 1100);
      massif(world, view.horizon, peak, seed, rock, snowLine, 420);
      world.ridge(view.horizon + 0.02, 0.16, 4, seed % 71, [62, 88, 66], 220);
      world.plain(meadow, 0.55, 4);
      for (let i = 40; i > 0; i--) {
        const z = 18 + i * 4 + noiseAt(seed, i) * 3;
        const x = (noiseAt(seed, i, 2) - 0.5) * z * 1.6;
        if (Math.abs(x - (hut ?? 1e9)) > 7 || z > 42) pine(world, x, z, 6 + noiseAt(seed, i, 3) * 6, seed + i);
      }
      if (hut !== undefined)
        house(world, {
          x: hut,
          z: 38,
          width: 9,
          depth: 7,
          height: 3.4,
          roof: 3,
          colour: [132, 94, 62],
          roofColour: [92, 70, 58],
          seed,
        });
    },
    moving(world, seconds) {
      if (world.light.weather === 'fog') return;
      for (let i = 0; i < 3; i++) {
        const x = travelled(seconds, 0.0012 + i * 0.0005, noiseAt(seed, i, 9) * 2.4, world.right + 1) - 0.5;
        cloud(world, x, 0.08 + noiseAt(seed, i, 4) * 0.16, 0.12 + noiseAt(seed, i, 5) * 0.12, seed + i);
      }
    },
  };
};

function massif(
  world: World,
  base: number,
  rise: number,
  seed: number,
  rock: Rgb,
  snowLine: number,
  metres: number,
): void {
  const { canvas, light } = world;
  const crest = (x: number) => base - rise * (0.25 + 0.75 * ridged(x * 1.5 + (seed % 53), seed % 31));
  const points: Point[] = [[0, base + 0.05]];
  for (let x = 0; x <= world.right + 0.01; x += 0.012) points.push([x, crest(x)]);
  points.push([world.right, base + 0.05]);
  const lit = light.ground(scaled(rock, 1.2), metres);
  const shade = light.ground(scaled(rock, 0.66), metres);
  const snow = light.tint([240, 244, 250], metres * 0.6);
  canvas.polygon(points, (x, y, out) => {
    const fold = cloudNoise(x * 9 + y * 5 + seed * 0.13, y * 7 - x * 3);
    const white = y < base - rise + snowLine * (0.55 + fold) * rise * 2;
    const face = Math.max(0, Math.min(1, (fold - 0.36) * 3.2));
    const tone = white ? mix(scaled(snow, 0.74), snow, face) : mix(shade, lit, face);
    [out[0], out[1], out[2]] = tone;
  });
}

/** Noise with sharp crests, 0 to 1. */
function ridged(x: number, y: number): number {
  const fold = (at: number, along: number) => 1 - Math.abs(2 * smoothNoise(at, along) - 1);
  return Math.min(1, fold(x, y) * 0.62 + fold(x * 2.3 + 9, y + 3) * 0.26 + fold(x * 5.1, y + 8) * 0.12);
}
