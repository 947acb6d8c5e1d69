import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import { house, lamp, tree } from './props.ts';
import { ASPHALT, GRASS, WALLS } from './roads.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import { vehicle } from './vehicles.ts';
import type { World } from './world.ts';

const STALL = 2.6;
const PITCH = 11.4;

/** Rows of stalls, some of them taken; some cars come and go. */
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
      for (let row = rows - 1; row >= 0; row--) parked(world, first + row * PITCH, row, seed, busy);
      for (let row = rows - 1; row >= 0; row--) lamp(world, row % 2 ? -14 : 13, first + row * PITCH + 2.6, 7, 0);
    },
    moving(world, seconds) {
      for (let row = rows - 1; row >= 0; row--) {
        const z = first + row * PITCH;
        if (row === 1) vehicle(world, { x: travelled(seconds, 4, seed % 60, 60) - 30, z: z + 5.6, heading: 'right', seed: seed + 900 }); // prettier-ignore
        comeAndGo(world, z, row, seed, seconds);
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

/** Every fifth stall is left to those who come and go. */
const isShort = (i: number, row: number): boolean => (i * 7 + row * 3 + 100) % 5 === 0;

function parked(world: World, z: number, row: number, seed: number, busy: number): void {
  for (let i = -11; i < 11; i++)
    if (!isShort(i, row) && noiseAt(seed + row * 31, i) < busy) park(world, z, i, seed + row * 100 + i);
}

/** A short stall decides anew each quarter of an hour, at a moment of its own. */
function comeAndGo(world: World, z: number, row: number, seed: number, seconds: number): void {
  for (let i = -11; i < 11; i++) {
    const turn = Math.floor(seconds / 900 + noiseAt(seed, i, row));
    if (isShort(i, row) && noiseAt(seed + row * 31, i, turn) < 0.5) park(world, z, i, seed + row * 100 + i + turn);
  }
}

function park(world: World, z: number, stall: number, seed: number): void {
  const heading = noiseAt(seed, 1) < 0.5 ? 'away' : 'towards';
  vehicle(world, {
    x: (stall + 0.5) * STALL,
    z,
    heading,
    seed,
    kind: noiseAt(seed, 2) < 0.1 ? 'van' : 'car',
    parked: true,
  });
}
