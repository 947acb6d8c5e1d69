import { z } from 'zod';
import { verdictOrder } from './verdict.ts';
import type { Verdict } from './verdict.ts';

/** Where the instant at which a picture was taken is known from; `fetch` means: not known, taken to be the arrival. */
export interface CapturedAt {
  /** ms since the epoch. */
  at: number;
  origin: 'header' | 'exif' | 'stream' | 'fetch';
}

/** One picture as it came from a camera, still encoded. */
export interface EncodedFrame {
  /** `null` when the camera said that nothing changed (304). */
  bytes: Buffer | null;
  notModified: boolean;
  contentType?: string;
  etag?: string;
  lastModified?: string;
  /** When the last byte arrived, ms since the epoch by the injected clock. */
  fetchedAt: number;
  capturedAt?: CapturedAt;
  /** Bytes of the body as transferred; 0 for a 304. */
  transferBytes: number;
  /** The number that an MJPEG server gave this part (`X-Part-Serial`). */
  serial?: number;
  /** What the camera says that its scene shows (`X-Scene-Label`): a claim of a stranger, except for simulated cameras. */
  sceneLabel?: string;
}

/** Of the claim that travels beside a frame. */
export const MAX_SCENE_LABEL = 100;

/**
 * What cleaning remembers of a camera between two frames. It travels with the camera from agent to agent inside a grant, so it
 * is plain JSON below 900 bytes. All instants are ms since the epoch.
 */
export const cleanMemorySchema = z.object({
  /** SHA-256 of the last bytes seen. */
  digest: z.string().length(64).optional(),
  /** For the next conditional request; they belong to `digest`. */
  etag: z.string().max(128).optional(),
  lastModified: z.string().max(40).optional(),
  /** Its picture changed while its Last-Modified stood still: nothing is asked or dated by that header any more. */
  datesLie: z.boolean().optional(),
  /** Decision about the last bytes seen; a repetition inherits it. */
  verdict: z.enum(verdictOrder as [Verdict, ...Verdict[]]).optional(),
  /** Fingerprint of the decoded picture: equal for equal pixels, whatever the bytes around them. */
  picture: z.string().max(32).optional(),
  /** Since when the picture has been the same, and when it was last seen. */
  unchangedSince: z.number().optional(),
  seenAt: z.number().optional(),
  /** Repetitions of the picture in a row. */
  repeats: z.number().int().nonnegative().optional(),
  /** Changes of the picture seen so far, counted up to a ceiling. */
  changes: z.number().int().nonnegative().optional(),
  /** For how long this camera used to keep a picture, ms: rises at once, falls slowly. */
  keepsMs: z.number().nonnegative().optional(),
  /** Running mean and variance of ln(bytes), and the frames they rest on (counted up to a ceiling). */
  sizes: z.object({ mean: z.number(), variance: z.number(), count: z.number().int().nonnegative() }).optional(),
  /** Perceptual hash of the last picture that showed something, hex, and its brightness and contrast in grey values. */
  hash: z.string().max(48).optional(),
  mean: z.number().optional(),
  contrast: z.number().optional(),
  /** A character for each tile of the last picture; and the tiles that changed since the rest stands still: a clock. */
  tiles: z.string().max(48).optional(),
  clock: z.string().max(48).optional(),
  /** The view jumped: what it was before, when, and for how many pictures it has stayed. */
  step: z.object({ before: z.string().max(32), at: z.number(), stays: z.number().int() }).optional(),
  /** The usual share of fine detail, the pictures it rests on, and the present run far below it. */
  detail: z
    .object({
      mean: z.number(),
      count: z.number().int(),
      low: z.object({ since: z.number(), pictures: z.number().int() }).optional(),
    })
    .optional(),
  /** What happened last, when, and when it was found out. */
  event: z.object({ kind: z.enum(['moved', 'scene', 'blurred']), at: z.number(), foundAt: z.number() }).optional(),
  /** Size of the last picture, px; the byte statistics start anew when it changes. */
  width: z.number().int().positive().optional(),
  height: z.number().int().positive().optional(),
});

export type CleanMemory = z.infer<typeof cleanMemorySchema>;
