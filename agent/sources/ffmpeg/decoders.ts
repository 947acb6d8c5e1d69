import type { Writable } from 'node:stream';
import { AppError } from '../../../common/runtime/errors.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { sourceError } from '../errors.ts';
import { HostLimiter } from '../host-limiter.ts';
import { MjpegParser } from '../mjpeg-parser.ts';
import { ffmpegArguments } from './arguments.ts';
import type { Input } from './arguments.ts';
import { FfmpegChild } from './child.ts';
import { findFfmpeg, releaseOf } from './find.ts';
import type { Ffmpeg } from './find.ts';
import { findLauncher, guarded } from './launcher.ts';
import type { Launcher } from './launcher.ts';

export interface DecodersOptions {
  clock: Clock;
  /** The operator's ffmpeg; else the one of ffmpeg-static or the PATH. */
  configured?: string | undefined;
  maxPixels?: number;
  /** Bytes of one picture. */
  maxBytes?: number;
  /** Children that take one picture and end, at the same time. Each takes some 40 MB. */
  maxBrief?: number;
  /** Children that stay; cameras beyond that are connected to for each picture. */
  maxStaying?: number;
  /** Bytes of streams that wait for their turn. */
  maxWaitingBytes?: number;
  graceMs?: number;
}

export interface Decoding {
  input: Input;
  /** See `Task.everyMs`. */
  everyMs?: number | undefined;
  onPicture(bytes: Buffer): void;
  /** Why there will be no further picture: what ffmpeg said, or that it was killed. */
  onEnd(reason: AppError): void;
}

export interface Decoder {
  readonly pid: number | undefined;
  readonly input: Writable | null;
  /** Ends ffmpeg, and resolves when it is gone. `isDone`: it has its picture and is about to end by itself. */
  leave(isDone: boolean): Promise<void>;
}

// One key frame costs less than a second of processor time, even at 4K; more is a stream that is made to cost.
const BRIEF_CPU_SECONDS = 20;
const FAREWELL_MS = 1_000;
const BRIEF = 'brief';

/** All ffmpeg processes of a thread: how many there may be, and that none stays behind. */
export class Decoders {
  readonly #options: Required<Omit<DecodersOptions, 'configured'>> & { configured?: string | undefined };
  readonly #children = new Set<FfmpegChild>();
  readonly #slots: HostLimiter;
  #staying = 0;
  #waitingBytes = 0;
  #programs: Promise<[Ffmpeg | undefined, Launcher]> | undefined;
  #closed = false;

  constructor(options: DecodersOptions) {
    this.#options = {
      maxPixels: 50_000_000,
      maxBytes: 8_000_000,
      maxBrief: 16,
      maxStaying: 64,
      maxWaitingBytes: 64_000_000,
      graceMs: 1_500,
      ...options,
    };
    const { clock, maxBrief } = this.#options;
    this.#slots = new HostLimiter({ clock, concurrency: maxBrief, minDelayMs: 0 });
  }

  /** Processes that run now. */
  get running(): number {
    return this.#children.size;
  }

  /** Their process ids. */
  get pids(): number[] {
    return [...this.#children].flatMap(({ pid }) => pid ?? []);
  }

  /** Counts what a stream keeps while it waits for `start`; `false` where all that wait would keep too much. */
  hold(bytes: number): boolean {
    if (this.#waitingBytes + bytes > this.#options.maxWaitingBytes) return false;
    this.#waitingBytes += bytes;
    return true;
  }

  /** Gives back what was counted. */
  letGo(bytes: number): void {
    this.#waitingBytes -= bytes;
  }

  /** Whether one more camera may have a child that stays. */
  get hasRoomToStay(): boolean {
    return this.#staying < this.#options.maxStaying;
  }

  /**
   * Starts ffmpeg, once there is room. Throws `SOURCE_FFMPEG_MISSING` where there is none. `open` prepares its input just
   * before, when the turn has come.
   */
  async start(signal: AbortSignal, open: () => Promise<Decoding> | Decoding): Promise<Decoder> {
    const [ffmpeg, launcher] = await (this.#programs ??= this.#find());
    if (!ffmpeg) {
      this.#programs = undefined; // it may be installed meanwhile
      throw missing(this.#options.configured);
    }
    await this.#slots.acquire(BRIEF, signal);
    let release = once(() => this.#slots.release(BRIEF));
    try {
      const decoding = await open();
      signal.throwIfAborted();
      if (this.#closed) throw new AppError('ABORT_ERR', 'The agent stops.');
      if (decoding.everyMs !== undefined) {
        release();
        this.#staying++;
        release = once(() => void this.#staying--);
      }
      return this.#spawn(ffmpeg, launcher, decoding, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Stops all of them, and lets no more begin. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#children].map((child) => child.stop()));
  }

  #find(): Promise<[Ffmpeg | undefined, Launcher]> {
    return Promise.all([findFfmpeg({ configured: this.#options.configured }), findLauncher()]);
  }

  #spawn(ffmpeg: Ffmpeg, launcher: Launcher, decoding: Decoding, release: () => void): Decoder {
    const { maxPixels, maxBytes, graceMs } = this.#options;
    const { input, everyMs, onPicture, onEnd } = decoding;
    const words = ffmpegArguments({ input, everyMs, maxPixels, release: releaseOf(ffmpeg.version) });
    const command = guarded([ffmpeg.path, ...words], launcher, everyMs === undefined ? BRIEF_CPU_SECONDS : undefined);
    const parser = new MjpegParser({ maxPartBytes: maxBytes, onPart: ({ bytes }) => onPicture(bytes) });
    let trouble: AppError | undefined;
    const onOutput = (chunk: Buffer): void => {
      if (trouble) return;
      try {
        parser.push(chunk);
      } catch (error) {
        trouble = error as AppError;
        void child.stop();
      }
    };
    const child = new FfmpegChild({ command, piped: input.kind === 'pipe', onOutput, graceMs });
    this.#children.add(child);
    void child.ended.then((exit) => {
      this.#children.delete(child);
      release();
      onEnd(trouble ?? reasonOf(exit, child.tail));
    });
    return {
      pid: child.pid,
      input: child.input,
      leave: async (isDone) => void (await (isDone ? child.finish(FAREWELL_MS) : child.stop())),
    };
  }
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}

function reasonOf({ code, signal }: { code: number | null; signal: string | null }, tail: string): AppError {
  const said = tail.split('\n').slice(-3).join(' · ').slice(-300);
  const end = signal ? `was ended by ${signal}` : `ended with code ${code ?? 'none'}`;
  const facts = { ffmpeg: said, ...(code !== null && { exit: code }), ...(signal !== null && { signal }) };
  if (signal === 'SIGXCPU' || signal === 'SIGKILL')
    return sourceError('SOURCE_PROTOCOL', `The stream costs ffmpeg more than it may take (${end}).`, facts);
  // What cannot be read is the stream's fault, what ended without a picture may only have been short.
  if (code === 0) return sourceError('SOURCE_ENDED', 'The stream ended without a picture; check its URL.', facts);
  return sourceError(
    'SOURCE_PROTOCOL',
    `ffmpeg finds no picture in the stream (${end}): ${said || 'it says nothing'}.`,
    facts,
  );
}

function missing(configured: string | undefined): AppError {
  const found = configured ? `${configured} is no ffmpeg that runs` : 'ffmpeg was not found';
  return new AppError(
    'SOURCE_FFMPEG_MISSING',
    `${found}; streams need it: install the package ffmpeg, or set streams.ffmpeg to the program's path.`,
  );
}
