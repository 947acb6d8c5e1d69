import { EXIT } from '../../common/runtime/errors.ts';

/**
 * Calls `stop` at the first SIGINT, SIGTERM or SIGHUP and `hurry` at each later one; the third ends this process. The returned signal aborts at the first, so
 * that what is being started is given up.
 */
export function onStopSignals(stop: () => void, hurry: (times: number) => void): AbortSignal {
  const controller = new AbortController();
  let times = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      times++;
      if (times > 1) hurry(times);
      // Children that are left end by themselves, because their channel to us closes.
      if (times > 2) process.exit(EXIT.failed);
      if (times > 1) return;
      controller.abort();
      stop();
    });
  }
  return controller.signal;
}
