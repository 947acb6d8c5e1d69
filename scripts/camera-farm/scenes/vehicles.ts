import { noiseAt } from '../random.ts';
import type { Rgb } from './canvas.ts';
import { scaled } from './canvas.ts';
import type { World } from './world.ts';

const PAINTS: readonly Rgb[] = [
  [196, 198, 202], [238, 238, 236], [40, 44, 52], [96, 102, 112], [178, 34, 40], [36, 78, 150], [60, 110, 84], [214, 168, 62], [120, 46, 58], [70, 130, 180],
]; // prettier-ignore
const GLASS: Rgb = [58, 74, 90];
const RUBBER: Rgb = [26, 26, 28];

type Heading = 'away' | 'towards' | 'left' | 'right';

export interface Vehicle {
  x: number;
  z: number;
  heading: Heading;
  /** Chooses colour and body. */
  seed: number;
  kind?: 'car' | 'van' | 'truck' | 'bus';
  /** Its lights are off. */
  parked?: boolean;
}

interface Body {
  length: number;
  width: number;
  hull: number;
  cabin: number;
  /** Share of the length that the cabin takes. */
  cabinShare: number;
}

const BODIES: Record<NonNullable<Vehicle['kind']>, Body> = {
  car: { length: 4.4, width: 1.8, hull: 0.62, cabin: 0.58, cabinShare: 0.52 },
  van: { length: 5, width: 1.95, hull: 0.9, cabin: 0.95, cabinShare: 0.86 },
  truck: { length: 9, width: 2.4, hull: 0.8, cabin: 2.3, cabinShare: 0.98 },
  bus: { length: 11, width: 2.5, hull: 1.1, cabin: 1.7, cabinShare: 0.99 },
};

/** A car of some kind; most are cars, a few vans and trucks. */
export function vehicle(world: World, { x, z, heading, seed, kind, parked = false }: Vehicle): void {
  const chance = noiseAt(seed, 4);
  const body = BODIES[kind ?? (chance < 0.76 ? 'car' : chance < 0.9 ? 'van' : 'truck')];
  const colour = PAINTS[Math.floor(noiseAt(seed, 9) * PAINTS.length)] as Rgb;
  const along = heading === 'away' || heading === 'towards';
  const [width, depth] = along ? [body.width, body.length] : [body.length, body.width];
  world.shadow(x, z, width, depth * 0.7, 0.45);
  wheels(world, x, z, width, depth);
  world.box({ x, z, width, depth, base: 0.32, height: body.hull, colour });
  const roof = {
    x,
    z,
    width: width * (along ? 0.86 : body.cabinShare),
    depth: depth * (along ? body.cabinShare : 0.86),
  };
  const base = 0.32 + body.hull;
  const big = body.cabin > 1.2;
  world.box({ ...roof, base, height: body.cabin, colour: big ? scaled(colour, 0.94) : GLASS, top: colour });
  if (big) windscreen(world, roof.x, roof.z - roof.depth / 2, roof.width, base, body.cabin, kind === 'bus');
  lights(world, x, z, width, depth, heading, 0.32 + body.hull * 0.6, parked ? 0 : world.light.lamps);
}

function wheels(world: World, x: number, z: number, width: number, depth: number): void {
  const near = z - depth / 2 + (width > depth ? 0.05 : 0.4);
  const inset = width > depth ? width * 0.3 : width * 0.38;
  for (const side of [-1, 1]) {
    const [px, py] = world.at(x + side * inset, 0.32, near);
    const scale = world.scale(near);
    world.canvas.ellipse(px, py, (width > depth ? 0.36 : 0.16) * scale, 0.36 * scale, world.light.tint(RUBBER, z));
  }
}

function windscreen(
  world: World,
  x: number,
  z: number,
  width: number,
  base: number,
  height: number,
  row: boolean,
): void {
  const panes = row && width > 5 ? 6 : 1;
  for (let i = 0; i < panes; i++) {
    const left = x - width / 2 + (width / panes) * (i + 0.1);
    const [x0, y0] = world.at(left, base + height * 0.9, z);
    const [x1, y1] = world.at(left + (width / panes) * 0.8, base + height * 0.35, z);
    world.canvas.rect(x0, y0, x1 - x0, y1 - y0, world.light.tint(GLASS, z));
  }
}

function lights(
  world: World,
  x: number,
  z: number,
  width: number,
  depth: number,
  heading: Heading,
  height: number,
  burn: number,
): void {
  const front = z - depth / 2;
  const scale = world.scale(front);
  const along = heading === 'away' || heading === 'towards';
  const colour: Rgb = heading === 'towards' ? [255, 246, 214] : [216, 30, 24];
  const seen = Math.max(burn, 1 - world.light.lamps);
  for (const side of [-1, 1]) {
    const tail = !along && (heading === 'left' ? side > 0 : side < 0);
    const own: Rgb = along ? colour : tail ? [216, 30, 24] : [255, 246, 214];
    const [px, py] = world.at(x + side * width * (along ? 0.36 : 0.48), height, front);
    const dim = along && heading === 'away' ? 0.6 + burn * 0.4 : 0.75 + burn * 0.25;
    world.canvas.ellipse(px, py, 0.16 * scale, 0.12 * scale, scaled(own, dim * (0.4 + 0.6 * seen)));
    if (burn > 0.1)
      world.canvas.glow(px, py, Math.min(0.2, (heading === 'away' ? 0.9 : 1.5) * scale), own, burn * 0.75);
  }
}
