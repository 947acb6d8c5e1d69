import { setTimeout as sleep } from 'node:timers/promises';
import type { FleetStatus } from '../../common/protocol/status.ts';
import type { TrainingRunSummary } from '../../common/protocol/training.ts';
import { isAbort } from '../../common/runtime/errors.ts';
import type { Api } from '../machine/api.ts';

/** Cameras that hang take a request's whole timeout; more than this says that something is wrong, not slow. */
const ONCE_WITHIN_MS = 60_000;
/**
 * From the start to a trained model that has classified: a start of 15 s, a first round of labels, some 25 s of training, the
 * switch; 60 s on two cores with other things to do. More than twice that, because a model is what is waited for.
 */
const TRAINED_WITHIN_MS = 150_000;
const ASK_EVERY_MS = 1_000;
const SAY_EVERY_MS = 10_000;

interface OnceOptions {
  /** ms; what was seen before does not count. */
  startedAt: number;
  say(text: string): void;
  signal: AbortSignal;
  /** Also wait until something was classified. */
  needsModel: boolean;
  /** The model has to be trained first. */
  trained: boolean;
}

/** Until every camera was tried at least once and the model that is waited for has classified, or the time is up: the numbers then tell how far it came. */
export async function waitUntilAttempted(api: Api, options: OnceOptions): Promise<void> {
  const { startedAt, say, signal, needsModel, trained } = options;
  const triedBy = performance.now() + ONCE_WITHIN_MS;
  const modelBy = trained ? startedAt + TRAINED_WITHIN_MS - Date.now() + performance.now() : triedBy;
  for (let said = ''; ;) {
    signal.throwIfAborted();
    const status = await api.get<FleetStatus>(`/status?since=${startedAt}`);
    const { cameras, totals } = status;
    const isTried = cameras.attempted >= cameras.capturable;
    const hasModel = !needsModel || totals.classified > 0;
    const line = `${cameras.attempted} of ${cameras.capturable} cameras tried${trained ? await trainingInWords(api) : ''}`;
    if (line !== said) say(line);
    said = line;
    if (isTried && hasModel) return;
    const now = performance.now();
    if ((isTried || now > triedBy) && (hasModel || now > modelBy)) break;
    await sleep(ASK_EVERY_MS, undefined, { signal });
  }
  say('Time is up: not every camera was tried, or no model has classified yet.');
}

/** What the newest training run does. */
async function trainingInWords(api: Api): Promise<string> {
  const [run] = (await api.get<{ runs: TrainingRunSummary[] }>('/training/runs?limit=1')).runs;
  if (!run) return ', collecting labels';
  const { state, note, progress, figures, error } = run;
  if (figures)
    return `, model trained: accuracy ${figures.accuracy.toFixed(2)}, macro F1 ${figures.macroF1.toFixed(2)}`;
  if (state !== 'running') return `, training ${state}${error === null ? '' : `: ${error}`}`;
  return `, training: ${progress && note === 'trains' ? `${progress.run.toUpperCase()} ${Math.round((100 * progress.iteration) / progress.iterations)} %` : (note ?? 'begins')}`;
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
