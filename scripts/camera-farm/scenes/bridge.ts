import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import type { Point, Rgb } from './canvas.ts';
import { mix, scaled } from './canvas.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import { sailboat, waterSurface } from './water.ts';
import type { World } from './world.ts';

interface Span {
  z: number;
  deck: number;
  towers: readonly number[];
  towerHeight: number;
  colour: Rgb;
  kind: 'suspension' | 'arch';
}

/** A bridge over water, from the bank. */
export const bridge: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, 0.58, 0.68),
    eye: between(random, 6, 12),
    focal: 1,
    centre: aspect * between(random, 0.4, 0.6),
  };
  const seed = wholeBetween(random, 1, 1e6);
  const z = between(random, 90, 130);
  const gap = between(random, 42, 60);
  const shift = between(random, -14, 14);
  const colour = pick<Rgb>(random, [[176, 66, 50], [136, 142, 150], [104, 122, 112], [196, 190, 178]]); // prettier-ignore
  const kind = random() < 0.6 ? ('suspension' as const) : ('arch' as const);
  const span: Span = {
    z,
    deck: between(random, 17, 23),
    towers: [shift - gap, shift + gap],
    towerHeight: between(random, 42, 54),
    colour,
    kind,
  };
  return {
    view,
    still(world) {
      world.sky(0.5, seed % 97);
      world.ridge(view.horizon, 0.12, 3, seed % 61, [92, 112, 104], 520);
      waterSurface(world, view.horizon, [56, 96, 118]);
      if (span.kind === 'suspension') cables(world, span);
      else arches(world, span);
      world.box({
        x: shift,
        z,
        width: 420,
        depth: 9,
        base: span.deck - 1.6,
        height: 1.6,
        colour: scaled(colour, 0.85),
      });
      for (let x = -160; x < 160; x += 4)
        world.box({ x, z: z - 4.5, width: 0.25, depth: 0.2, base: span.deck, height: 1.1, colour: [170, 172, 174] });
      bankOf(world);
    },
    moving(world, seconds) {
      for (let i = 0; i < 12; i++) {
        const x = travelled(seconds * (i % 2 ? 1 : -1), 14, noiseAt(seed, i) * 300, 300) - 150;
        const paint: Rgb = [
          60 + noiseAt(seed, i, 1) * 180,
          60 + noiseAt(seed, i, 2) * 150,
          60 + noiseAt(seed, i, 3) * 160,
        ];
        world.box({
          x,
          z: z - 4.6,
          width: i % 5 === 0 ? 10 : 4.6,
          depth: 1,
          base: span.deck + 0.2,
          height: i % 5 === 0 ? 3.4 : 1.7,
          colour: paint,
        });
        const [px, py] = world.at(x + (i % 2 ? 2.4 : -2.4), span.deck + 0.9, z);
        if (world.light.lamps > 0.1) world.canvas.glow(px, py, 0.022, [255, 236, 190], world.light.lamps * 0.9);
      }
      sailboat(world, travelled(seconds, 2, seed % 120, 120) - 60, 62, 8, seed);
    },
  };
};

function cables(world: World, { z, deck, towers, towerHeight, colour }: Span): void {
  const paint = world.light.tint(colour, z);
  const [left, right] = towers as [number, number];
  const half = (right - left) / 2;
  const height = (x: number): number => {
    const share = Math.abs(x - (left + half)) / half;
    return share <= 1
      ? deck + 2 + (towerHeight - deck - 3) * share ** 2
      : Math.max(deck, towerHeight - 1 - (share - 1) * half * 0.5);
  };
  for (const x of towers)
    for (const dz of [3, -3]) world.box({ x, z: z + dz, width: 3.4, depth: 2, height: towerHeight, colour });
  let last: Point | undefined;
  for (let x = left - half * 1.6; x <= right + half * 1.6; x += 2) {
    const point = world.at(x, height(x), z);
    if (last) world.canvas.line(last, point, 0.0055, paint);
    world.canvas.line(point, world.at(x, deck, z), 0.0018, paint, 0.8);
    if (world.light.lamps > 0.3 && Math.round(x) % 3 === 0)
      world.canvas.glow(point[0], point[1], 0.012, [255, 220, 150], 0.8);
    last = point;
  }
}

function arches(world: World, { z, deck, towers, colour }: Span): void {
  const paint = mix(world.light.tint(colour, z), [0, 0, 0], 0.08);
  const pitch = ((towers[1] as number) - (towers[0] as number)) * 0.5;
  for (let k = -4; k <= 4; k++) {
    const from = (towers[0] as number) + k * pitch;
    const outline: Point[] = [world.at(from, deck, z), world.at(from, 0, z), world.at(from + 3, 0, z)];
    for (let i = 0; i <= 20; i++)
      outline.push(world.at(from + 3 + (pitch - 6) * (i / 20), (deck - 4) * Math.sin((i / 20) * Math.PI) ** 0.6, z));
    outline.push(world.at(from + pitch - 3, 0, z), world.at(from + pitch, 0, z), world.at(from + pitch, deck, z));
    world.canvas.polygon(outline, paint);
  }
}

function bankOf(world: World): void {
  const { canvas, light, right } = world;
  canvas.polygon([[0, 0.93], [right * 0.3, 0.9], [right * 0.7, 0.955], [right, 0.92], [right, 1], [0, 1]], light.ground([96, 112, 70], 8)); // prettier-ignore
}
