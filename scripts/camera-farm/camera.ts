import type { Place } from './places.ts';

/** One simulated camera, as the seed made it. */
export interface FarmCamera {
  id: string;
  index: number;
  name: string;
  /** The loopback address that it answers on. */
  host: string;
  kind: 'snapshot' | 'mjpeg';
  /** How the camera list says it is reached: an own web server, or a URL on somebody's web server. */
  listedAs: 'ip' | 'non_ip';
  /** Whether it sends ETag and Last-Modified and answers 304. */
  conditional: boolean;
  concept: string;
  place: Place;
}
