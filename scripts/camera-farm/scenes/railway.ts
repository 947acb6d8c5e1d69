import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import type { Rgb } from './canvas.ts';
import { bush, house, person } from './props.ts';
import { GRASS, WALLS } from './roads.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import type { World } from './world.ts';

const TRACK = 4.6;

/** Tracks under wires, a platform, and now and then a train. */
export const railway: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, 0.26, 0.4),
    eye: between(random, 6, 9.5),
    focal: between(random, 0.85, 1.15),
    centre: aspect * between(random, 0.38, 0.62),
  };
  const seed = wholeBetween(random, 1, 1e6);
  const tracks = wholeBetween(random, 2, 4);
  const side = random() < 0.5 ? -1 : 1;
  const train = pick<Rgb>(random, [[196, 44, 48], [44, 96, 160], [70, 132, 96], [226, 176, 60]]); // prettier-ignore
  const half = (tracks * TRACK) / 2;
  const xOf = (track: number) => (track + 0.5) * TRACK - half;
  const platform = side * (half + 2.6);
  return {
    view,
    still(world) {
      world.sky(0.5, seed % 97);
      world.ridge(view.horizon, 0.06, 4, seed % 43, [96, 116, 98], 400);
      world.plain(GRASS[seed % GRASS.length] as Rgb, 0.45, 2);
      for (let i = 5; i >= 0; i--)
        house(world, {
          x: -side * (half + 16),
          z: 30 + i * 20,
          width: 14,
          depth: 15,
          height: 6 + noiseAt(seed, i) * 9,
          colour: WALLS[(seed + i) % WALLS.length]!,
          seed: seed + i,
        });
      for (let i = 12; i >= 0; i--) bush(world, -side * (half + 5), 12 + i * 6, 2.2, seed + i, [92, 112, 66]);
      world.strip(-half - 1.2, half + 1.2, 1, 400, world.surface([138, 126, 116], 0.6, 0.35));
      for (let track = 0; track < tracks; track++) rails(world, xOf(track));
      stop(world, platform, side);
      for (let z = 110; z > 8; z -= 22) portal(world, half, z);
    },
    moving(world, seconds) {
      const cycle = travelled(seconds, 1, seed % 150, 150);
      const track = seed % tracks;
      if (cycle < 90) coaches(world, xOf(track), 110 - cycle * 2.4, train, seed);
      for (let i = 5; i >= 0; i--) {
        const z = 12 + i * 5 + noiseAt(seed, i, Math.floor(seconds / 150)) * 3;
        person(world, platform + side * (noiseAt(seed, i, 4) * 2 - 0.6), z, seed + i, i % 2 ? seconds : 0);
      }
    },
  };
};

function rails(world: World, x: number): void {
  for (let z = 60; z > 5; z -= z > 30 ? 1.4 : 0.75)
    world.strip(x - 1.3, x + 1.3, z, z + 0.28, world.light.ground([104, 90, 78], z));
  for (const dx of [-0.72, 0.72])
    world.strip(x + dx - 0.06, x + dx + 0.06, 1, 300, world.light.tint([186, 186, 190], 20));
}

function stop(world: World, x: number, side: number): void {
  world.box({ x, z: 45, width: 4.4, depth: 74, height: 0.25, colour: [186, 180, 170] });
  world.strip(x - side * 1.8 - 0.12, x - side * 1.8 + 0.12, 8, 82, world.light.tint([240, 240, 236], 25));
  for (let z = 74; z > 20; z -= 9)
    world.box({ x: x + side * 0.9, z, width: 0.25, depth: 0.25, height: 3.6, colour: [92, 98, 104] });
  world.box({
    x: x + side * 0.4,
    z: 47,
    width: 4,
    depth: 56,
    base: 3.6,
    height: 0.3,
    colour: [120, 128, 134],
    top: [146, 154, 158],
  });
}

function portal(world: World, half: number, z: number): void {
  const { canvas, light } = world;
  const paint = light.tint([112, 118, 120], z);
  const thick = Math.max(0.003, 0.22 * world.scale(z));
  for (const x of [-half - 0.8, half + 0.8]) canvas.line(world.at(x, 0, z), world.at(x, 7, z), thick, paint);
  canvas.line(world.at(-half - 0.8, 6.8, z), world.at(half + 0.8, 6.8, z), thick, paint);
  for (let x = -half + TRACK / 2; x < half; x += TRACK)
    canvas.line(world.at(x, 5.6, z), world.at(x, 5.6, z + 22), 0.0018, light.tint([50, 52, 56], z), 0.8);
}

/** Comes from far to near: the first coach shows its face. */
function coaches(world: World, x: number, front: number, colour: Rgb, seed: number): void {
  const lit = world.light.lamps > 0.3;
  const nearest = world.nearest * 0.6;
  for (let i = 4; i >= 0; i--) {
    const z = front + i * 17 + 8;
    if (z - 8 < nearest) continue;
    world.box({ x, z, width: 2.9, depth: 16.4, base: 0.6, height: 3.3, colour, top: [150, 154, 158] });
    for (let k = 7; k >= 0; k--) {
      const [near, far] = [z - 7.6 + k * 1.95, z - 6.2 + k * 1.95];
      const wall = x > 0 ? x - 1.46 : x + 1.46;
      const pane: Rgb = lit ? [255, 224, 156] : world.light.tint([52, 66, 82], z);
      if (near > 1) world.canvas.polygon([world.at(wall, 2.1, near), world.at(wall, 2.1, far), world.at(wall, 3.3, far), world.at(wall, 3.3, near)], pane); // prettier-ignore
    }
  }
  // The nearest coach that is still in the picture shows its face.
  const passed = Math.max(0, Math.ceil((nearest - front) / 17));
  if (passed > 4) return;
  const face = front + passed * 17 - 0.25;
  const [px, py] = world.at(x - 1.1, 3.6, face);
  world.canvas.rect(px, py, 2.2 * world.scale(face), 1.2 * world.scale(face), world.light.tint([48, 62, 78], face));
  for (const dx of [-1, 1])
    world.canvas.glow(...world.at(x + dx, 1.4, face), Math.max(0.02, 0.8 * world.scale(face)), [255, 246, 214], 0.8);
  world.canvas.rect(
    ...world.at(x - 1.4, 2.2, face),
    2.8 * world.scale(face),
    0.25 * world.scale(face),
    world.light.tint([240, 238, 230], face + (seed % 2)),
  );
}
