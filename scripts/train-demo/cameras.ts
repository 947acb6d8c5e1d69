import type { Part } from '../../common/domain/dataset.ts';
import { between, seeded, shuffled, wholeBetween } from '../camera-farm/random.ts';
import type { Random } from '../camera-farm/random.ts';
import { CONCEPT_NAMES } from '../camera-farm/scenes/index.ts';

/** Cameras of the most frequent and of the rarest concept; the others lie between them on an exponential curve. */
const MOST_CAMERAS = 60;
const FEWEST_CAMERAS = 5;
/** For each concept, beside the others: enough that one picture moves an F1 by about .02. */
const TEST_CAMERAS = 20;
/** One camera in seven steers Eq. 2 and chooses T_r, at least one a concept. */
const REFERENCE_SHARE = 1 / 7;

/** A camera of the demo, with everything that makes its pictures its own. */
export interface DemoCamera {
  /** Counted from 1 over all concepts and parts. */
  id: number;
  concept: string;
  part: Part;
  /** When its pictures are taken, ms since the epoch. */
  times: readonly number[];
  /** Degrees; decide sun and snow. */
  latitude: number;
  longitude: number;
  optics: Optics;
  /** Decides the layout of the scene. */
  seed: string;
}

/** What stands between a scene and its JPEG. */
export interface Optics {
  /** Factor on the focal length: below 1 everything is farther away. */
  zoom: number;
  /** Moves the horizon, in picture heights. */
  tilt: number;
  /** Radius of the blur in pixels of a picture of 128 lines. */
  blur: number;
  /** Standard deviation of the sensor's noise by day, in steps of 0…255. */
  noise: number;
  /** Factor on every value, about 1. */
  exposure: number;
  /** Share of colour that is left; 0 is a grey camera. */
  colour: number;
  /** White balance, -1 (cold) to 1 (warm). */
  warmth: number;
  /** Things before the lens: a pole, a branch, drops. */
  obstacles: number;
  /** JPEG quality. */
  quality: number;
}

// An equinox: days and nights of equal length everywhere.
const FIRST_DAY = Date.UTC(2026, 2, 20);

/** Number of cameras of each concept, most frequent first. */
export function cameraCounts(concepts: number): number[] {
  const ratio = FEWEST_CAMERAS / MOST_CAMERAS;
  return Array.from({ length: concepts }, (_, i) => Math.round(MOST_CAMERAS * ratio ** (i / (concepts - 1))));
}

/** All cameras of one seed; equal seeds give equal cameras. */
export function demoCameras(seed: number): DemoCamera[] {
  const counts = cameraCounts(CONCEPT_NAMES.length);
  const cameras = CONCEPT_NAMES.flatMap((concept, i) => {
    const count = counts[i] as number;
    const references = Math.max(1, Math.round(count * REFERENCE_SHARE));
    const partOf = shuffled(
      seeded(`${seed}/parts/${concept}`),
      Array.from({ length: count }, (_, k): Part => (k < references ? 'reference' : 'training')),
    );
    const all: Part[] = [...partOf, ...Array.from({ length: TEST_CAMERAS }, (): Part => 'test')];
    return all.map((part, k) => ({ concept, part, seed: `${seed}/${concept}/${k}` }));
  });
  return cameras.map(({ concept, part, seed: own }, index) => {
    const random = seeded(`${own}/camera`);
    return {
      id: index + 1,
      concept,
      part,
      seed: own,
      times: Array.from({ length: wholeBetween(random, 2, 3) }, () => timeOf(random)),
      latitude: between(random, -60, 66),
      longitude: between(random, -180, 180),
      optics: opticsOf(random),
    };
  });
}

/** Any minute of four weeks: a quarter of the pictures by night, some in rain, fog or snow. */
const timeOf = (random: Random): number => FIRST_DAY + Math.floor(random() * 28 * 24 * 60) * 60_000;

function opticsOf(random: Random): Optics {
  return {
    zoom: 2 ** between(random, -0.9, 0.7),
    tilt: between(random, -0.12, 0.12),
    blur: Math.max(0, between(random, -0.8, 2.2)),
    noise: between(random, 0, 1) ** 2 * 22,
    exposure: between(random, 0.65, 1.3),
    colour: random() < 0.15 ? 0 : between(random, 0.4, 1.1),
    warmth: between(random, -2, 2),
    obstacles: random() < 0.5 ? wholeBetween(random, 1, 4) : 0,
    quality: wholeBetween(random, 25, 85),
  };
}
