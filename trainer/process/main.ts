import { randomUUID } from 'node:crypto';
import { constants, getPriority, setPriority } from 'node:os';
import { codeOf, EXIT, messageOf } from '../../common/runtime/errors.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { createLogger } from '../../common/runtime/logger.ts';
import type { Logger } from '../../common/runtime/logger.ts';
import { TrainerApi } from './api.ts';
import { HELP, trainerOptions } from './options.ts';
import type { TrainerOptions } from './options.ts';
import { work } from './run.ts';
import type { RunOutcome } from './run.ts';

const ASK_EVERY_MS = 2_000;

/** The trainer as a process: asks for runs, trains them, publishes their models, until it is told to stop. */
async function main(): Promise<number> {
  const options = await trainerOptions(process.argv.slice(2), process.env);
  if (!options) {
    process.stdout.write(HELP);
    return EXIT.done;
  }
  giveWay();
  const logger = createLogger({ level: 'info', base: { app: 'trainer' } });
  const signal = stopOnSignals();
  process.send?.({ ready: { name: options.name } });
  logger.info({ server: options.server.origin, name: options.name }, 'trainer waits for runs');
  const outcome = await trainUntil(signal, options, logger);
  return options.once && outcome !== 'succeeded' ? EXIT.failed : EXIT.done;
}

/** Capture and coordinator come first on a shared machine. Children and their threads inherit this. */
function giveWay(): void {
  try {
    setPriority(Math.min(constants.priority.PRIORITY_LOW, getPriority() + constants.priority.PRIORITY_BELOW_NORMAL));
  } catch {
    // Some containers forbid even that.
  }
}

async function trainUntil(
  signal: AbortSignal,
  { server, token, folder, backbones, name, once }: TrainerOptions,
  logger: Logger,
): Promise<RunOutcome | undefined> {
  const api = new TrainerApi(server, token);
  // Two trainers of one host must not take each other's claims for their own.
  const trainer = `${name}/${randomUUID().slice(0, 8)}`;
  while (!signal.aborted) {
    const order = await nextOrder(api, trainer, signal, logger);
    if (order) {
      const outcome = await work(order, { api, trainer, folder, backbones, signal, logger });
      if (once) return outcome;
    } else await systemClock.sleep(ASK_EVERY_MS, signal).catch(() => undefined);
  }
  return undefined;
}

/** `null` while none waits. A token that is refused ends the process: waiting would not mend it. */
async function nextOrder(api: TrainerApi, trainer: string, signal: AbortSignal, logger: Logger) {
  try {
    return (await api.waiting(signal)) > 0 ? await api.claim(trainer, signal) : null;
  } catch (error) {
    if (signal.aborted) return null;
    if (['UNAUTHENTICATED', 'FORBIDDEN'].includes(codeOf(error) ?? '')) throw error;
    logger.warn({ code: codeOf(error) }, 'no run could be asked for');
    return null;
  }
}

/** The first signal hands back what is under way, the second ends at once. */
function stopOnSignals(): AbortSignal {
  const stopping = new AbortController();
  const stop = (): void => {
    if (stopping.signal.aborted) process.exit(EXIT.failed);
    stopping.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  // Whoever started us with a channel died: nobody else would stop us.
  process.once('disconnect', () => stopping.signal.aborted || stop());
  return stopping.signal;
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  const code = codeOf(error) ?? '';
  return code === 'USAGE' ? EXIT.usage : ['UNAUTHENTICATED', 'FORBIDDEN'].includes(code) ? EXIT.refused : EXIT.failed;
});
// An open channel to whoever started us would keep us here.
process.exit();
