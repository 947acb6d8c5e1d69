import type { Clock } from '../../common/runtime/clock.ts';

type Cancel = (reason: unknown) => void;

const groups = new WeakMap<AbortSignal, Set<Cancel>>();

/**
 * Calls `cancel` when the signal aborts; the function returned withdraws it. All waiters of one signal share one listener: a
 * lease's signal serves hundreds of cameras, and a listener of its own for every request costs more than the request's headers
 * (and Node warns of a leak from the eleventh on). A signal that has aborted already calls nobody: look at it first.
 */
export function onAbort(signal: AbortSignal, cancel: Cancel): () => void {
  let group = groups.get(signal);
  if (!group) {
    const created = new Set<Cancel>();
    group = created;
    groups.set(signal, created);
    signal.addEventListener('abort', () => abortAll(signal, created), { once: true });
  }
  group.add(cancel);
  return () => void group.delete(cancel);
}

function abortAll(signal: AbortSignal, group: Set<Cancel>): void {
  const cancels = [...group];
  group.clear();
  for (const cancel of cancels) cancel(signal.reason);
}

/** `clock.sleep` for the many that sleep under one lease. Rejects with the signal's reason. */
export async function sleepUnder(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const stop = new AbortController();
  const withdraw = onAbort(signal, () => stop.abort());
  try {
    await clock.sleep(ms, stop.signal);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    withdraw();
  }
}
