import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import type { Rgb } from './canvas.ts';
import { house, person } from './props.ts';
import { WALLS } from './roads.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import type { World } from './world.ts';

const YELLOW: Rgb = [240, 180, 40];
const CONCRETE: Rgb = [176, 172, 164];

/** A building under way: shell, crane, excavator, earth. */
export const construction: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, 0.36, 0.5),
    eye: between(random, 6, 10),
    focal: between(random, 0.85, 1.1),
    centre: aspect * 0.5,
  };
  const seed = wholeBetween(random, 1, 1e6);
  const side = random() < 0.5 ? -1 : 1;
  const floors = wholeBetween(random, 3, 6);
  const crane = { x: side * between(random, 13, 18), z: 52, height: between(random, 32, 40) };
  const earth = pick<Rgb>(random, [[158, 124, 88], [176, 150, 112], [134, 106, 82]]); // prettier-ignore
  const z = between(random, 42, 50);
  return {
    view,
    still(world) {
      world.sky(0.5, seed % 97);
      for (let i = -5; i <= 5; i++)
        house(world, {
          x: i * 22,
          z: 150,
          width: 19,
          depth: 10,
          height: 14 + noiseAt(seed, i) * 22,
          colour: WALLS[Math.abs(i) % WALLS.length]!,
          seed: seed + i,
        });
      world.plain(earth, 0.6, 1.4);
      shell(world, -side * 7, z, floors, seed);
      mast(world, crane.x, crane.z, crane.height);
      for (let i = 0; i < 4; i++)
        heap(world, side * (6 + i * 5), 30 - i * 2, 2 + noiseAt(seed, i, 5) * 2, [
          earth[0] * 0.9,
          earth[1] * 0.88,
          earth[2] * 0.85,
        ]);
      for (let i = 0; i < 3; i++)
        world.box({
          x: -side * 9 + i * 0.3,
          z: 20,
          width: 5,
          depth: 1.2,
          base: i * 0.5,
          height: 0.45,
          colour: [170, 128, 84],
        });
      for (let i = -9; i < 9; i++) barrier(world, i * 2.6, 13.5, i);
    },
    moving(world, seconds) {
      const swing = Math.sin(seconds / 40 + (seed % 9));
      jib(world, crane.x, crane.z, crane.height, swing, 6 + 8 * (0.5 + 0.5 * Math.sin(seconds / 17)));
      digger(world, side * 5 + Math.sin(seconds / 25) * 2, 24, Math.sin(seconds / 3), side);
      for (let i = 0; i < 4; i++)
        person(
          world,
          travelled(seconds * (i % 2 ? 1 : -1), 0.9, noiseAt(seed, i, 3) * 20, 20) - 10,
          17 + i,
          4 + 8 * i,
          seconds + i,
        );
    },
  };
};

function shell(world: World, x: number, z: number, floors: number, seed: number): void {
  for (let floor = 0; floor < floors; floor++) {
    const base = floor * 3.4;
    for (let i = -3; i <= 3; i++)
      for (const dz of [5, -5])
        world.box({ x: x + i * 3.4, z: z + dz, width: 0.7, depth: 0.7, base, height: 3, colour: CONCRETE });
    if (floor < floors - 2)
      for (let i = -3; i < 3; i++)
        if (noiseAt(seed, i, floor) < 0.6)
          world.box({
            x: x + i * 3.4 + 1.7,
            z: z - 4.8,
            width: 2.7,
            depth: 0.3,
            base,
            height: 3,
            colour: [190, 108, 82],
          });
    world.box({ x, z, width: 23, depth: 12, base: base + 3, height: 0.4, colour: CONCRETE });
  }
  const top = floors * 3.4;
  for (let i = -3; i <= 3; i++)
    world.box({ x: x + i * 3.4, z: z - 5, width: 0.15, depth: 0.15, base: top, height: 1.6, colour: [140, 84, 60] });
  for (let i = 0; i < 8; i++) {
    const steel = world.light.tint([150, 156, 162], z);
    world.canvas.line(
      world.at(x - 12.6 + i * 0.01, i * 2.2, z - 6.4),
      world.at(x + 12.6, i * 2.2, z - 6.4),
      0.0018,
      steel,
      0.8,
    );
    world.canvas.line(
      world.at(x - 12.6 + i * 3.6, 0, z - 6.4),
      world.at(x - 12.6 + i * 3.6, top * 0.8, z - 6.4),
      0.0025,
      steel,
      0.8,
    );
  }
}

