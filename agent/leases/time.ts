import type { Clock } from '../../common/runtime/clock.ts';

/** Wall minus monotonic clock moves by more than this only in a suspend or when somebody sets the clock. */
const JUMP_MS = 1_000;
const ANCHORS = 8;
const STRETCHES = 8;

export interface Anchor {
  /** Monotonic ms at which the coordinator's clock is taken to have shown `now`. */
  monotonic: number;
  now: number;
  /** Half the round trip, ms. */
  errorMs: number;
}

/** An instant as the agent sees it: both of its clocks at once. */
export interface Instant {
  monotonic: number;
  /** Wall clock minus monotonic clock, ms. */
  skew: number;
}

export function instantOf(clock: Clock): Instant {
  const monotonic = clock.monotonic();
  return { monotonic, skew: clock.now() - monotonic };
}

interface Stretch {
  skew: number;
  anchors: Anchor[];
}

/**
 * The coordinator's clock as an anchor plus monotonic elapsed time. The monotonic clock stands still in a suspend and the wall
 * clock steps when it is set, so where the two diverge a new stretch begins: its instants can be dated only by an anchor of its
 * own, and those of earlier stretches stay with theirs.
 */
export class CoordinatorTime {
  /** Oldest first. */
  #stretches: Stretch[] = [];

  /** One exchange with the coordinator: `now` is what its clock showed between `sent` and `received`. */
  addAnchor(sent: Instant, received: Instant, now: number): void {
    if (Math.abs(received.skew - sent.skew) > JUMP_MS) return;
    const stretch = this.#stretchOf(received);
    stretch.anchors.push({
      monotonic: (sent.monotonic + received.monotonic) / 2,
      now,
      errorMs: (received.monotonic - sent.monotonic) / 2,
    });
    if (stretch.anchors.length > ANCHORS) stretch.anchors.shift();
  }

  /** Dates an instant; `undefined` while its stretch has no anchor. */
  date(instant: Instant): { at: number; errorMs: number } | undefined {
    const anchor = bestOf(this.#stretchOf(instant).anchors);
    return anchor && { at: Math.round(anchor.now + instant.monotonic - anchor.monotonic), errorMs: anchor.errorMs };
  }

  /** What to add to the monotonic clock of this instant's stretch; `undefined` without an anchor. */
  offset(instant: Instant): number | undefined {
    const anchor = bestOf(this.#stretchOf(instant).anchors);
    return anchor && anchor.now - anchor.monotonic;
  }

  #stretchOf({ skew }: Instant): Stretch {
    const known = this.#stretches.findLast((stretch) => Math.abs(stretch.skew - skew) <= JUMP_MS);
    if (known) {
      // The wall clock is slewed all the time; following it keeps slow drift from looking like a jump.
      known.skew += (skew - known.skew) / 16;
      return known;
    }
    const begun: Stretch = { skew, anchors: [] };
    this.#stretches.push(begun);
    if (this.#stretches.length > STRETCHES) this.#stretches.shift();
    return begun;
  }
}

function bestOf(anchors: readonly Anchor[]): Anchor | undefined {
  let best: Anchor | undefined;
  // Of equal ones the newest: it has drifted least.
  for (const anchor of anchors) if (!best || anchor.errorMs <= best.errorMs) best = anchor;
  return best;
}
