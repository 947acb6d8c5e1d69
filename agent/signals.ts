import { EXIT } from '../common/runtime/errors.ts';

interface Stoppable {
  drain(): Promise<void>;
  cancel(): Promise<void>;
}

/** First signal: drain. Second: stop without waiting for successors. Third: exit at once; the outbox stays as it is. */
export function stopOnSignals(
  agent: Stoppable,
  process: Pick<NodeJS.Process, 'on' | 'once' | 'exit'> = globalThis.process,
): void {
  let signals = 0;
  const stop = (): void => {
    signals++;
    if (signals === 1) void agent.drain();
    else if (signals === 2) void agent.cancel();
    else process.exit(EXIT.failed);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  // Whoever started us with a channel died: nobody else would stop us.
  process.once('disconnect', () => signals > 0 || stop());
}
