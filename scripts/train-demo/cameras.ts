import type { Part } from '../../common/domain/dataset.ts';
import { between, seeded, shuffled, wholeBetween } from '../camera-farm/random.ts';
import type { Random } from '../camera-farm/random.ts';
import { CONCEPT_NAMES } from '../camera-farm/scenes/index.ts';

/** Training of both models may take this long, on a machine of two cores. */
export const DEMO_BUDGET_SECONDS = 110;

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

/** The others are taken at dusk, by night or at dawn. */
const DAYLIGHT_SHARE = 0.75;
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
    const longitude = between(random, -180, 180);
    return {
      id: index + 1,
      concept,
      part,
      seed: own,
      times: Array.from({ length: wholeBetween(random, 2, 3) }, () => timeOf(random, longitude)),
      latitude: between(random, -60, 66),
      longitude,
      optics: opticsOf(random),
    };
  });
}

/** Any day of four weeks, mostly by daylight at the camera's place; rain, fog and snow come as the place's weather has it. */
function timeOf(random: Random, longitude: number): number {
  const day = Math.floor(random() * 28);
  const byDay = random() < DAYLIGHT_SHARE;
  const hour = byDay ? between(random, 7, 17) : between(random, 17, 31);
  return FIRST_DAY + Math.round((day * 24 + hour - longitude / 15) * 60) * 60_000;
}

function opticsOf(random: Random): Optics {
  return {
    zoom: 2 ** between(random, -0.6, 0.5),
    tilt: between(random, -0.08, 0.08),
    blur: Math.max(0, between(random, -1.5, 1.5)),
    noise: random() ** 2 * 12,
    exposure: between(random, 0.75, 1.25),
    colour: random() < 0.08 ? 0 : between(random, 0.5, 1.1),
    warmth: between(random, -1.5, 1.5),
    obstacles: random() < 0.35 ? wholeBetween(random, 1, 3) : 0,
    quality: wholeBetween(random, 30, 85),
  };
}
