/**
 * Calls `stop` at the first SIGINT, SIGTERM or SIGHUP and `hurry` at each later one. The returned signal aborts at the first, so
 * that what is being started is given up.
 */
export function onStopSignals(stop: () => void, hurry: (times: number) => void): AbortSignal {
  const controller = new AbortController();
  let times = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      times++;
      if (times > 1) return hurry(times);
      controller.abort();
      stop();
    });
  }
  return controller.signal;
}
