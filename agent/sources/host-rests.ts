import type { Clock } from '../../common/runtime/clock.ts';
import { backoffMs } from '../../common/runtime/retry.ts';

interface Rest {
  /** Monotonic ms. */
  until: number;
  /** Answers in a row that asked for rest without saying how long. */
  level: number;
}

export interface HostRestsOptions {
  clock: Clock;
  /** A host has asked for rest, ms from now. */
  onRest?: (host: string, ms: number) => void;
  random?: () => number;
}

/** 429 is about us; a 503 is often one camera's trouble behind a host that is well, so it begins lower. */
const FIRST_MS = { 429: 30_000, 503: 5_000 } as const;
const CEILING_MS = 3_600_000;
const SWEEP_AT = 1_000;

/**
 * Hosts that asked to be left alone (429, 503), each as a whole: for as long as they say, else with full jitter and ever longer
 * until an answer of another kind comes.
 */
export class HostRests {
  readonly #options: HostRestsOptions;
  readonly #rests = new Map<string, Rest>();

  constructor(options: HostRestsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#rests.size;
  }

  /** How long the host is to be left alone from now, ms; 0: not. */
  waitMs(host: string): number {
    const rest = this.#rests.get(host);
    return rest ? Math.max(0, rest.until - this.#options.clock.monotonic()) : 0;
  }

  /** The host answered 429 or 503. `retryAfterMs`: what it said. */
  asked(host: string, status: 429 | 503, retryAfterMs: number | undefined): void {
    const level = this.#rests.get(host)?.level ?? 0;
    // Answers to what was under way when the host first said so are the same answer.
    const repeated = this.waitMs(host) > 0;
    const policy = { firstMs: FIRST_MS[status], ceilingMs: CEILING_MS };
    const ms = retryAfterMs ?? (repeated ? 0 : backoffMs(policy, level, this.#options.random));
    const next = retryAfterMs === undefined && !repeated ? level + 1 : level;
    if (this.#leave(host, ms, next)) this.#options.onRest?.(host, ms);
  }

  /** Another agent, or an earlier holder, was asked. */
  told(host: string, ms: number): void {
    this.#leave(host, Math.min(ms, CEILING_MS), this.#rests.get(host)?.level ?? 0);
  }

  /** The host gave an answer of another kind. */
  answered(host: string): void {
    if (this.#rests.size > 0 && this.waitMs(host) === 0) this.#rests.delete(host);
  }

  /** Whether that is longer than it was left alone anyway. */
  #leave(host: string, ms: number, level: number): boolean {
    if (this.#rests.size >= SWEEP_AT) this.#sweep();
    const until = Math.max(this.#rests.get(host)?.until ?? -Infinity, this.#options.clock.monotonic() + ms);
    const isLonger = until > (this.#rests.get(host)?.until ?? -Infinity);
    this.#rests.set(host, { until, level });
    return isLonger;
  }

  /** What ended long ago is forgotten with its level. */
  #sweep(): void {
    const before = this.#options.clock.monotonic() - CEILING_MS;
    for (const [host, { until }] of this.#rests) if (until < before) this.#rests.delete(host);
  }
}
