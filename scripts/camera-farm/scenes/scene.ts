import type { Random } from '../random.ts';
import type { View, World } from './world.ts';

export interface Plan {
  /** Decides layout, colours and angle; the same for a camera's whole life. */
  random: Random;
  /** Width over height of the picture. */
  aspect: number;
}

/** What one camera looks at. */
export interface Scene {
  view: View;
  /** What stays: drawn once for each light and weather. */
  still(world: World): void;
  /** What moves, drawn on top of it; `seconds` since the epoch. Only in places that nothing still stands in front of. */
  moving(world: World, seconds: number): void;
}

/** Lays out a scene of one kind. */
export type Concept = (plan: Plan) => Scene;

/** A place on a path of `length` that is passed at `speed` per second; it comes round again. */
export function travelled(seconds: number, speed: number, offset: number, length: number): number {
  const way = (seconds * speed + offset) % length;
  return way < 0 ? way + length : way;
}
