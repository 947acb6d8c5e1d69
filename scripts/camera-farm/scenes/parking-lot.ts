import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import { house, lamp, tree } from './props.ts';
import { ASPHALT, GRASS, WALLS } from './roads.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import { vehicle } from './vehicles.ts';
import type { World } from './world.ts';

const STALL = 2.6;
const PITCH = 11.4;

/** Rows of stalls, some of them taken; who is parked changes with the hours. */
export const parkingLot: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, 0.02, 0.2),
    eye: between(random, 9, 14),
    focal: between(random, 0.9, 1.15),
    centre: aspect * between(random, 0.4, 0.6),
  };
  const seed = wholeBetween(random, 1, 1e6);
  const asphalt = pick(random, ASPHALT);
  const rows = wholeBetween(random, 3, 4);
  const busy = between(random, 0.35, 0.85);
  const shop = pick(random, WALLS);
  const first = between(random, 16, 20);
  const far = first + rows * PITCH;
  return {
    view,
    still(world) {
      world.sky(0.4, seed % 97);
      world.plain(pick2(seed), 0.4, 2);
      house(world, {
        x: (seed % 30) - 15,
        z: far + 18,
        width: 46,
        depth: 16,
        height: 6.5,
        colour: shop,
        seed,
        storey: 4,
      });
      world.strip(-34, 34, 1, far + 6, world.surface(asphalt, 0.16, 1.2, true));
      for (let i = -4; i <= 4; i++) tree(world, i * 9, far + 8, 5, seed + i);
      for (let row = rows - 1; row >= 0; row--) stalls(world, first + row * PITCH);
      for (let row = rows - 1; row >= 0; row--) lamp(world, row % 2 ? -14 : 13, first + row * PITCH + 2.6, 7, 0);
    },
    moving(world, seconds) {
      for (let row = rows - 1; row >= 0; row--) {
        const z = first + row * PITCH;
        if (row === 1)
          vehicle(world, {
            x: travelled(seconds, 4, seed % 60, 60) - 30,
            z: z + 5.6,
            heading: 'right',
            seed: seed + 900,
          });
        parked(world, z, row, seed, busy, seconds);
      }
    },
  };
};

const pick2 = (seed: number) => GRASS[seed % GRASS.length] as (typeof GRASS)[number];

function stalls(world: World, z: number): void {
  const paint = world.light.tint([226, 226, 220], z);
  for (let i = -11; i <= 11; i++) world.strip(i * STALL - 0.06, i * STALL + 0.06, z - 2.6, z + 2.6, paint, 0.85);
  world.strip(-11 * STALL, 11 * STALL, z + 2.5, z + 2.64, paint, 0.85);
}

/** Every stall decides anew each quarter of an hour, at a moment of its own. */
function parked(world: World, z: number, row: number, seed: number, busy: number, seconds: number): void {
  for (let i = -11; i < 11; i++) {
    const turn = Math.floor(seconds / 900 + noiseAt(seed, i, row));
    if (noiseAt(seed + row * 31, i, turn) > busy) continue;
    vehicle(world, { x: (i + 0.5) * STALL, z, heading: noiseAt(seed, i, row + 7) < 0.5 ? 'away' : 'towards', seed: seed + row * 100 + i + turn, kind: noiseAt(seed, i, turn) < 0.1 ? 'van' : 'car', parked: true }); // prettier-ignore
  }
}
