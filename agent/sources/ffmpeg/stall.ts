import type { Clock } from '../../../common/runtime/clock.ts';

/** Until a camera is known: key frames are ten seconds apart on many of them. */
const UNKNOWN_MS = 20_000;
const LEAST_MS = 5_000;
const MOST_MS = 60_000;

/**
 * How long to wait for a camera's next picture, learned from how long it took before: mean plus four times the mean deviation
 * (as TCP does for its acknowledgements), doubled. A picture that did not come in time doubles the patience, because the
 * camera may have become slower.
 */
export class StallDeadline {
  readonly #unknownMs: number;
  #mean: number | undefined;
  #deviation = 0;
  #patience = 1;
  readonly #mostMs: number;

  /** @param unknownMs the deadline until the first picture has come */
  constructor(unknownMs = UNKNOWN_MS, mostMs = MOST_MS) {
    this.#unknownMs = unknownMs;
    this.#mostMs = mostMs;
  }

  /** ms. */
  get ms(): number {
    const learned = this.#mean === undefined ? this.#unknownMs : 2 * (this.#mean + 4 * this.#deviation);
    return Math.round(Math.min(this.#mostMs, Math.max(Math.min(LEAST_MS, this.#unknownMs), learned) * this.#patience));
  }

  came(afterMs: number): void {
    if (this.#mean === undefined) {
      this.#mean = afterMs;
      this.#deviation = afterMs / 2;
    } else {
      this.#deviation += (Math.abs(afterMs - this.#mean) - this.#deviation) / 4;
      this.#mean += (afterMs - this.#mean) / 8;
    }
    this.#patience = 1;
  }

  missed(): void {
    this.#patience = Math.min(8, this.#patience * 2);
  }
}

/** `true` once the monotonic time `at()` has come, which may move on meanwhile; `false` when the signal aborts before. */
export async function overdue(clock: Clock, signal: AbortSignal, at: () => number): Promise<boolean> {
  for (let left = at() - clock.monotonic(); left > 0; left = at() - clock.monotonic()) {
    await clock.sleep(left, signal).catch(() => {});
    if (signal.aborted) return false;
  }
  return true;
}
