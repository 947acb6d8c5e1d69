import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Evaluation, IterationReport, TrainingReport } from '../../common/domain/training.ts';
import type { TrainingSettings } from '../../common/protocol/training.ts';
import { AppError } from '../../common/runtime/errors.ts';

/** What the child is asked. Folders are absolute. */
export type ChildRequest =
  | {
      kind: 'train';
      dataset: string;
      /** Checkpoints, report and artifact; a checkpoint that lies here is gone on with. */
      folder: string;
      /** Where the backbone lies that the settings may name. */
      backbones: string;
      settings: TrainingSettings;
      keyFile: string;
      modelName: string;
    }
  | { kind: 'judge'; dataset: string; model: string };

export type ChildMessage =
  | { iteration: IterationReport }
  | { note: string }
  | { trained: { artifact: string; report: TrainingReport } }
  | { judged: Evaluation }
  | { failed: { code: string; message: string } };

type Outcome = Exclude<ChildMessage, { iteration: unknown } | { note: unknown } | { failed: unknown }>;

export interface Listener {
  iteration?(report: IterationReport): void;
  note?(note: string): void;
}

const FROM_SOURCES = import.meta.url.endsWith('.ts');
const PROGRAM = fileURLToPath(new URL(FROM_SOURCES ? './child-process.ts' : './child-process.js', import.meta.url));
/** Saving a checkpoint of 100 MB on a slow disk. */
const STOP_WITHIN_MS = 20_000;

/**
 * Training in a process of its own: it may block and crash without stopping the heartbeat, and its memory is gone afterwards. When
 * `signal` aborts it saves a checkpoint and ends; the promise then rejects with the signal's reason.
 *
 * @throws AppError with the child's code, or TRAINING_CRASHED
 */
export function runChild(request: ChildRequest, listener: Listener, signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    // The child inherits our low priority, with all its threads.
    const child = fork(PROGRAM, [], {
      execArgv: FROM_SOURCES ? ['--import', 'tsx'] : [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // Ctrl-C reaches us alone, and us first.
      detached: true,
    });
    let outcome: Outcome | undefined;
    let failure: AppError | undefined;
    let killing: NodeJS.Timeout | undefined;
    const stop = (): void => {
      if (child.connected) child.send({ stop: true });
      killing = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
    };
    child.on('message', (message: ChildMessage) => {
      if ('iteration' in message) listener.iteration?.(message.iteration);
      else if ('note' in message) listener.note?.(message.note);
      else if ('failed' in message) failure = new AppError(message.failed.code, message.failed.message);
      else outcome = message;
    });
    child.once('error', reject);
    child.once('exit', (code, killedBy) => {
      clearTimeout(killing);
      signal.removeEventListener('abort', stop);
      if (outcome) return resolve(outcome);
      if (signal.aborted) return reject(signal.reason as Error);
      reject(failure ?? crashed(killedBy ?? `exit code ${code}`));
    });
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    child.send(request);
  });
}

const crashed = (how: string): AppError =>
  new AppError(
    'TRAINING_CRASHED',
    `The process that trained ended with ${how}. SIGKILL is mostly a lack of memory: give the machine more, or a smaller batch.`,
  );
