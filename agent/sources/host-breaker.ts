import type { Clock } from '../../common/runtime/clock.ts';
import { backoffMs } from '../../common/runtime/retry.ts';

export interface BreakerPolicy {
  /** Different cameras of the host that must fail, and none succeed, before it is left alone. */
  failures: number | ((host: string) => number);
  /** For how long at first, ms, with full jitter; each failed try doubles it up to the ceiling. */
  firstMs: number;
  ceilingMs: number;
}

export interface BreakerOptions extends BreakerPolicy {
  clock: Clock;
  /** The host is left alone for so long from now, ms; 0: it answers again. */
  onChange?: (host: string, ms: number) => void;
  random?: () => number;
}

interface Trouble {
  /** Cameras that failed since the last success. */
  cameras: Set<number | symbol>;
  isOpen: boolean;
  /** Tries in a row that did not help. */
  level: number;
  /** Monotonic ms; the host is left alone until then. */
  openUntil: number;
  /** When the try began that decides, monotonic ms. */
  triedAt: number | undefined;
}

/** Whoever waits for the try of another camera looks again after this time. */
const LOOK_AGAIN_MS = 5_000;
/** A try of which nothing was heard for so long was never made: its camera went while it waited for its turn. */
const TRY_MS = 60_000;

/**
 * Leaves a host alone that fails for camera after camera, so that its 300 cameras do not all knock. States of a host: closed
 * (nothing stored, or fewer failures than the policy's), open (until `openUntil`), half-open (one camera is tried and decides).
 */
export class HostBreaker {
  readonly #options: BreakerOptions;
  readonly #troubles = new Map<string, Trouble>();

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  /** Hosts in trouble. */
  get size(): number {
    return this.#troubles.size;
  }

  /** How long to leave the host alone, ms; 0: try now, and report by `succeeded`, `failed` or `abandoned`. */
  waitMs(host: string): number {
    const trouble = this.#troubles.get(host);
    if (!trouble?.isOpen) return 0;
    const left = trouble.openUntil - this.#options.clock.monotonic();
    if (left > 0) return left;
    const now = this.#options.clock.monotonic();
    if (trouble.triedAt !== undefined && now - trouble.triedAt < TRY_MS) return LOOK_AGAIN_MS;
    trouble.triedAt = now;
    return 0;
  }

  succeeded(host: string): void {
    const trouble = this.#troubles.get(host);
    if (!trouble) return;
    this.#troubles.delete(host);
    if (trouble.isOpen) this.#options.onChange?.(host, 0);
  }

  /** A failure that is the host's, of one of its cameras. */
  failed(host: string, camera: number | symbol = Symbol('a camera')): void {
    const trouble = this.#troubleOf(host);
    // Of those that were under way when it opened none counts.
    if (trouble.isOpen && trouble.triedAt === undefined) return;
    trouble.triedAt = undefined;
    trouble.cameras.add(camera);
    trouble.isOpen ||= trouble.cameras.size >= this.#needed(host);
    if (!trouble.isOpen) return;
    const ms = backoffMs(this.#options, trouble.level++, this.#options.random);
    trouble.openUntil = this.#options.clock.monotonic() + ms;
    this.#options.onChange?.(host, ms);
  }

  /** The attempt that should have decided was given up (its lease is gone), or said nothing about the host. */
  abandoned(host: string): void {
    const trouble = this.#troubles.get(host);
    if (trouble) trouble.triedAt = undefined;
  }

  /** Another agent, or an earlier holder, found the host failing: one camera of it is tried after so many ms. */
  told(host: string, ms: number): void {
    const trouble = this.#troubleOf(host);
    if (trouble.isOpen) return;
    trouble.isOpen = true;
    trouble.openUntil = this.#options.clock.monotonic() + Math.min(ms, this.#options.ceilingMs);
  }

  #needed(host: string): number {
    const { failures } = this.#options;
    return typeof failures === 'number' ? failures : failures(host);
  }

  #troubleOf(host: string): Trouble {
    let trouble = this.#troubles.get(host);
    if (!trouble) {
      trouble = { cameras: new Set(), isOpen: false, level: 0, openUntil: -Infinity, triedAt: undefined };
      this.#troubles.set(host, trouble);
    }
    return trouble;
  }
}
