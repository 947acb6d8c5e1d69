import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { AppError, messageOf } from '../../../common/runtime/errors.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Logger } from '../../../common/runtime/logger.ts';
import { backoffMs } from '../../../common/runtime/retry.ts';
import type { Account } from './account.ts';
import { stopProcess } from './processes.ts';
import type { StopStep } from './processes.ts';

export interface ServerSpec {
  name: 'PostgreSQL' | 'Redis';
  binary: string;
  args: readonly string[];
  /** Its data folder; also its working folder, by which a later start recognises it. */
  folder: string;
  account: Account | undefined;
  /** Whether the server with this pid takes clients now. */
  isReady(pid: number): Promise<boolean>;
  /** Removes what a dead predecessor left in the way; runs before every start. */
  clearStale(): Promise<void>;
  ladder: readonly StopStep[];
}

/** Recovery replays the log since the last checkpoint; on a slow disk that takes its time. */
const READY_WITHIN_MS = 120_000;
/** Long enough not to spin, short enough that the fleet hardly notices. No last attempt: without its servers there is nothing else to do. */
const RESTART_POLICY = { firstMs: 250, ceilingMs: 10_000 };
/** A server that lived this long was healthy: its next death starts the back-off anew. */
const HEALTHY_AFTER_MS = 30_000;

type State = 'stopped' | 'starting' | 'running' | 'restarting' | 'stopping';

/** One server as our child, in a process group of its own (Ctrl-C must not reach it before us), started again when it dies. */
export class SupervisedServer {
  readonly #spec: ServerSpec;
  readonly #logger: Logger;
  readonly #clock: Clock;
  #state: State = 'stopped';
  #child: ChildProcess | undefined;
  #stopping = new AbortController();
  #lastLines: string[] = [];
  #restarting: Promise<void> | undefined;

  constructor(spec: ServerSpec, { logger, clock }: { logger: Logger; clock: Clock }) {
    this.#spec = spec;
    this.#logger = logger;
    this.#clock = clock;
  }

  get state(): State {
    return this.#state;
  }

  /** The server's pid, `undefined` while it is down. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when the server takes clients. */
  async start(): Promise<void> {
    this.#stopping = new AbortController();
    this.#state = 'starting';
    try {
      await this.#runOnce();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Stops and starts it, in order; resolves when it takes clients again. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async stop(): Promise<void> {
    this.#state = 'stopping';
    this.#stopping.abort();
    await this.#restarting?.catch(() => undefined);
    if (this.#child?.pid !== undefined) await stopProcess(this.#child.pid, this.#spec.ladder, this.#clock);
    this.#child = undefined;
    this.#state = 'stopped';
  }

  async #runOnce(): Promise<void> {
    await this.#spec.clearStale();
    const { binary, args, folder, account } = this.#spec;
    const child = spawn(binary, args, {
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: serverEnvironment(),
      ...(account && { uid: account.uid, gid: account.gid }),
    });
    this.#child = child;
    this.#lastLines = [];
    for (const stream of [child.stdout, child.stderr]) this.#readLines(stream);
    const startedAt = this.#clock.monotonic();
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(messageOf(error)));
      child.once('exit', (code, signal) => resolve(signal ? `signal ${signal}` : `exit code ${code ?? 'unknown'}`));
    });
    void ended.then((how) => this.#ended(child, how, this.#clock.monotonic() - startedAt));
    await this.#waitUntilReady(child, ended);
    this.#state = 'running';
    this.#logger.info({ server: this.#spec.name, pid: child.pid }, 'server is ready');
  }

  async #waitUntilReady(child: ChildProcess, ended: Promise<string>): Promise<void> {
    const signal = this.#stopping.signal;
    let end: string | undefined;
    void ended.then((how) => (end = how));
    const deadline = this.#clock.monotonic() + READY_WITHIN_MS;
    while (!(child.pid !== undefined && (await this.#spec.isReady(child.pid)))) {
      signal.throwIfAborted();
      if (end !== undefined) throw this.#failure(`ended with ${end} before it was ready`);
      if (this.#clock.monotonic() > deadline) throw this.#failure(`was not ready within ${READY_WITHIN_MS / 1000} s`);
      await this.#clock.sleep(10);
    }
  }

  #failure(what: string): AppError {
    const said = this.#lastLines.length > 0 ? ` It said: ${this.#lastLines.join(' | ')}` : '';
    return new AppError('SERVICES_START', `${this.#spec.name} ${what} (folder ${this.#spec.folder}).${said}`);
  }

  #ended(child: ChildProcess, how: string, livedMs: number): void {
    if (this.#child === child) this.#child = undefined;
    if (this.#state !== 'running') return;
    this.#logger.error({ server: this.#spec.name, how, said: this.#lastLines }, 'server died, starting it again');
    this.#state = 'restarting';
    this.#restarting = this.#restartUntilReady(livedMs > HEALTHY_AFTER_MS ? 0 : 1);
  }

  async #restartUntilReady(firstAttempt: number): Promise<void> {
    const { signal } = this.#stopping;
    for (let attempt = firstAttempt; !signal.aborted; attempt++) {
      try {
        await this.#clock.sleep(backoffMs(RESTART_POLICY, attempt), signal);
        await this.#runOnce();
        return;
      } catch (error) {
        if (!signal.aborted)
          this.#logger.error({ server: this.#spec.name, attempt, err: error }, 'server did not start');
        const pid = this.#child?.pid;
        if (pid !== undefined && !signal.aborted) await stopProcess(pid, this.#spec.ladder, this.#clock);
      }
    }
  }

  #readLines(stream: NodeJS.ReadableStream | null): void {
    if (!stream) return;
    createInterface({ input: stream }).on('line', (line) => {
      this.#lastLines = [...this.#lastLines.slice(-4), line.trim()];
      this.#logger.debug({ server: this.#spec.name, line }, 'server says');
    });
  }
}

/** What the servers need and nothing else: our own environment may hold credentials. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}
