import { setTimeout as sleep } from 'node:timers/promises';
import type { FleetStatus } from '../../common/protocol/status.ts';
import { isAbort } from '../../common/runtime/errors.ts';
import type { Api } from '../machine/api.ts';

/** Cameras that hang take a request's whole timeout; more than this says that something is wrong, not slow. */
const ONCE_WITHIN_MS = 60_000;
const ASK_EVERY_MS = 1_000;
const SAY_EVERY_MS = 10_000;

interface OnceOptions {
  /** ms; what was seen before does not count. */
  startedAt: number;
  say(text: string): void;
  signal: AbortSignal;
  /** Also wait until something was classified. */
  needsModel: boolean;
}

/** Until every camera was tried at least once, or the time is up: the numbers then tell how far it came. */
export async function waitUntilAttempted(api: Api, { startedAt, say, signal, needsModel }: OnceOptions): Promise<void> {
  const deadline = performance.now() + ONCE_WITHIN_MS;
  for (let said = ''; performance.now() < deadline;) {
    signal.throwIfAborted();
    const { cameras, totals } = await api.get<FleetStatus>(`/status?since=${startedAt}`);
    const line = `${cameras.attempted} of ${cameras.capturable} cameras tried`;
    if (line !== said) say(line);
    said = line;
    if (cameras.attempted >= cameras.capturable && (!needsModel || totals.classified > 0)) return;
    await sleep(ASK_EVERY_MS, undefined, { signal });
  }
  say('Time is up: not every camera was tried.');
}

/** Says how it goes, until the signal aborts. */
export async function followStatus(api: Api, say: (text: string) => void, signal: AbortSignal): Promise<void> {
  for (let said = ''; !signal.aborted;) {
    const status = await api.get<FleetStatus>('/status').catch(() => undefined);
    const line = status ? inWords(status) : 'The coordinator does not answer now.';
    if (line !== said) say(line);
    said = line;
    await sleep(SAY_EVERY_MS, undefined, { signal }).catch((error: unknown) => {
      if (!isAbort(error)) throw error;
    });
  }
}

function inWords({ cameras, agents, totals, load, advice }: FleetStatus): string {
  const online = agents.filter(({ state }) => state === 'online').length;
  const numbers = `${cameras.attempted} of ${cameras.capturable} cameras tried, ${online} agents, ${totals.frames} frames, ${load.rate.toFixed(1)} a second`;
  return advice === null ? numbers : `${numbers}. ${advice}`;
}
