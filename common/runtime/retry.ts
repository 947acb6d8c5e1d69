import type { Clock } from './clock.ts';

export interface BackoffPolicy {
  firstMs: number;
  ceilingMs: number;
}

/** Full jitter: uniform over (0, min(ceiling, first · 2^attempt)], so that many that failed together do not return together. */
export function backoffMs(
  { firstMs, ceilingMs }: BackoffPolicy,
  attempt: number,
  random: () => number = Math.random,
): number {
  const bound = Math.min(ceilingMs, firstMs * 2 ** Math.min(attempt, 30));
  return Math.ceil(bound * (1 - random()));
}

/** Calls `run` until it succeeds, `isFinal` says that trying again is pointless, or the signal aborts. */
export async function retry<T>(
  run: (attempt: number) => Promise<T>,
  options: { policy: BackoffPolicy; clock: Clock; signal: AbortSignal; isFinal?: (error: unknown) => boolean },
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    options.signal.throwIfAborted();
    try {
      return await run(attempt);
    } catch (error) {
      if (options.isFinal?.(error)) throw error;
      await options.clock.sleep(backoffMs(options.policy, attempt), options.signal);
    }
  }
}
