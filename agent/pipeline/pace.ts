import { opensAt, parseActiveHours } from '../../common/domain/active-hours.ts';
import type { ActiveHours } from '../../common/domain/active-hours.ts';
import type { PaceMemory } from '../../common/domain/fragment.ts';
import { learnRefresh, paceMs } from '../../common/domain/refresh.ts';
import type { RefreshMemory } from '../../common/domain/refresh.ts';
import type { Assignment } from '../../common/protocol/agent-link.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { backoffMs } from '../../common/runtime/retry.ts';

/** Two failures in a row may be a camera that restarts. */
const PATIENT_FAILURES = 2;
const MOST_BACKOFF_MS = 3_600_000;

/**
 * For how long a camera is left alone after so many failures in a row, ms; 0: its interval is enough. Full jitter, doubling up
 * to an hour, and never sooner than its interval.
 */
export function backoffAfter(failures: number, intervalMs: number, random: () => number = Math.random): number {
  if (failures <= PATIENT_FAILURES) return 0;
  const policy = { firstMs: intervalMs * 2, ceilingMs: MOST_BACKOFF_MS };
  return Math.max(intervalMs, backoffMs(policy, failures - PATIENT_FAILURES - 1, random));
}

export interface PaceOptions {
  assignment: Pick<Assignment, 'exactly' | 'hours' | 'changedAt'>;
  memory: PaceMemory | undefined;
  lastAttemptAt?: number | undefined;
  /** The interval that was asked for, stretched where capacity is short, ms. */
  askedMs(): number;
  /** `now()` is the coordinator's time. */
  clock: Clock;
  random?: () => number;
}

/** How often one camera is tried: as asked, not oftener than it makes pictures, seldom while it fails, never outside its hours. */
export class Pace {
  readonly #options: PaceOptions;
  readonly #hours: { table: ActiveHours; zone: string } | undefined;
  #failures: number;
  #retryAt: number | undefined;
  #refresh: RefreshMemory | undefined;
  #lookedAt: number | undefined;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#hours = hoursOf(options.assignment.hours);
    const { failures = 0, retryAt, refresh } = options.memory ?? {};
    // An operator who changed something wants to see what came of it.
    const isOutdated = (options.assignment.changedAt ?? -Infinity) > (options.lastAttemptAt ?? Infinity);
    this.#failures = isOutdated ? 0 : failures;
    // Whatever clock wrote it.
    this.#retryAt =
      retryAt === undefined || isOutdated ? undefined : Math.min(retryAt, options.clock.now() + MOST_BACKOFF_MS);
    this.#refresh = refresh;
    this.#lookedAt = refresh?.since;
  }

  /** Between two looks at a camera that is asked, ms. */
  intervalMs(): number {
    return paceMs(this.askedMs(), this.#refresh, this.#options.assignment.exactly);
  }

  /** Between two pictures of a stream, which sends them unasked, ms: waiting for the camera would skip what it sends. */
  askedMs(): number {
    return this.#options.askedMs();
  }

  /** How long it must not be tried from now, ms; 0: it may be. */
  waitMs(): number {
    return Math.max(this.closedMs(), (this.#retryAt ?? 0) - this.#options.clock.now(), 0);
  }

  /** How long until its hours begin, ms; 0 inside them. */
  closedMs(): number {
    const now = this.#options.clock.now();
    return this.#hours ? opensAt(this.#hours.table, this.#hours.zone, now) - now : 0;
  }

  /** The camera answered; `picture` where what came can be shown. */
  answered(at: number, picture?: { isNew: boolean; stampedAt: number | undefined }): void {
    this.#failures = 0;
    this.#retryAt = undefined;
    if (!picture) return;
    this.#refresh = learnRefresh(this.#refresh, { at, ...picture, before: this.#lookedAt });
    this.#lookedAt = at;
  }

  failed(at: number): void {
    this.#failures++;
    const { askedMs, random } = this.#options;
    const wait = backoffAfter(this.#failures, askedMs(), random);
    this.#retryAt = wait > 0 ? at + wait : undefined;
  }

  /** Somebody wants a picture now. */
  hurry(): void {
    this.#retryAt = undefined;
  }

  /** After an attempt at `lastAttemptAt`. */
  memory(lastAttemptAt: number): PaceMemory {
    const due = Math.max(lastAttemptAt + this.intervalMs(), this.#retryAt ?? 0);
    const memory: PaceMemory = {
      nextDueAt: Math.round(this.#hours ? opensAt(this.#hours.table, this.#hours.zone, due) : due),
    };
    if (this.#failures > 0) memory.failures = this.#failures;
    if (this.#retryAt !== undefined) memory.retryAt = Math.round(this.#retryAt);
    if (this.#refresh) memory.refresh = this.#refresh;
    return memory;
  }
}

/** The coordinator has checked them; a table that this agent does not understand must not hide the camera. */
function hoursOf(hours: Assignment['hours']): { table: ActiveHours; zone: string } | undefined {
  if (!hours) return undefined;
  const table = parseActiveHours(hours.text);
  if ('problem' in table) return undefined;
  try {
    opensAt(table, hours.zone, 0);
    return { table, zone: hours.zone };
  } catch {
    return undefined; // a zone that is newer than this agent's Node.js
  }
}
