import type { Place } from '../../../common/domain/camera.ts';

const EARTH_RADIUS_KM = 6_371;

/** A place as a direction from the centre of the earth: averages and distances work across the date line and at the poles. */
export type Direction = readonly [number, number, number];

export function directionOf({ latitude, longitude }: Place): Direction {
  const phi = (latitude * Math.PI) / 180;
  const lambda = (longitude * Math.PI) / 180;
  return [Math.cos(phi) * Math.cos(lambda), Math.cos(phi) * Math.sin(lambda), Math.sin(phi)];
}

/** Middle of some places; `undefined` where none is known or where they cancel out. */
export function middleOf(places: readonly (Place | null)[]): Direction | undefined {
  let [x, y, z] = [0, 0, 0];
  for (const place of places) {
    if (!place) continue;
    const direction = directionOf(place);
    x += direction[0];
    y += direction[1];
    z += direction[2];
  }
  const length = Math.hypot(x, y, z);
  return length < 1e-9 ? undefined : [x / length, y / length, z / length];
}

/** Cosine of the angle between two directions: the larger the nearer; 1 where either is unknown. */
export function closeness(a: Direction | undefined, b: Direction | undefined): number {
  return a && b ? a[0] * b[0] + a[1] * b[1] + a[2] * b[2] : 1;
}

/** The closeness of places that are so far apart. */
export const closenessAtKm = (km: number): number => Math.cos(Math.min(Math.PI, km / EARTH_RADIUS_KM));

/** Great circle; 0 where either place is unknown, so that it prefers nobody. */
export function distanceKm(a: Direction | undefined, b: Direction | undefined): number {
  return EARTH_RADIUS_KM * Math.acos(Math.max(-1, Math.min(1, closeness(a, b))));
}

/** Neighbours on the earth are mostly neighbours in this order (Morton's). Unknown places come last. */
export function spatialOrder(place: Place | null): number {
  if (!place) return Number.MAX_SAFE_INTEGER;
  return spread((place.longitude + 180) / 360) + 2 * spread((place.latitude + 90) / 180);
}

/** The upper 16 bits of a fraction, each followed by a zero. */
function spread(fraction: number): number {
  let bits = Math.min(65_535, Math.floor(fraction * 65_536));
  let value = 0;
  for (let place = 1; bits > 0; place *= 4, bits >>= 1) value += (bits & 1) * place;
  return value;
}
