import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

export interface EventuallyOptions {
  withinMs?: number;
  everyMs?: number;
  /** What is waited for, in the words of the failure. */
  what?: string;
}

/**
 * Asks until the answer is truthy and returns it. A probe that throws counts as "not yet". The failure shows the last answer
 * or the last error.
 */
export async function eventually<T>(
  probe: () => T | Promise<T>,
  { withinMs = 10_000, everyMs = 25, what = 'the condition' }: EventuallyOptions = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + withinMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`Waited ${withinMs} ms in vain for ${what}; last seen: ${inspect(last, { depth: 4 })}`);
    }
    await sleep(everyMs);
  }
}
