import { setTimeout as delay } from 'node:timers/promises';

/** Time is passed in, so that tests of watchdogs and leases take no wall time. */
export interface Clock {
  /** Wall clock, ms since the epoch. May jump. */
  now(): number;
  /** Monotonic, ms since an arbitrary origin. Never jumps; on Linux it stands still while the machine is suspended. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal ? { signal } : {}),
};

/** A clock that moves only when told. `advance` runs every sleeper that falls due, in order. */
export class SimulatedClock implements Clock {
  #elapsed = 0;
  readonly #wallOffset: number;
  #sleepers: { due: number; order: number; wake: () => void }[] = [];
  #order = 0;

  constructor(startMs = 1_700_000_000_000) {
    this.#wallOffset = startMs;
  }

  now(): number {
    return this.#wallOffset + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const sleeper = { due: this.#elapsed + Math.max(0, ms), order: this.#order++, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener(
        'abort',
        () => {
          this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
          reject(signal.reason as Error);
        },
        { once: true },
      );
    });
  }

  async advance(ms: number): Promise<void> {
    const until = this.#elapsed + ms;
    for (;;) {
      const next = this.#sleepers.filter((s) => s.due <= until).sort((a, b) => a.due - b.due || a.order - b.order)[0];
      if (!next) break;
      this.#sleepers = this.#sleepers.filter((s) => s !== next);
      this.#elapsed = Math.max(this.#elapsed, next.due);
      next.wake();
      // Let everything that the sleeper woke run before time moves on.
      for (let i = 0; i < 10; i++) await Promise.resolve();
    }
    this.#elapsed = until;
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }
}
