import { createHash } from 'node:crypto';

/** SHA-256 as 64 lower-case hex digits: the address of frames, models and batches. */
export type Digest = string;

export function sha256(bytes: Uint8Array | string): Digest {
  return createHash('sha256').update(bytes).digest('hex');
}

export const DIGEST_PATTERN = /^[0-9a-f]{64}$/;
