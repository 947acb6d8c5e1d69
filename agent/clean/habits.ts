import type { CleanMemory, EncodedFrame } from '../../common/domain/frame.ts';

// What a camera usually does, learned from its own frames: pure functions over its memory.

/** A copy that lacks these. V8 makes an object slow to copy once something was deleted from it, and memories are copied per frame. */
export function without(memory: CleanMemory, names: readonly (keyof CleanMemory)[]): CleanMemory {
  const rest: Record<string, unknown> = {};
  for (const name in memory)
    if (!(names as readonly string[]).includes(name)) rest[name] = memory[name as keyof CleanMemory];
  return rest;
}

/** Frames before the byte statistics are worth anything. */
const SIZES_NEEDED = 20;
/** The statistics follow about the last 64 frames, so that day and night, and new settings, become usual in time. */
const SIZES_WINDOW = 64;
// Night, fog or an empty street make a picture two to three times smaller; a quarter of the usual is beyond that.
const USUAL_SHRINK = Math.log(4);
const DEVIATIONS = 6;

/**
 * After so many confirmations in a row a camera has to show its picture: its dates may stand still. A freeze is ten times what
 * the camera used to keep a picture, so it is found out before it counts as frozen.
 */
const CONFIRMATIONS = 8;

/** What makes the next request conditional; now and then nothing. */
export function validatorsOf(memory: CleanMemory): Pick<CleanMemory, 'etag' | 'lastModified'> {
  if (memory.etag === undefined && (memory.repeats ?? 0) % CONFIRMATIONS === CONFIRMATIONS - 1) return {};
  const validators: Pick<CleanMemory, 'etag' | 'lastModified'> = {};
  if (memory.etag !== undefined) validators.etag = memory.etag;
  if (memory.lastModified !== undefined) validators.lastModified = memory.lastModified;
  return validators;
}

// Last-Modified counts seconds: what changes twice in one of them proves nothing.
const DATE_SLACK_MS = 60_000;

/** Whether other bytes came under the date of the last ones. An ETag says more, and is believed. */
export function datesLie(memory: CleanMemory, frame: EncodedFrame): boolean {
  const { lastModified, etag } = frame;
  if (etag !== undefined || lastModified === undefined) return false;
  if (memory.datesLie === true) return true;
  return memory.lastModified === lastModified && frame.fetchedAt - Date.parse(lastModified) > DATE_SLACK_MS;
}

type Sizes = NonNullable<CleanMemory['sizes']>;

export function learnSize(sizes: Sizes | undefined, bytes: number): Sizes {
  const value = Math.log(bytes);
  if (!sizes) return { mean: value, variance: 0, count: 1 };
  const count = Math.min(SIZES_WINDOW, sizes.count + 1);
  const weight = 1 / count;
  const mean = sizes.mean + weight * (value - sizes.mean);
  const variance = (1 - weight) * (sizes.variance + weight * (value - sizes.mean) ** 2);
  return { mean: round(mean), variance: round(variance), count };
}

/** Bytes below which a picture of this camera is suspicious; `undefined` while too little is known. */
export function sizeThreshold(sizes: Sizes | undefined): number | undefined {
  if (!sizes || sizes.count < SIZES_NEEDED) return undefined;
  return Math.round(Math.exp(sizes.mean - Math.max(USUAL_SHRINK, DEVIATIONS * Math.sqrt(sizes.variance))));
}

export interface FrozenRule {
  /** A picture is frozen when it stays this many times longer than the camera used to keep one, */
  factor: number;
  /** but never before this time, ms. */
  floorMs: number;
}

// Three changes make a habit; three repetitions rule out that only our own absence was long.
const CHANGES_NEEDED = 3;
const REPEATS_NEEDED = 3;
const CHANGES_CEILING = 1_000;
// A longer gap between two frames is our absence, not the camera's habit.
const GAP_MS = 15 * 60_000;

/** After how long without change this camera counts as frozen, ms; `undefined` for one that was never seen to change. */
export function frozenAfterMs(memory: CleanMemory, rule: FrozenRule): number | undefined {
  if ((memory.changes ?? 0) < CHANGES_NEEDED || memory.keepsMs === undefined) return undefined;
  return Math.max(rule.floorMs, rule.factor * memory.keepsMs);
}

export function unchangedForMs(memory: CleanMemory): number {
  return Math.max(0, (memory.seenAt ?? 0) - (memory.unchangedSince ?? 0));
}

export function isFrozen(memory: CleanMemory, rule: FrozenRule): boolean {
  const limit = frozenAfterMs(memory, rule);
  return limit !== undefined && (memory.repeats ?? 0) >= REPEATS_NEEDED && unchangedForMs(memory) > limit;
}

/** The same picture again, at `at`. */
export function learnRepeat(memory: CleanMemory, at: number): CleanMemory {
  return {
    ...memory,
    repeats: (memory.repeats ?? 0) + 1,
    unchangedSince: memory.unchangedSince ?? at,
    seenAt: Math.max(at, memory.seenAt ?? at),
  };
}

/** Another picture, at `at`. */
export function learnChange(memory: CleanMemory, picture: string, at: number, rule: FrozenRule): CleanMemory {
  const first = memory.picture === undefined;
  return {
    ...memory,
    picture,
    unchangedSince: at,
    seenAt: at,
    repeats: 0,
    changes: first ? 0 : Math.min(CHANGES_CEILING, (memory.changes ?? 0) + 1),
    ...(first ? {} : { keepsMs: keepsAfter(memory, at, rule) }),
  };
}

function keepsAfter(memory: CleanMemory, at: number, rule: FrozenRule): number {
  const kept = unchangedForMs(memory) + Math.min(GAP_MS, Math.max(0, at - (memory.seenAt ?? at)));
  const known = memory.keepsMs;
  if (known === undefined) return kept;
  // What ended a freeze is no habit at once; if it keeps happening, doubling gets there.
  if (isFrozen(memory, rule)) return Math.min(kept, known * 2);
  return Math.round(kept > known ? kept : known + (kept - known) / 16);
}

const round = (value: number): number => Math.round(value * 1e4) / 1e4;
