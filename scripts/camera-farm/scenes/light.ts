import { noiseAt } from '../random.ts';
import type { Rgb } from './canvas.ts';
import { mix, scaled } from './canvas.ts';

export const WEATHERS = ['clear', 'cloudy', 'rain', 'fog', 'snow'] as const;
export type Weather = (typeof WEATHERS)[number];
export type Phase = 'day' | 'dusk' | 'night';

/** What decides a scene's look beside its layout. Steps are coarse, so that still parts can be kept for a while. */
export interface Conditions {
  /** Sine of the sun's height, -1 to 1, in steps of 1/8. */
  sun: number;
  weather: Weather;
}

const HOUR_MS = 3_600_000;
// Weather lasts three hours: long enough to keep what was drawn, short enough that a day shows several.
const WEATHER_MS = 3 * HOUR_MS;

/** Sun by the place's solar time, at an equinox; weather by chance, the same for equal seed and time. */
export function conditionsAt(atMs: number, latitude: number, longitude: number, seed: number): Conditions {
  const hour = (atMs / HOUR_MS + longitude / 15) % 24;
  const sun = Math.round(Math.sin(((hour - 6) / 12) * Math.PI) * 8) / 8;
  const chance = noiseAt(seed, Math.floor(atMs / WEATHER_MS + noiseAt(seed, 3)));
  const cold = Math.abs(latitude) > 42;
  if (chance < 0.45) return { sun, weather: 'clear' };
  if (chance < 0.7) return { sun, weather: 'cloudy' };
  if (chance < 0.82) return { sun, weather: 'rain' };
  if (chance < 0.9) return { sun, weather: 'fog' };
  return { sun, weather: cold ? 'snow' : 'cloudy' };
}

export function phaseOf(sun: number): Phase {
  if (sun > 0.2) return 'day';
  return sun < -0.2 ? 'night' : 'dusk';
}

/** Haze: by how much of the colour a metre of air takes away. */
const DENSITY: Record<Weather, number> = { clear: 0.0012, cloudy: 0.0022, rain: 0.006, fog: 0.013, snow: 0.008 };
const OVERCAST: Record<Weather, number> = { clear: 0, cloudy: 0.75, rain: 0.95, fog: 0.95, snow: 0.9 };

interface Sky {
  top: Rgb;
  low: Rgb;
  ambient: Rgb;
}

const SKIES: Record<Phase, Sky> = {
  day: { top: [84, 146, 214], low: [194, 217, 236], ambient: [1, 1, 1] },
  dusk: { top: [64, 74, 128], low: [244, 166, 116], ambient: [0.72, 0.58, 0.58] },
  night: { top: [12, 17, 40], low: [42, 48, 80], ambient: [0.34, 0.36, 0.48] },
};

/** How daylight, lamps, haze and wet or white ground change the colours that a scene is painted with. */
export class Light {
  readonly phase: Phase;
  readonly weather: Weather;
  readonly sun: number;
  readonly skyTop: Rgb;
  readonly skyLow: Rgb;
  /** How strongly lamps and windows burn, 0 to 1. */
  readonly lamps: number;
  readonly #ambient: Rgb;
  readonly #haze: Rgb;
  readonly #density: number;
  readonly #greyness: number;

  /** `warmth` is the camera's own white balance, about -1 to 1. */
  constructor({ sun, weather }: Conditions, warmth: number) {
    const overcast = OVERCAST[weather];
    const sky = skyAt(sun);
    const cover = mix(
      scaled([172, 178, 186], weather === 'rain' ? 0.82 : 1),
      [236, 232, 228],
      weather === 'snow' ? 0.4 : 0,
    );
    const lit = (colour: Rgb): Rgb => times(colour, sky.ambient);
    this.phase = phaseOf(sun);
    this.weather = weather;
    this.sun = sun;
    this.skyTop = mix(sky.top, lit(scaled(cover, 0.86)), overcast);
    this.skyLow = mix(sky.low, lit(cover), overcast);
    this.lamps = Math.max(0, Math.min(1, (0.3 - sun) * 2.5));
    const balance: Rgb = [1 + warmth * 0.05, 1, 1 - warmth * 0.07];
    this.#ambient = times(scaled(sky.ambient, 1 - overcast * 0.14), balance);
    this.#haze = mix(this.skyLow, this.skyTop, 0.15);
    this.#density = DENSITY[weather];
    this.#greyness = overcast * 0.28;
  }

  /** A colour as it looks `metres` away. */
  tint(colour: Rgb, metres = 0): [number, number, number] {
    const r = colour[0] * this.#ambient[0];
    const g = colour[1] * this.#ambient[1];
    const b = colour[2] * this.#ambient[2];
    const grey = (r * 0.3 + g * 0.59 + b * 0.11) * this.#greyness;
    const own = 1 - this.#greyness;
    const seen = Math.exp(-metres * this.#density);
    const fog = 1 - seen;
    return [
      (r * own + grey) * seen + this.#haze[0] * fog,
      (g * own + grey) * seen + this.#haze[1] * fog,
      (b * own + grey) * seen + this.#haze[2] * fog,
    ];
  }

  /** A surface under the open sky: wet in rain, white in snow. */
  ground(colour: Rgb, metres = 0): [number, number, number] {
    if (this.weather === 'snow') return this.tint(mix(colour, [232, 236, 242], 0.78), metres);
    return this.tint(this.weather === 'rain' ? scaled(colour, 0.8) : colour, metres);
  }

  /** A road that is cleared when it snows. */
  road(colour: Rgb, metres = 0): [number, number, number] {
    if (this.weather === 'snow') return this.tint(mix(colour, [215, 219, 226], 0.42), metres);
    return this.tint(this.weather === 'rain' ? scaled(colour, 0.78) : colour, metres);
  }
}

function skyAt(sun: number): Sky {
  const [from, to, share] =
    sun >= 0
      ? ([SKIES.dusk, SKIES.day, Math.min(1, sun * 2.4)] as const)
      : ([SKIES.dusk, SKIES.night, Math.min(1, -sun * 2.6)] as const);
  return {
    top: mix(from.top, to.top, share),
    low: mix(from.low, to.low, share),
    ambient: mix(from.ambient, to.ambient, share),
  };
}

function times(a: Rgb, b: Rgb): Rgb {
  return [a[0] * b[0], a[1] * b[1], a[2] * b[2]];
}
