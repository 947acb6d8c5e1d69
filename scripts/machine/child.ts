import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../common/runtime/clock.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { backoffMs } from '../../common/runtime/retry.ts';

export interface ChildOptions {
  name: string;
  /** Below the folder of the built programs, e.g. `coordinator/main.js`. */
  program: string;
  args: readonly string[];
  env?: Record<string, string>;
  /** What the child says goes here. */
  logFile: string;
  /** What to give when it is started again after it died; the same where absent. */
  again?: () => { args: readonly string[]; env?: Record<string, string> };
  say(text: string): void;
}

const PROGRAMS = fileURLToPath(new URL('../../', import.meta.url));
const RESTART_POLICY = { firstMs: 500, ceilingMs: 15_000 };
/** A child that lived this long was healthy: its next end is a new story. */
const HEALTHY_MS = 60_000;
const LOG_TAIL = 1_500;

/**
 * A process of ours in a group of its own, so that Ctrl-C reaches it through us and in order. It is started again when it dies,
 * and ends by itself when we die: the channel between us closes then.
 */
export class Child {
  readonly #options: ChildOptions;
  #process: ChildProcess | undefined;
  #stopping = false;
  #ended: Promise<void> = Promise.resolve();
  /** Where this run's part of the log begins. */
  #logFrom = 0;

  constructor(options: ChildOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts it and waits for the message `{ ready: … }` or `{ started: … }`; rejects with the end of its log when it dies before. */
  async start<T = unknown>(withinMs = 60_000): Promise<T> {
    const ready = this.#launch<T>(this.#options.args, this.#options.env);
    const timeout = new AbortController();
    const late = systemClock.sleep(withinMs, timeout.signal).then(() => {
      throw new AppError('CHILD_SLOW', `${this.#options.name} was not ready in ${withinMs / 1000} s. ${this.#tail()}`);
    });
    late.catch(() => undefined);
    return Promise.race([ready, late]).finally(() => timeout.abort());
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#isAlive()) this.#process?.kill(signal);
  }

  /** SIGTERM, and SIGKILL after the grace. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    if (!this.#isAlive()) return;
    const timeout = new AbortController();
    this.signal('SIGTERM');
    const kill = systemClock.sleep(graceMs, timeout.signal).then(
      () => {
        this.#options.say(`${this.#options.name} did not stop in ${graceMs / 1000} s and is killed`);
        this.signal('SIGKILL');
      },
      () => undefined,
    );
    await this.#ended;
    timeout.abort();
    await kill;
  }

  #launch<T>(args: readonly string[], env: Record<string, string> = {}): Promise<T> {
    const { program, logFile, name } = this.#options;
    mkdirSync(dirname(logFile), { recursive: true });
    const log = openSync(logFile, 'a', 0o600);
    this.#logFrom = fstatSync(log).size;
    const child = spawn(process.execPath, [`${PROGRAMS}${program}`, ...args], {
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...process.env, ...env },
    });
    closeSync(log);
    this.#process = child;
    const startedAt = performance.now();
    return new Promise<T>((resolve, reject) => {
      child.on('message', (message) => {
        const { ready, started } = message as { ready?: T; started?: T };
        if (ready ?? started) resolve((ready ?? started) as T);
      });
      this.#ended = new Promise((done) => {
        child.once('error', reject);
        child.once('exit', (code, signal) => {
          done();
          reject(new AppError('CHILD_ENDED', `${name} ended (${signal ?? code}) before it was ready. ${this.#tail()}`));
        });
      });
      child.once('message', () => void this.#restartWhenDead(startedAt));
    });
  }

  async #restartWhenDead(startedAt: number, attempt = 0): Promise<void> {
    await this.#ended;
    if (this.#stopping) return;
    const { name, say, again, args, env } = this.#options;
    say(`${name} ended unexpectedly and is started again; ${this.#options.logFile} has the reason`);
    await systemClock.sleep(backoffMs(RESTART_POLICY, performance.now() - startedAt > HEALTHY_MS ? 0 : attempt + 1));
    if (this.#stopping) return;
    const next = again?.() ?? { args, ...(env && { env }) };
    // It watches itself once it is ready; one that dies before that is tried again here.
    await this.#launch(next.args, next.env).catch(() => this.#restartWhenDead(performance.now(), attempt + 1));
  }

  #isAlive(): boolean {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  #tail(): string {
    const text = readFileSync(this.#options.logFile).subarray(this.#logFrom).toString('utf8').slice(-LOG_TAIL).trim();
    return `The end of ${this.#options.logFile}:\n${text}`;
  }
}
