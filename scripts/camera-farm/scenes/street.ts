import { between, noiseAt, pick, wholeBetween } from '../random.ts';
import { house, lamp, person, tree } from './props.ts';
import { ASPHALT, dashes, WALLS } from './roads.ts';
import type { Concept } from './scene.ts';
import { travelled } from './scene.ts';
import { vehicle } from './vehicles.ts';

/** A town street between two rows of houses. */
export const street: Concept = ({ random, aspect }) => {
  const view = {
    horizon: between(random, 0.34, 0.46),
    eye: between(random, 3.8, 5.6),
    focal: between(random, 0.75, 1),
    centre: aspect * between(random, 0.38, 0.62),
  };
  const half = between(random, 3.2, 4.6);
  const x = between(random, -1.5, 1.5);
  const asphalt = pick(random, ASPHALT);
  const seed = wholeBetween(random, 1, 1e6);
  const trees = random() < 0.5;
  const tall = between(random, 6, 13);
  const walk = 2.6;
  return {
    view,
    still(world) {
      world.sky(0.45, seed % 97);
      world.plain([164, 158, 150], 0.2, 1.5);
      for (let i = 9; i >= 0; i--)
        for (const side of [-1, 1]) {
          const depth = 11;
          const place = { x: x + side * (half + walk + 6.5), z: 11 + i * depth };
          const height = tall + noiseAt(seed, i, side) * 5;
          const roof = noiseAt(seed, i, side + 2) < 0.5 ? 3 : 0;
          house(world, { ...place, width: 13, depth, height, roof, colour: WALLS[Math.floor(noiseAt(seed, i, side + 5) * WALLS.length)]!, seed: seed + i * 2 + side, roofColour: [122, 70, 56] }); // prettier-ignore
        }
      world.strip(x - half - walk, x + half + walk, 1, 400, world.surface([176, 170, 162], 0.18, 0.8));
      world.strip(x - half, x + half, 1, 400, world.surface(asphalt, 0.16, 1, true));
      dashes(world, [x, 4], [x, 90]);
      for (let i = 5; i >= 0; i--)
        for (const side of [-1, 1])
          if (trees && i % 2 === 0) tree(world, x + side * (half + 0.8), 14 + i * 14, 6, seed + i + side);
          else lamp(world, x + side * (half + 0.5), 14 + i * 14, 6.5, -side * 1.6);
      for (let i = 6; i >= 0; i--)
        if (noiseAt(seed, i, 21) < 0.6)
          vehicle(world, {
            x: x + half - 1,
            z: 12 + i * 9,
            heading: 'away',
            seed: seed + 60 + i,
            kind: 'car',
            parked: true,
          });
    },
    moving(world, seconds) {
      const things = Array.from({ length: 4 }, (_, i) => {
        const side = i % 2 === 0 ? 1 : -1;
        const z = 7.5 + travelled(seconds * side, 7, noiseAt(seed, i, 31) * 95, 95);
        const lane = side > 0 ? Math.min(1.2, half - 3) : -half * 0.5;
        return {
          z,
          paint: () => vehicle(world, { x: x + lane, z, heading: side > 0 ? 'away' : 'towards', seed: seed + i }),
        };
      });
      for (let i = 0; i < 8; i++) {
        const side = i % 2 === 0 ? 1 : -1;
        const z = 6.5 + travelled(seconds * (i % 3 === 0 ? -1 : 1), 1.2, noiseAt(seed, i, 41) * 34, 34);
        things.push({
          z,
          paint: () => person(world, x + side * (half + 1.5 + noiseAt(seed, i, 6) * 0.8), z, seed + i, seconds + i),
        });
      }
      for (const { paint } of things.sort((a, b) => b.z - a.z)) paint();
    },
  };
};
