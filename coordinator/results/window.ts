import type { Queryable } from '../platform/database/queries.ts';

/** From … until, ms of the database's clock; the end is exclusive, `null` while it lasts. */
export interface OpenStretch {
  from: number;
  until: number | null;
}

/** A grant as intake needs it. */
export interface GrantWindow extends OpenStretch {
  agentId: string;
  sessionId: string;
  shardId: number;
}

/** What the fleet room tells intake about who may report what. */
export interface WindowService {
  /**
   * Locks the grants FOR SHARE, in order of their tokens: none of them can end before intake has committed. `arrivedAt` is the
   * database's clock after that. Tokens that were never given are absent.
   */
  lockWindows(
    tx: Queryable,
    tokens: readonly number[],
  ): Promise<{ arrivedAt: number; windows: ReadonlyMap<number, GrantWindow> }>;
  /** Whether shards change hands now, which intake then leaves room for. */
  isHandingOver?(): boolean;
  /** When each camera belonged to the shard, by `CAMERA/SHARD`. */
  membershipsOf(
    tx: Queryable,
    pairs: readonly { cameraId: number; shardId: number }[],
  ): Promise<ReadonlyMap<string, readonly OpenStretch[]>>;
}

export interface Stretch {
  from: number;
  until: number;
}

/** No honest anchor is worse; a larger claim must not open the window wider. */
export const MOST_CLOCK_ERROR_MS = 2_000;

/** When the camera's attempts under this grant count: inside grant and membership both. */
export function stretchesOf(grant: GrantWindow, memberships: readonly OpenStretch[]): Stretch[] {
  return memberships
    .map(({ from, until }) => ({
      from: Math.max(from, grant.from),
      until: Math.min(until ?? Infinity, grant.until ?? Infinity),
    }))
    .filter(({ from, until }) => from < until);
}

/**
 * The instant at which an attempt counts, or `undefined` where it lies outside: clamped to the beginning of a stretch where it
 * is earlier by no more than the clock's error, and to the batch's arrival.
 */
export function countedAt(
  at: number,
  stretches: readonly Stretch[],
  { clockErrorMs, arrivedAt }: { clockErrorMs: number; arrivedAt: number },
): number | undefined {
  const past = Math.min(at, Math.floor(arrivedAt));
  if (stretches.some(({ from, until }) => past >= from && past < until)) return past;
  const error = Math.min(clockErrorMs, MOST_CLOCK_ERROR_MS);
  const begun = stretches.find(({ from }) => past < from && past >= from - error);
  if (!begun) return undefined;
  const clamped = Math.ceil(begun.from);
  return clamped < begun.until ? clamped : undefined;
}
