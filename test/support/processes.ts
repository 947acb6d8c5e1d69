import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { eventually } from './eventually.ts';

export const REPOSITORY = resolve(import.meta.dirname, '../..');

export interface StartOptions {
  args?: readonly string[];
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** Ends the process when the current test ends. Turn off for one that a whole file shares, and call `end` in `afterAll`. */
  endAfterTest?: boolean;
}

/** A real process of ours with everything it said. */
export class TestProcess {
  readonly child: ChildProcess;
  readonly name: string;
  stdout = '';
  stderr = '';
  readonly #closed: Promise<void>;

  constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.child = child;
    child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.#closed = new Promise((done) => {
      child.once('close', () => done());
      child.once('error', (error) => {
        this.stderr += String(error);
        done();
      });
    });
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.name} did not start: ${this.stderr}`);
    return this.child.pid;
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Waits for text or a pattern in what it says on either stream; fails at once when the process ends without saying it. */
  async says(pattern: string | RegExp, withinMs = 20_000): Promise<RegExpExecArray | string> {
    const look = (): RegExpExecArray | string | undefined => {
      const said = `${this.stdout}\n${this.stderr}`;
      if (typeof pattern === 'string') return said.includes(pattern) ? pattern : undefined;
      return new RegExp(pattern.source, pattern.flags.replace('g', '')).exec(said) ?? undefined;
    };
    const outcome = await eventually(() => look() ?? (this.hasEnded ? 'ended' : undefined), {
      withinMs,
      what: `${this.name} to say ${String(pattern)}`,
    }).catch((error: Error) => {
      throw new Error(`${error.message}. It said:\n${this.tail()}`);
    });
    // What it said last may arrive after the news of its end.
    if (outcome === 'ended') await this.#closed;
    const found = look();
    if (found !== undefined) return found;
    throw new Error(`${this.name} ended without saying ${String(pattern)}. It said:\n${this.tail()}`);
  }

  /** Resolves with the exit code, or the signal's name, when it has ended. */
  async exit(withinMs = 30_000): Promise<number | NodeJS.Signals> {
    await eventually(() => this.hasEnded, { withinMs, what: `${this.name} to end; it said:\n${this.tail()}\n` });
    await this.#closed;
    return this.child.exitCode ?? this.child.signalCode ?? 1;
  }

  /** To the process only, not to its children. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** kill -9, to this process only. */
  async kill(): Promise<void> {
    if (!this.hasEnded) this.child.kill('SIGKILL');
    await this.#closed;
  }

  /** SIGTERM and, after the grace, SIGKILL. Nothing to do where it has ended already. */
  async end(graceMs = 20_000): Promise<void> {
    if (this.hasEnded || this.child.pid === undefined) return;
    this.child.kill('SIGCONT');
    this.child.kill('SIGTERM');
    await this.exit(graceMs).catch(() => this.kill());
  }

  tail(): string {
    return `${this.stdout.slice(-3000)}\n${this.stderr.slice(-3000)}`;
  }
}

/** Starts a built program (`dist/…`), a script (`scripts/….mjs`) or, with an absolute path, any command. */
export function startProcess(program: string, options: StartOptions = {}): TestProcess {
  const { args = [], env = {}, cwd = REPOSITORY, endAfterTest = true } = options;
  const isScript = /\.m?js$/.test(program);
  const command = isScript ? process.execPath : program;
  const child = spawn(command, [...(isScript ? [resolve(REPOSITORY, program)] : []), ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const started = new TestProcess(program, child);
  if (endAfterTest) onTestFinished(() => started.end());
  return started;
}
