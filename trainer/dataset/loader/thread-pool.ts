import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { AppError, messageOf } from '../../../common/runtime/errors.ts';
import { startThread } from '../../../common/runtime/thread.ts';
import type { FromThread, ThreadItem, ThreadSettings, ToThread } from './messages.ts';

interface Waiting {
  resolve(): void;
  reject(error: AppError): void;
}

/** Preparing threads. Once one of them has died no job succeeds any more: a batch with holes would be worse. */
export class ThreadPool {
  readonly threads: number;
  readonly #workers: Worker[];
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #ended: AppError | undefined;

  constructor(threads: number, settings: ThreadSettings) {
    this.threads = threads;
    this.#workers = Array.from({ length: threads }, () => {
      const worker = startThread(import.meta.url, './prepare-thread', settings);
      worker.on('message', (message: FromThread) => this.#settle(message));
      worker.on('error', (error) => this.#fail(`A thread that prepares images failed: ${messageOf(error)}`));
      worker.on('exit', (code) => this.#fail(`A thread that prepares images ended with code ${code}.`));
      return worker;
    });
  }

  /** Gives each share to a thread of its own. Resolves when all are in `output`, rejects when the last has answered. */
  async prepare(shares: readonly ThreadItem[][], output: SharedArrayBuffer): Promise<void> {
    const results = await Promise.allSettled(shares.map((items, i) => this.#ask(i, items, output)));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  #ask(thread: number, items: ThreadItem[], output: SharedArrayBuffer): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      const message: ToThread = { type: 'prepare', id, items, output };
      this.#workers[thread]?.postMessage(message);
    });
  }

  #settle({ id, error }: FromThread): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new AppError(error.code, error.message));
    else waiting?.resolve();
  }

  #fail(message: string): void {
    this.#end(new AppError('LOADER_FAILED', message));
  }

  #end(error: AppError): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }

  /** Waits for the jobs that threads have begun, then for the threads to end. */
  async close(): Promise<void> {
    this.#end(new AppError('LOADER_CLOSED', 'The image loader was closed while a batch was under way.'));
    const close: ToThread = { type: 'close' };
    await Promise.all(
      this.#workers.map(async (worker) => {
        if (worker.threadId === -1) return;
        const ended = once(worker, 'exit');
        worker.postMessage(close);
        await ended;
      }),
    );
  }
}
