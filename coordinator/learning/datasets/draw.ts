import { createHash } from 'node:crypto';

export interface Dated {
  /** When it was fetched, ms. */
  fetchedAt: number;
}

/** Numbers from 0 to 1 that depend on the seed alone. */
export function seeded(seed: string): () => number {
  let state = createHash('sha256').update(seed).digest().readUInt32LE(0);
  return () => {
    // Mulberry32.
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * At most `most` of one camera's frames, uniformly over time: the covered time is cut into equal pieces, in each a moment is
 * drawn, and the nearest frame not yet taken goes in. So it does not matter for what and how densely they were kept.
 * `frames` and the result are in the order of time.
 */
export function drawOverTime<T extends Dated>(frames: readonly T[], most: number, random: () => number): T[] {
  if (frames.length <= most) return [...frames];
  const from = frames[0]?.fetchedAt ?? 0;
  const length = (frames.at(-1)?.fetchedAt ?? 0) - from;
  const left = new Set(frames.keys());
  for (let piece = 0; piece < most; piece++) {
    const moment = from + ((piece + random()) / most) * length;
    const distance = (index: number): number => Math.abs((frames[index] as T).fetchedAt - moment);
    left.delete([...left].reduce((best, index) => (distance(index) < distance(best) ? index : best)));
  }
  return frames.filter((_, index) => !left.has(index));
}
