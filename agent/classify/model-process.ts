import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { HeadScores } from '../../common/inference/model-runner.ts';
import { AppError } from '../../common/runtime/errors.ts';
import type { FromChild, ToChild } from './child-protocol.ts';

// From sources the child needs the same loader as its parent; compiled, it is plain JavaScript.
const FROM_SOURCES = import.meta.url.endsWith('.ts');
const CHILD = fileURLToPath(new URL(FROM_SOURCES ? './child.ts' : './child.js', import.meta.url));
// Loading, verifying and proving 100 MB takes seconds on a slow disk; a minute means that something hangs.
const LOAD_TIMEOUT_MS = 60_000;
const CLASSIFY_TIMEOUT_MS = 30_000;

interface Pending {
  resolve(message: FromChild): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

/** One model in a child process of its own. It is never given a second model: memory goes back when the process ends. */
export class ModelProcess {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #ended: Promise<void>;
  #nextId = 1;
  #alive = true;
  #settled: (() => void) | undefined;
  version = '';
  msPerPicture = 0;

  constructor() {
    this.#child = fork(CHILD, [], {
      serialization: 'advanced',
      execArgv: FROM_SOURCES ? ['--import', 'tsx'] : [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      // A group of its own: Ctrl-C must not end it before the frames in flight are classified.
      detached: true,
    });
    this.#child.on('message', (message: FromChild) => this.#settle(message));
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#alive = false;
        this.#failAll(new AppError('CLASSIFIER_ENDED', `The classifier's process ended (${signal ?? code}).`));
        resolve();
      });
    });
    this.#child.once('error', (error) => this.#failAll(error));
  }

  get alive(): boolean {
    return this.#alive;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Verifies, loads and proves the artifact on its golden frames. @throws AppError MODEL_* */
  async load(folder: string, publicKey: string, threads: number): Promise<void> {
    const answer = await this.#ask({ type: 'load', id: 0, folder, publicKey, threads }, LOAD_TIMEOUT_MS);
    if (answer.type !== 'loaded') throw new AppError('CLASSIFIER_FAILED', 'Unexpected answer to load.');
    this.version = answer.version;
    this.msPerPicture = answer.msPerPicture;
  }

  async classify(pictures: Uint8Array[]): Promise<(HeadScores | null)[]> {
    const answer = await this.#ask({ type: 'classify', id: 0, pictures }, CLASSIFY_TIMEOUT_MS);
    if (answer.type !== 'scores') throw new AppError('CLASSIFIER_FAILED', 'Unexpected answer to classify.');
    return answer.heads;
  }

  /** What is being classified is finished first. */
  async stop(): Promise<void> {
    while (this.#alive && this.#pending.size > 0) await new Promise<void>((resolve) => (this.#settled = resolve));
    if (this.#alive) {
      if (this.#child.connected) this.#child.disconnect();
      const hard = setTimeout(() => this.#child.kill('SIGKILL'), 3_000);
      await this.#ended;
      clearTimeout(hard);
    }
  }

  #ask(message: ToChild, timeoutMs: number): Promise<FromChild> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (!this.#alive || !this.#child.connected) {
        return reject(new AppError('CLASSIFIER_ENDED', "The classifier's process is gone."));
      }
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        this.#settled?.();
        // It will not come back to its senses: the next batch gets a fresh process.
        this.#child.kill('SIGKILL');
        reject(new AppError('CLASSIFIER_TIMEOUT', `The classifier did not answer within ${timeoutMs} ms.`));
      }, timeoutMs);
      this.#pending.set(id, { resolve, reject, timer });
      this.#child.send({ ...message, id });
    });
  }

  #settle(message: FromChild): void {
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    this.#pending.delete(message.id);
    clearTimeout(pending.timer);
    if (message.type === 'failed') pending.reject(new AppError(message.code, message.message));
    else pending.resolve(message);
    this.#settled?.();
  }

  #failAll(error: Error): void {
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#pending.clear();
    this.#settled?.();
  }
}
