import type { GateMemory } from '../../common/domain/fragment.ts';

export interface GateOptions {
  /** Mean absolute difference of grey levels (0…255) below which a scene counts as unchanged. */
  threshold: number;
  /** A decision older than this is made anew. */
  maxAgeMs: number;
  /** Share of skipped frames that are classified all the same, to measure the gate's error. */
  auditShare: number;
}

export interface GateInput {
  cameraId: number;
  now: number;
  /** Grey thumbnail of the frame at hand; `undefined` for a 304 or equal bytes, which differ from nothing. */
  thumbnail: Uint8Array | undefined;
  memory: GateMemory | undefined;
  modelVersion: string;
  /** Uniform in [0, 1): decides audits. */
  random: number;
}

type GateDecision =
  { action: 'classify'; reason: 'first' | 'changed' | 'age' | 'model' } | { action: 'inherit' } | { action: 'audit' };

/**
 * Skips the classifier while a scene does not differ from the last *classified* frame: the comparison never walks with slow
 * changes. After a switch of models each camera keeps its old decision until a moment of its own, spread over the maximum age.
 */
export function decide(input: GateInput, options: GateOptions): GateDecision {
  const { memory, now, thumbnail } = input;
  if (!memory) return { action: 'classify', reason: 'first' };
  const age = now - memory.classifiedAt;
  if (memory.modelVersion !== input.modelVersion && age >= switchDelayMs(input.cameraId, options.maxAgeMs)) {
    return { action: 'classify', reason: 'model' };
  }
  if (age >= options.maxAgeMs) return { action: 'classify', reason: 'age' };
  if (thumbnail && meanDifference(thumbnail, Buffer.from(memory.thumbnail, 'base64')) > options.threshold) {
    return { action: 'classify', reason: 'changed' };
  }
  // A 304 has no bytes to classify, so only a frame at hand can be audited.
  return thumbnail && input.random < options.auditShare ? { action: 'audit' } : { action: 'inherit' };
}

/** Mean absolute difference of two grey thumbnails; infinite where their sizes differ. */
export function meanDifference(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length || a.length === 0) return Number.POSITIVE_INFINITY;
  let sum = 0;
  for (let p = 0; p < a.length; p++) sum += Math.abs((a[p] as number) - (b[p] as number));
  return sum / a.length;
}

/** Fibonacci hashing of the camera's number, so that neighbours in the registry are far apart in time. */
function switchDelayMs(cameraId: number, maxAgeMs: number): number {
  return (((cameraId * 2_654_435_769) >>> 0) / 2 ** 32) * maxAgeMs;
}
