import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import type { Point, Rgb } from './canvas.ts';
import { house } from './props.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import { vehicle } from './vehicles.ts';
import type { World } from './world.ts';

const LIVERIES: readonly Rgb[] = [[34, 74, 142], [196, 48, 52], [236, 160, 44], [40, 128, 108], [98, 64, 140]]; // prettier-ignore

/** Apron and runway with airliners. */
export const airport: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, 0.3, 0.42),
    eye: between(random, 10, 16),
    focal: between(random, 0.9, 1.2),
    centre: aspect * 0.5,
  };
  const seed = wholeBetween(random, 1, 1e6);
  const side = random() < 0.5 ? -1 : 1;
  const stands = wholeBetween(random, 2, 3);
  const concrete = pick<Rgb>(random, [[172, 172, 168], [150, 152, 154], [184, 178, 168]]); // prettier-ignore
  return {
    view,
    still(world) {
      world.sky(0.5, seed % 97);
      world.ridge(view.horizon, 0.05, 2, seed % 59, [96, 116, 106], 600);
      world.plain([118, 134, 82], 0.35, 6);
      world.strip(-700, 700, 130, 172, world.surface([92, 94, 98], 0.1, 4, true));
      for (let x = -200; x < 200; x += 16) world.strip(x, x + 8, 150, 152, world.light.tint([230, 230, 226], 150));
      world.strip(-700, 700, 1, 88, world.surface(concrete, 0.12, 3, true));
      world.strip(-400, 400, 30, 30.7, world.light.tint([232, 196, 60], 30));
      tower(world, side * 46, 118);
      house(world, {
        x: side * -48,
        z: 104,
        width: 70,
        depth: 12,
        height: 11,
        colour: [196, 202, 208],
        seed,
        storey: 5,
      });
      for (let i = stands - 1; i >= 0; i--) {
        const z = 48 + i * 4;
        const x = (i - (stands - 1) / 2) * 42 + side * -6;
        for (let k = 0; k < 5; k++)
          world.strip(x - 1, x - 0.6, z - 16 + k * 2, z - 15 + k * 2, world.light.tint([232, 196, 60], z));
        airliner(world, x, 0, z, noiseAt(seed, i, 2) < 0.5 ? 1 : -1, seed + i);
      }
      if (world.light.lamps > 0.2)
        for (let x = -150; x < 150; x += 12)
          world.canvas.glow(...world.at(x, 0.5, 128), 0.014, [255, 240, 200], world.light.lamps);
    },
    moving(world, seconds) {
      const cycle = travelled(seconds, 1, seed % 120, 120);
      const x = (cycle - 40) * 9 - 150;
      const climb = Math.max(0, (cycle - 55) * 2.6) ** 1.05;
      airliner(world, x, climb, 150, 1, seed + Math.floor((seconds + (seed % 120)) / 120));
      for (let i = 0; i < 3; i++)
        vehicle(world, { x: travelled(seconds * (i % 2 ? 1 : -1), 5, noiseAt(seed, i, 9) * 90, 90) - 45, z: 24 + i * 2.6, heading: i % 2 ? 'right' : 'left', seed: seed + i, kind: i === 1 ? 'bus' : 'van' }); // prettier-ignore
    },
  };
};

/** From the side, nose to the right (1) or left (-1). */
function airliner(world: World, x: number, altitude: number, z: number, nose: 1 | -1, seed: number): void {
  const { canvas, light } = world;
  const s = world.scale(z);
  const [px, py] = world.at(x, altitude + 3.4, z);
  const paint = light.tint([238, 240, 242], z);
  const livery = light.tint(LIVERIES[seed % LIVERIES.length] as Rgb, z);
  const at = (dx: number, dy: number): Point => [px + nose * dx * s, py - dy * s];
  if (altitude < 4) world.shadow(x, z, 34, 8, 0.4);
  canvas.polygon([at(-17, 1), at(-19.5, 8.6), at(-15.5, 8.6), at(-10, 1.8)], livery);
  canvas.polygon([at(-19, 1.2), at(-15, 2), at(12, 2.1), at(16.5, 1), at(18.5, -0.2), at(16, -1.5), at(11, -2), at(-11, -2), at(-17, 0)], paint); // prettier-ignore
  canvas.polygon([at(-19, 1.2), at(-12, 0.4), at(17, -0.4), at(18.2, -0.6), at(16, -1.5), at(11, -2), at(-11, -2), at(-17, 0)], light.tint([196, 200, 206], z)); // prettier-ignore
  for (let k = 0; k < 20; k++) canvas.ellipse(...at(-11 + k * 1.25, 0.75), 0.26 * s, 0.3 * s, light.lamps > 0.4 ? [250, 226, 160] : light.tint([64, 76, 92], z)); // prettier-ignore
  canvas.polygon([at(15.4, 1.3), at(16.6, 0.8), at(15.8, 0.4), at(14.6, 0.7)], light.tint([48, 58, 72], z));
  canvas.polygon([at(4, -1), at(-4, -4.2), at(-7, -4.2), at(-3, -0.8)], light.tint([168, 174, 182], z));
  canvas.ellipse(...at(1.5, -2.8), 2 * s, 0.95 * s, livery);
  canvas.polygon([at(-15, 1.4), at(-19, 2.8), at(-20.5, 2.8), at(-18, 1.2)], light.tint([176, 182, 190], z));
  if (altitude < 2)
    for (const dx of [-2, 13]) canvas.line(at(dx, -1.8), at(dx, -3.3), 0.8 * s, light.tint([44, 44, 48], z));
  if (light.lamps > 0.2) canvas.glow(...at(-19, 8), 0.03, [255, 60, 60], light.lamps * 0.8);
}

function tower(world: World, x: number, z: number): void {
  world.box({ x, z, width: 5, depth: 5, height: 24, colour: [204, 204, 198] });
  world.box({ x, z, width: 9, depth: 9, base: 24, height: 1.4, colour: [180, 180, 176] });
  world.box({ x, z, width: 8, depth: 8, base: 25.4, height: 3.4, colour: [70, 100, 118] });
  world.box({ x, z, width: 9.4, depth: 9.4, base: 28.8, height: 1, colour: [214, 214, 210] });
  const [px, py] = world.at(x, 31, z);
  world.canvas.glow(px, py, 0.03, [255, 70, 60], 0.9);
}
