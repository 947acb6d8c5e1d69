import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import type { Point, Rgb } from './canvas.ts';
import { cloudNoise, mix, scaled } from './canvas.ts';
import { bush } from './props.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import type { World } from './world.ts';

/** Trunk behind trunk, undergrowth and a trail; sometimes a deer. */
export const forest: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, 0.46, 0.58),
    eye: between(random, 1.6, 2.6),
    focal: between(random, 0.9, 1.1),
    centre: aspect * between(random, 0.3, 0.7),
  };
  const seed = wholeBetween(random, 1, 1e6);
  const leaf = pick<Rgb>(random, [[70, 116, 54], [96, 132, 58], [160, 104, 44], [50, 92, 62]]); // prettier-ignore
  const bark = pick<Rgb>(random, [[92, 70, 54], [110, 98, 84], [206, 202, 192]]); // prettier-ignore
  const floor = pick<Rgb>(random, [[108, 92, 58], [92, 108, 60], [134, 98, 60]]); // prettier-ignore
  const trail = random() < 0.6;
  return {
    view,
    still(world) {
      canopy(world, leaf, seed);
      world.plain(floor, 0.7, 0.6);
      if (trail) path(world, seed);
      for (let i = 60; i >= 0; i--) {
        const z = 4.4 + (i / 60) ** 1.6 * 46;
        const x = (noiseAt(seed, i) - 0.5) * (z * 1.7 + 3);
        if (trail && Math.abs(x) < 1.7 && z < 22) continue;
        trunk(world, x, z, 0.16 + noiseAt(seed, i, 2) * 0.2, bark, seed + i);
        if (i % 3 === 0) bush(world, x + 0.9, z - 0.4, 0.9, seed + i, scaled(leaf, 0.85));
      }
      leaves(world, leaf, seed);
    },
    moving(world, seconds) {
      const visit = Math.floor(seconds / 120);
      if (noiseAt(seed, visit, 6) < 0.45) deer(world, travelled(seconds, 0.35, seed % 10, 10) - 5, 9.5, seconds);
      for (let i = 0; i < 5; i++) {
        const x = noiseAt(seed, i, visit) * world.right + Math.sin(seconds / 4 + i) * 0.05;
        const y = 0.3 + travelled(seconds, 0.03, noiseAt(seed, i, 8), 0.6);
        world.canvas.ellipse(x, y, 0.006, 0.004, world.light.tint(mix(leaf, [220, 190, 80], 0.5), 5));
      }
    },
  };
};

function canopy(world: World, leaf: Rgb, seed: number): void {
  const { canvas, light } = world;
  const far = light.ground(scaled(leaf, 1.25), 60);
  const near = light.ground(scaled(leaf, 0.5), 20);
  const bright = mix(light.skyLow, far, 0.25);
  canvas.band(0, Math.min(1, world.view.horizon + 0.02), (x, y, out) => {
    const tuft = cloudNoise(x * 14 + seed, y * 11);
    const gap = Math.max(0, cloudNoise(x * 6, y * 6 + seed) - 0.52) * 3.4 * y;
    const tone = mix(mix(near, far, tuft), bright, Math.min(0.9, gap));
    [out[0], out[1], out[2]] = tone;
  });
}

function trunk(world: World, x: number, z: number, radius: number, bark: Rgb, seed: number): void {
  const { canvas, light } = world;
  const lean = (noiseAt(seed, 5) - 0.5) * 0.8;
  const paint = light.tint(scaled(bark, 0.75 + noiseAt(seed, 6) * 0.4), z * 3);
  const foot = (dx: number): Point => world.at(x + dx * 1.25, 0, z);
  const head = (dx: number): Point => world.at(x + lean + dx * 0.8, 9, z);
  world.shadow(x, z, radius * 5, 0.8, 0.4);
  canvas.polygon([foot(-radius), head(-radius), head(radius), foot(radius)], paint);
  canvas.polygon([foot(radius * 0.25), head(radius * 0.25), head(radius), foot(radius)], scaled(paint, 0.72), 0.7);
  if (bark[0] > 180)
    for (let k = 0; k < 5; k++) canvas.line(world.at(x - radius, 0.6 + k * 0.9, z), world.at(x + radius * 0.2, 0.65 + k * 0.9, z), 0.004, light.tint([52, 48, 46], z)); // prettier-ignore
}

/** The nearest boughs hang into the picture from above. */
function leaves(world: World, leaf: Rgb, seed: number): void {
  for (let i = 0; i < 46; i++) {
    const x = noiseAt(seed, i, 11) * world.right;
    const y = noiseAt(seed, i, 12) ** 2 * 0.24;
    const size = 0.025 + noiseAt(seed, i, 13) * 0.045;
    world.canvas.ellipse(
      x,
      y,
      size * 1.3,
      size,
      world.light.ground(scaled(leaf, 0.55 + noiseAt(seed, i, 14) * 0.55), 6),
      0.9,
    );
  }
}

function path(world: World, seed: number): void {
  const left: Point[] = [];
  const right: Point[] = [];
  for (let z = world.nearest * 0.85; z < 60; z *= 1.08) {
    const bend = Math.sin(z / 9 + seed) * (z / 14);
    left.push(world.at(bend - 0.9, 0, z));
    right.push(world.at(bend + 0.9, 0, z));
  }
  world.canvas.polygon([...left, ...right.reverse()], world.surface([164, 136, 98], 0.3, 0.4));
}

function deer(world: World, x: number, z: number, seconds: number): void {
  const coat: Rgb = [150, 102, 64];
  const { canvas, light } = world;
  const s = world.scale(z);
  const [px, py] = world.at(x, 0, z);
  const paint = light.tint(coat, z);
  for (const dx of [-0.5, -0.35, 0.35, 0.5])
    canvas.line(
      [px + dx * s, py - 0.7 * s],
      [px + (dx + Math.sin(seconds * 2 + dx * 9) * 0.06) * s, py],
      0.08 * s,
      paint,
    );
  canvas.ellipse(px, py - 0.85 * s, 0.68 * s, 0.27 * s, paint);
  canvas.line([px + 0.5 * s, py - 0.95 * s], [px + 0.8 * s, py - 1.4 * s], 0.2 * s, paint);
  canvas.ellipse(px + 0.9 * s, py - 1.45 * s, 0.2 * s, 0.12 * s, paint);
  for (const dx of [-0.12, 0.1])
    canvas.line(
      [px + 0.82 * s, py - 1.52 * s],
      [px + (0.82 + dx) * s, py - 1.95 * s],
      0.035 * s,
      light.tint([110, 90, 70], z),
    );
}
