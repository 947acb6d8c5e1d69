import type { Clock } from '../../common/runtime/clock.ts';

export interface BreakerPolicy {
  /** Failures in a row, over all cameras of the host, after which it is left alone. */
  failures: number;
  /** For how long, ms. Then one attempt decides. */
  openMs: number;
}

interface Trouble {
  failures: number;
  /** Monotonic ms; the host is left alone until then. */
  openUntil: number;
  trying: boolean;
}

/**
 * Leaves a host alone that fails again and again, so that its 300 cameras do not all knock. States of a host: closed (nothing
 * stored, or fewer failures than the policy's), open (until `openUntil`), half-open (one attempt is under way and decides).
 */
export class HostBreaker {
  readonly #policy: BreakerPolicy;
  readonly #clock: Clock;
  readonly #troubles = new Map<string, Trouble>();

  constructor({ clock, ...policy }: BreakerPolicy & { clock: Clock }) {
    this.#clock = clock;
    this.#policy = policy;
  }

  /** Hosts in trouble. */
  get size(): number {
    return this.#troubles.size;
  }

  /** How long to leave the host alone, ms; 0: try now, and report by `succeeded` or `failed`. */
  waitMs(host: string): number {
    const trouble = this.#troubles.get(host);
    if (!trouble || trouble.failures < this.#policy.failures) return 0;
    const left = trouble.openUntil - this.#clock.monotonic();
    if (left > 0) return left;
    if (trouble.trying) return this.#policy.openMs;
    trouble.trying = true;
    return 0;
  }

  succeeded(host: string): void {
    this.#troubles.delete(host);
  }

  failed(host: string): void {
    const trouble = this.#troubles.get(host) ?? { failures: 0, openUntil: -Infinity, trying: false };
    this.#troubles.set(host, trouble);
    trouble.failures++;
    trouble.trying = false;
    if (trouble.failures >= this.#policy.failures) trouble.openUntil = this.#clock.monotonic() + this.#policy.openMs;
  }

  /** The attempt that should have decided was given up (its lease is gone). */
  abandoned(host: string): void {
    const trouble = this.#troubles.get(host);
    if (trouble) trouble.trying = false;
  }
}
