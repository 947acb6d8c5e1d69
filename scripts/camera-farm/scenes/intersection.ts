import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import { house, lamp, person, tree } from './props.ts';
import { ASPHALT, dashes, GRASS, trafficLight, WALLS, zebra } from './roads.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import type { Vehicle } from './vehicles.ts';
import { vehicle } from './vehicles.ts';
import type { World } from './world.ts';

const REACH = 110;

/** Two roads that cross, seen from a mast or a roof. */
export const intersection: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, -0.12, 0.08),
    eye: between(random, 10, 15),
    focal: between(random, 0.95, 1.25),
    centre: aspect * between(random, 0.4, 0.6),
  };
  const half = pick(random, [3.6, 6.6]);
  const cross = pick(random, [3.6, 6.6]);
  const x = between(random, -5, 5);
  const z = between(random, 24, 30);
  const asphalt = pick(random, ASPHALT);
  const corner = random() < 0.5 ? pick(random, GRASS) : ([166, 160, 150] as const);
  const seed = wholeBetween(random, 1, 1e6);
  return {
    view,
    still(world) {
      world.sky(0.4, seed % 97);
      world.plain(corner, 0.35, 2);
      blocks(world, x, z, half, cross, seed);
      const road = world.surface(asphalt, 0.15, 1.2, true);
      world.strip(x - half - 2.2, x + half + 2.2, 1, 300, world.light.ground([178, 172, 164], z));
      world.strip(x - 200, x + 200, z - cross - 2.2, z + cross + 2.2, world.light.ground([178, 172, 164], z));
      world.strip(x - half, x + half, 1, 300, road);
      world.strip(x - 200, x + 200, z - cross, z + cross, road);
      for (const side of [-1, 1]) {
        dashes(world, [x, z + side * (cross + 5)], [x, z + side * (cross + 45)]);
        dashes(world, [x + side * (half + 5), z], [x + side * (half + 65), z]);
        zebra(world, x, z + side * (cross + 2.2), half * 2, 3, 'z');
        zebra(world, x + side * (half + 2.2), z, 3, cross * 2, 'x');
      }
      for (const side of [-1, 1]) lamp(world, x + side * (half + 3), z + cross + 4, 8, -side * 2);
    },
    moving(world, seconds) {
      const green = Math.floor(seconds / 20) % 2;
      for (const side of [-1, 1]) trafficLight(world, x + side * (half + 1.4), z + cross + 1.2, green === 0 ? 0 : 2);
      traffic(world, { x, z, half, cross, seed, green, seconds });
      for (const side of [-1, 1]) trafficLight(world, x + side * (half + 1.4), z - cross - 1.2, green === 0 ? 2 : 0);
    },
  };
};

interface Traffic {
  x: number;
  z: number;
  half: number;
  cross: number;
  seed: number;
  green: number;
  seconds: number;
}

/** One road moves, the other waits at its line. */
function traffic(world: World, { x, z, half, cross, seed, green, seconds }: Traffic): void {
  const cars: Vehicle[] = [];
  const lane = (width: number, i: number) => (width > 4 ? (i % 2 === 0 ? 1.7 : 4.9) : 1.8);
  for (let i = 0; i < 9; i++) {
    const side = i % 3 === 0 ? 1 : -1;
    const chance = noiseAt(seed, i, Math.floor(seconds / 40));
    if (chance < 0.25) continue;
    const wayZ = green === 0 ? travelled(seconds * side, 9, noiseAt(seed, i) * REACH, REACH) : waiting(side, cross, i);
    const wayX =
      green === 1
        ? travelled(seconds * side, 9, noiseAt(seed, i, 5) * REACH, REACH) - REACH / 2
        : waiting(side, half, i) - z;
    if (wayZ > world.nearest + 3 && (green === 0 || Math.abs(wayZ - z) > cross))
      cars.push({ x: x + side * lane(half, i), z: wayZ, heading: side > 0 ? 'away' : 'towards', seed: seed + i });
    cars.push({ x: x + wayX, z: z - side * lane(cross, i), heading: side > 0 ? 'right' : 'left', seed: seed + i + 40 });
  }
  const walkers = [0, 1, 2, 3].map((i) => ({
    at: travelled(seconds, 1.3, noiseAt(seed, i, 7) * 30, half * 2 + 8) - half - 4,
    i,
  }));
  for (const car of cars.sort((a, b) => b.z - a.z)) vehicle(world, car);
  for (const { at, i } of walkers)
    if (green === 1 || Math.abs(at) > half + 1) person(world, x + at, z - cross - 1.6 - (i % 2), seed + i, seconds + i);

  function waiting(side: number, clear: number, i: number): number {
    return z - side * (clear + 6.5 + Math.floor(i / 3) * 6.2);
  }
}

function blocks(world: World, x: number, z: number, half: number, cross: number, seed: number): void {
  for (let i = 2; i >= 0; i--)
    for (const side of [-1, 1]) {
      const width = 13 + noiseAt(seed, i, side) * 8;
      const depth = 14;
      const at = { x: x + side * (half + 6 + width / 2), z: z + cross + 12 + i * 17 };
      if (noiseAt(seed, i, side + 9) < 0.22) tree(world, at.x - side * width * 0.3, at.z, 7, seed + i);
      else house(world, { ...at, width, depth, height: 7 + noiseAt(seed, i, side + 3) * 9, colour: WALLS[(seed + i * 3 + side + 1) % WALLS.length]!, seed: seed + i }); // prettier-ignore
    }
  for (const side of [-1, 1]) tree(world, x + side * (half + 6), z + cross + 7, 5, seed + side);
}
