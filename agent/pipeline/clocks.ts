import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../common/runtime/clock.ts';

/** CLOCK_MONOTONIC in ms: the same in every thread of the process, which `performance.now()` is not. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}

export const threadClock: Clock = {
  now: () => Date.now(),
  monotonic: monotonicMs,
  sleep: (ms, signal) => delay(ms, undefined, signal ? { signal } : {}),
};

/** Shows the coordinator's time, as far as it is known, so that what is remembered of a camera means the same to every agent. */
export class CoordinatorClock implements Clock {
  /** Coordinator's time minus monotonic clock, ms. */
  offset: number = Date.now() - monotonicMs();

  now(): number {
    return this.offset + monotonicMs();
  }

  monotonic(): number {
    return monotonicMs();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return threadClock.sleep(ms, signal);
  }
}
