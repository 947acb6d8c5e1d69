import type { Verdict } from './verdict.ts';

/**
 * How a camera is, for people. `degraded`: it answers, but what comes is of no use, or only now and then. `unknown`: nothing
 * trustworthy is known, for example because nobody tried or because the agent that tried is itself suspected. `paused` is the
 * operator's wish and never an illness.
 */
export const cameraStates = [
  'online',
  'degraded',
  'frozen',
  'black',
  'placeholder',
  'offline',
  'unknown',
  'paused',
] as const;
export type CameraState = (typeof cameraStates)[number];

/** States that somebody may have to look after: they make incidents. */
export const illStates = ['degraded', 'frozen', 'black', 'placeholder', 'offline'] as const;
export type IllState = (typeof illStates)[number];
export const isIll = (state: CameraState): state is IllState => (illStates as readonly string[]).includes(state);

/** What one verdict says of the way to the camera, of what it shows, and which state it speaks for. */
export interface Meaning {
  readonly transport: 'up' | 'down' | 'unknown';
  readonly content: 'fine' | 'bad' | 'unknown';
  readonly state: Exclude<CameraState, 'paused'>;
  /**
   * A failure that the agent's own network may have caused: no host has answered, or a gate in between has, with a page of its
   * own or the way to one.
   */
  readonly perhapsAgent: boolean;
}

const shows = (state: Meaning['state']): Meaning => ({
  transport: 'up',
  content: state === 'online' ? 'fine' : 'bad',
  state,
  perhapsAgent: false,
});
const silent: Meaning = { transport: 'down', content: 'unknown', state: 'offline', perhapsAgent: true };
/** The host answered, but with a refusal. */
const refuses: Meaning = { ...silent, perhapsAgent: false };

export const MEANINGS: Readonly<Record<Verdict, Meaning>> = {
  good: shows('online'),
  duplicate: shows('online'),
  frozen: shows('frozen'),
  low_byte_size: shows('degraded'),
  black: shows('black'),
  blank: shows('degraded'),
  placeholder: shows('placeholder'),
  corrupt: shows('degraded'),
  oversized: shows('degraded'),
  not_an_image: { ...shows('degraded'), perhapsAgent: true },
  empty: shows('degraded'),
  timeout: silent,
  refused: silent,
  interrupted: silent,
  dns: silent,
  tls: silent,
  unauthorized: refuses,
  http_error: refuses,
  too_large: refuses,
  // A gate sends everybody to its own address, which agents may not contact.
  blocked: silent,
  protocol_error: refuses,
  no_frame: refuses,
  failed: { transport: 'unknown', content: 'unknown', state: 'unknown', perhapsAgent: true },
};
