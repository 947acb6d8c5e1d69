import { createHash } from 'node:crypto';

/** An encoded picture as a camera serves it. */
export interface Picture {
  bytes: Buffer;
  type: string;
  /** SHA-256 of the bytes, hex. */
  digest: string;
  /** Wall clock, ms, at which the camera began to show it. */
  since: number;
  version: number;
  /** What the scene shows, where it is known. */
  scene?: string;
}

export function pictureOf(bytes: Buffer, type: string, since = 0, version = 0): Picture {
  return { bytes, type, digest: createHash('sha256').update(bytes).digest('hex'), since, version };
}
