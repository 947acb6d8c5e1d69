import { z } from 'zod';

/** What is known of how often a camera makes a new picture. */
export const refreshMemorySchema = z.object({
  /** ms between two pictures of the camera; at most that where every look brought a new one. */
  ms: z.number().positive(),
  /** Gaps between pictures that it rests on, counted up to a ceiling. */
  count: z.number().int().positive(),
  /** New pictures in a row without a look that found the old one. */
  streak: z.number().int().nonnegative(),
  /** When the present picture came first, ms; and when the camera says that it was made, where it says so. */
  since: z.number(),
  stampedAt: z.number().optional(),
});
export type RefreshMemory = z.infer<typeof refreshMemorySchema>;

export interface Look {
  /** When the picture arrived, ms. */
  at: number;
  /** Another picture than last time. */
  isNew: boolean;
  /** When the camera says that it was made (Last-Modified), ms. */
  stampedAt?: number | undefined;
  /** When the camera was looked at before this, ms. */
  before: number | undefined;
}

/** A gap counts little, so that a jam of the network or an hour in which nobody moved changes little. */
const WEIGHT = 1 / 8;
const COUNT_CEILING = 1_000;
/** Fewer gaps than this decide nothing. */
const GAPS_NEEDED = 5;
/** After so many new pictures in a row the camera may have become faster than we look: look a little oftener for a while. */
const STREAK_TO_PROBE = 16;
const PROBE_FACTOR = 0.75;
/** A longer time without a look is our absence and says nothing about the camera; of a slow one, twice its interval. */
const ABSENCE_MS = 15 * 60_000;
const MOST_MS = 86_400_000;

/** Folds one look at the camera into what is known. `undefined`: the first picture. */
export function learnRefresh(memory: RefreshMemory | undefined, look: Look): RefreshMemory | undefined {
  if (!look.isNew) return memory?.streak ? { ...memory, streak: 0 } : memory;
  const stamp = look.stampedAt === undefined ? {} : { stampedAt: look.stampedAt };
  // Nothing is known but since when: a gap of zero weight.
  if (!memory) return { ms: 1, count: 1, streak: 0, since: look.at, ...stamp };
  const gap = gapOf(memory, look);
  const { ms, count } = memory;
  const next = { since: look.at, ...stamp, streak: Math.min(COUNT_CEILING, memory.streak + 1) };
  if (gap === undefined) return { ...next, ms, count };
  if (count < GAPS_NEEDED) {
    // The mean of the first few; the first memory held none.
    const learned = (ms * (count - 1) + gap) / count;
    return { ...next, ms: Math.max(1, Math.round(learned)), count: count + 1 };
  }
  const bounded = Math.min(ms * 2, Math.max(ms / 2, gap));
  const learned = Math.max(1, Math.round(ms + (bounded - ms) * WEIGHT));
  const probe = look.stampedAt === undefined && next.streak >= STREAK_TO_PROBE;
  return {
    ...next,
    ms: probe ? Math.max(1, Math.round(learned * PROBE_FACTOR)) : learned,
    count: Math.min(COUNT_CEILING, count + 1),
    ...(probe && { streak: 0 }),
  };
}

/** Time between two pictures; `undefined` where we cannot tell. The camera's own stamps are better than our looks. */
function gapOf(memory: RefreshMemory, look: Look): number | undefined {
  if (look.stampedAt !== undefined && memory.stampedAt !== undefined) {
    const gap = look.stampedAt - memory.stampedAt;
    // A date that stands still says nothing; our own looks do.
    if (gap !== 0) return gap > 0 && gap <= MOST_MS ? gap : undefined;
  }
  if (look.before === undefined || look.at - look.before > Math.max(ABSENCE_MS, 2 * memory.ms)) return undefined;
  const gap = look.at - memory.since;
  return gap > 0 && gap <= MOST_MS ? gap : undefined;
}

/** The camera's refresh interval, ms; `undefined` while too little is known. */
export const refreshOf = (memory: RefreshMemory | undefined): number | undefined =>
  memory && memory.count > GAPS_NEEDED ? memory.ms : undefined;

/** Never above an hour: a wrong guess must not hide a camera. */
const MOST_PACE_MS = 3_600_000;
/** Within this the camera counts as being as fast as it is looked at. */
const TOLERANCE = 1.1;

/**
 * How often to look, ms: as asked, but not oftener than the camera makes pictures, unless the operator asks for exactly that.
 * Where pictures are taken slower than `asked` anyway, nothing changes.
 */
export function paceMs(askedMs: number, memory: RefreshMemory | undefined, exactly = false): number {
  const refresh = refreshOf(memory);
  if (exactly || refresh === undefined || refresh <= askedMs * TOLERANCE) return askedMs;
  return Math.max(askedMs, Math.min(refresh, MOST_PACE_MS));
}

/** A picture older than this is stale, ms: three times what is usual for this camera and this pace. */
export const staleAfterMs = (askedMs: number, refreshMs: number | undefined): number =>
  3 * Math.max(askedMs, refreshMs ?? 0);
