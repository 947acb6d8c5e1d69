import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Writable } from 'node:stream';
import { messageOf } from '../../../common/runtime/errors.ts';
import { redact } from '../../../common/runtime/redact.ts';

export interface ChildExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ChildOptions {
  command: readonly [string, ...string[]];
  /** Whether bytes are written to its standard input; else that is closed. */
  piped: boolean;
  onOutput(chunk: Buffer): void;
  /** Between SIGTERM and SIGKILL, ms. */
  graceMs?: number;
}

// ffmpeg ends within milliseconds of a SIGTERM, unless it waits for a peer: then TEARDOWN is not worth more time than this.
const DEFAULT_GRACE_MS = 1_500;
const TAIL_BYTES = 4_096;

/**
 * One ffmpeg, in a process group of its own (a signal to the agent's terminal or group does not reach it, and a signal to its
 * group reaches all of it). Ends by itself, or by `stop`: SIGTERM, and SIGKILL after the grace.
 */
export class FfmpegChild {
  readonly #child: ChildProcess;
  readonly #graceMs: number;
  #tail = '';
  #hasEnded = false;
  /** Resolves when the process is gone and everything that it wrote has been handed over. Never rejects. */
  readonly ended: Promise<ChildExit>;

  constructor({ command: [program, ...args], piped, onOutput, graceMs = DEFAULT_GRACE_MS }: ChildOptions) {
    this.#graceMs = graceMs;
    this.#child = spawn(program, args, {
      detached: true,
      shell: false,
      // Nothing of the agent's environment is its business; proxies and libraries to preload least of all.
      env: { AV_LOG_FORCE_NOCOLOR: '1', LC_ALL: 'C' },
      stdio: [piped ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', onOutput);
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#keep(chunk.toString('utf8')));
    // It may end before it has read everything: that is no error.
    this.#child.stdin?.on('error', () => {});
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#keep(messageOf(error));
        if (this.#child.pid === undefined) this.#settle(resolve, { code: null, signal: null });
      });
      this.#child.once('close', (code, signal) => this.#settle(resolve, { code, signal }));
    });
  }

  /** `undefined` when it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  get input(): Writable | null {
    return this.#child.stdin;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** The last that it said, without credentials. */
  get tail(): string {
    return redact(this.#tail).trim();
  }

  /** Asks it to end and sees to it that it does. Without effect on one that has ended. */
  async stop(): Promise<ChildExit> {
    this.#child.stdin?.destroy();
    this.#signal('SIGTERM');
    const late = setTimeout(() => this.#signal('SIGKILL'), this.#graceMs);
    const exit = await this.ended;
    clearTimeout(late);
    return exit;
  }

  /** Gives one that is about to end the time for it, and stops it otherwise. */
  async finish(withinMs: number): Promise<ChildExit> {
    this.#child.stdin?.destroy();
    const late = setTimeout(() => void this.stop(), withinMs);
    const exit = await this.ended;
    clearTimeout(late);
    return exit;
  }

  #settle(resolve: (exit: ChildExit) => void, exit: ChildExit): void {
    this.#hasEnded = true;
    resolve(exit);
  }

  #signal(signal: NodeJS.Signals): void {
    // Its number may belong to another process as soon as it has been reaped.
    if (this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // Not yet the leader of its group, or just gone.
      this.#child.kill(signal);
    }
  }

  #keep(text: string): void {
    this.#tail = (this.#tail + text).slice(-TAIL_BYTES);
  }
}