function mast(world: World, x: number, z: number, height: number): void {
  const paint = world.light.tint(YELLOW, z);
  for (const dx of [-0.9, 0.9]) world.canvas.line(world.at(x + dx, 0, z), world.at(x + dx, height, z), 0.005, paint);
  for (let y = 0; y < height - 2; y += 2.2) {
    world.canvas.line(world.at(x - 0.9, y, z), world.at(x + 0.9, y + 2.2, z), 0.003, paint);
    world.canvas.line(world.at(x + 0.9, y, z), world.at(x - 0.9, y + 2.2, z), 0.003, paint);
  }
}

/** The turning arm, foreshortened by its angle, with its load. */
function jib(world: World, x: number, z: number, height: number, swing: number, drop: number): void {
  const { canvas, light } = world;
  const paint = light.tint(YELLOW, z);
  const dark = light.tint([60, 62, 66], z);
  const reach = -Math.sign(x) * (18 + 8 * swing);
  canvas.line(world.at(x - reach * 0.35, height, z), world.at(x + reach, height, z), 0.011, paint);
  canvas.line(world.at(x, height + 5, z), world.at(x + reach * 0.8, height, z), 0.003, dark);
  canvas.line(world.at(x, height + 5, z), world.at(x - reach * 0.33, height, z), 0.003, dark);
  canvas.line(world.at(x, height, z), world.at(x, height + 5, z), 0.008, paint);
  world.box({ x: x - reach * 0.32, z, width: 2.6, depth: 2, base: height - 2.4, height: 2.4, colour: [120, 120, 120] });
  const hook = x + reach * 0.7;
  canvas.line(world.at(hook, height, z), world.at(hook, height - drop, z), 0.0025, dark);
  world.box({ x: hook, z, width: 2.6, depth: 1, base: height - drop - 1.2, height: 1.2, colour: [178, 92, 66] });
  if (light.lamps > 0.2) canvas.glow(...world.at(x + reach, height, z), 0.02, [255, 60, 50], 0.9);
}

function heap(world: World, x: number, z: number, height: number, colour: Rgb): void {
  const width = height * 1.6;
  world.canvas.polygon([world.at(x - width, 0, z), world.at(x - width * 0.3, height * 0.8, z), world.at(x + width * 0.1, height, z), world.at(x + width, 0, z)], world.light.ground(colour, z)); // prettier-ignore
}

function barrier(world: World, x: number, z: number, i: number): void {
  for (let k = 0; k < 4; k++)
    world.box({ x: x + (k - 1.5) * 0.6, z, width: 0.6, depth: 0.1, base: 0.6, height: 0.35, colour: (i + k) % 2 ? [222, 58, 46] : [240, 240, 236] }); // prettier-ignore
  world.box({ x: x - 0.9, z, width: 0.1, depth: 0.3, height: 0.7, colour: [90, 90, 92] });
}

function digger(world: World, x: number, z: number, lift: number, side: number): void {
  const { canvas, light } = world;
  world.shadow(x, z, 5, 2.4, 0.45);
  for (const dz of [0.9, -0.9]) world.box({ x, z: z + dz, width: 4, depth: 0.7, height: 0.9, colour: [52, 52, 54] });
  world.box({ x, z, width: 3, depth: 2.2, base: 0.95, height: 1.2, colour: YELLOW });
  world.box({
    x: x + side * 0.6,
    z: z - 0.5,
    width: 1.3,
    depth: 1.2,
    base: 2.1,
    height: 1.3,
    colour: [70, 90, 104],
    top: YELLOW,
  });
  const paint = light.tint(YELLOW, z);
  const elbow = world.at(x - side * 3.2, 4.2 + lift * 0.5, z - 0.6);
  const bucket = world.at(x - side * 5.2, 1.2 + lift * 0.8, z - 0.6);
  canvas.line(world.at(x - side * 0.8, 1.8, z - 0.6), elbow, 0.55 * world.scale(z), paint);
  canvas.line(elbow, bucket, 0.42 * world.scale(z), paint);
  canvas.ellipse(bucket[0], bucket[1], 0.7 * world.scale(z), 0.55 * world.scale(z), light.tint([80, 80, 82], z));
}
