import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { AppError, messageOf } from '../../common/runtime/errors.ts';

interface Answer {
  id: number;
  value?: unknown;
  error?: string;
}

/** CPU time that a process has used, and when that was asked, ms. */
export interface Usage {
  cpuMs: number;
  at: number;
}

/** A process of a benchmark on cores of its own, which answers questions one by one. */
export class Pinned {
  readonly #process: ChildProcess;
  readonly #open = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #next = 1;

  /** @param cores as `taskset -c` takes them, e.g. "0" or "0,1". */
  constructor(program: URL, cores: string, args: readonly string[] = []) {
    // The loader of the TypeScript sources is among the arguments of this very process.
    this.#process = spawn('taskset', ['-c', cores, process.execPath, ...process.execArgv, program.pathname, ...args], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#process.on('message', (answer: Answer) => this.#receive(answer));
    this.#process.once('error', (error) => this.#fail(`taskset could not be started: ${messageOf(error)}`));
    this.#process.once('exit', (code, signal) => this.#fail(`${program.pathname} ended (${signal ?? code})`));
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  /** Rejects with `BENCH_PROCESS` where the process fails or dies. */
  ask<T>(question: string, parameter: unknown = null): Promise<T> {
    const id = this.#next++;
    return new Promise<T>((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
      this.#process.send({ id, question, parameter }, (error) => error && reject(error));
    });
  }

  /** Stands still, with all that it knows and has under way. */
  pause(): void {
    this.#process.kill('SIGSTOP');
  }

  resume(): void {
    this.#process.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    this.resume();
    this.#process.disconnect();
    const late = setTimeout(() => this.#process.kill('SIGKILL'), 10_000);
    await gone;
    clearTimeout(late);
  }

  #receive({ id, value, error }: Answer): void {
    const open = this.#open.get(id);
    this.#open.delete(id);
    if (error === undefined) open?.resolve(value as never);
    else open?.reject(new AppError('BENCH_PROCESS', error));
  }

  #fail(reason: string): void {
    for (const { reject } of this.#open.values()) reject(new AppError('BENCH_PROCESS', reason));
    this.#open.clear();
  }
}

/** The other side: answers until the channel closes, then `close` and out. */
export function answerQuestions(
  answers: Record<string, (parameter: never) => unknown>,
  close: () => Promise<unknown> = async () => undefined,
): void {
  process.on('message', ({ id, question, parameter }: { id: number; question: string; parameter: unknown }) => {
    const answer = async (): Promise<unknown> => answers[question]?.(parameter as never);
    answer().then(
      (value) => process.send?.({ id, value: value ?? null }),
      (error: unknown) => process.send?.({ id, error: messageOf(error) }),
    );
  });
  process.once('disconnect', () => void close().finally(() => process.exit(0)));
}

/** CPU time of this process with all of its threads. */
export function usage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1_000, at: performance.now() };
}
