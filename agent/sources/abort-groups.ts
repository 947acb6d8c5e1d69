type Cancel = (reason: unknown) => void;

const groups = new WeakMap<AbortSignal, Set<Cancel>>();

/**
 * Calls `cancel` when the signal aborts; the function returned withdraws it. All waiters of one signal share one listener: a
 * lease's signal serves hundreds of cameras, and a listener of its own for every request costs more than the request's headers.
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
