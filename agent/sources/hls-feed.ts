import { AppError } from '../../common/runtime/errors.ts';
import { sourceError } from './errors.ts';
import type { Decoder, Decoders } from './ffmpeg/decoders.ts';
import { formatOf } from './hls-segment.ts';
import type { MediaFormat } from './hls-segment.ts';
import { Latest } from './latest.ts';
import { PUT_OFF } from './manners.ts';
import { TsKeyFrame } from './ts-key-frame.ts';

/** Until decoders that are all busy are asked again, ms. */
const BUSY_MS = 2_000;

export interface FeedOptions {
  decoders: Decoders;
  signal: AbortSignal;
  /** Monotonic ms. */
  now: () => number;
  /** Called when the rest of the segment need not be fetched. */
  onEnough: () => void;
}

/**
 * Takes a segment's bytes as they come and gives its first key frame. ffmpeg is started when the first bytes are there, so a
 * segment that cannot be fetched costs no process.
 */
export class SegmentFeed {
  readonly pictures = new Latest<Buffer>();
  readonly #options: FeedOptions;
  #waiting: Buffer[] = [];
  /** Of those, counted by the decoders. */
  #held = 0;
  #starting: Promise<void> | undefined;
  #askedAt: number | undefined;
  #queuedMs: number | undefined;
  #decoder: Decoder | undefined;
  #keyFrame: TsKeyFrame | undefined;
  #isWhole = false;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** How long it has waited for a decoder of ours, which is nothing that the camera can help. */
  get queuedMs(): number {
    return this.#queuedMs ?? (this.#askedAt === undefined ? 0 : this.#options.now() - this.#askedAt);
  }

  /** Throws `SOURCE_PROTOCOL` for bytes that hold no pictures. */
  push(bytes: Buffer): void {
    if (this.#isWhole) return;
    if (this.#starting) return this.#pass(bytes);
    this.#waiting.push(bytes);
    const begin = Buffer.concat(this.#waiting);
    const format = formatOf(begin);
    if (!format) return;
    if (format === 'mpegts') this.#keyFrame = new TsKeyFrame();
    this.#starting = this.#start(format).catch((error: unknown) => this.pictures.end(error));
    this.#waiting = [];
    this.#pass(begin);
  }

  /** The segment is complete. */
  end(): void {
    if (this.#isWhole) return;
    if (!this.#starting) this.pictures.end(sourceError('SOURCE_ENDED', 'The newest segment of the stream is empty.'));
    if (this.#keyFrame) this.#write(this.#keyFrame.rest());
    this.#close();
  }

  /** The decoder has all that it needs: an error of the transfer means nothing any more. */
  get hasEnough(): boolean {
    return this.#isWhole;
  }

  async close(isDone: boolean): Promise<void> {
    this.#letGo();
    await this.#starting;
    await this.#decoder?.leave(isDone);
  }

  async #start(format: MediaFormat): Promise<void> {
    const { decoders, signal, now } = this.#options;
    const askedAt = (this.#askedAt = now());
    const decoder = await decoders.start(signal, () => {
      this.#queuedMs = now() - askedAt;
      return {
        input: { kind: 'pipe', format },
        onPicture: (bytes) => this.pictures.push(bytes),
        onEnd: (reason) => this.pictures.end(reason),
      };
    });
    this.#letGo();
    this.#decoder = decoder;
    for (const bytes of this.#waiting.splice(0)) this.#write(bytes);
    if (this.#isWhole) decoder.input?.end();
  }

  #pass(bytes: Buffer): void {
    if (!this.#keyFrame) return this.#write(bytes);
    const taken = this.#keyFrame.take(bytes);
    this.#write(taken.bytes);
    if (!taken.isEnd) return;
    this.#close();
    this.#options.onEnough();
  }

  #write(bytes: Buffer): void {
    if (this.#decoder) return void (bytes.length > 0 && this.#decoder.input?.write(bytes));
    this.#waiting.push(bytes);
    if (this.#options.decoders.hold(bytes.length)) this.#held += bytes.length;
    else this.#putOff();
  }

  #putOff(): void {
    this.#letGo();
    this.#waiting = [];
    this.#isWhole = true;
    const message = 'All decoders are busy, and the streams that wait for them hold all memory that they may.';
    this.pictures.end(new AppError(PUT_OFF, message, { details: { restMs: BUSY_MS } }));
    this.#options.onEnough();
  }

  #letGo(): void {
    this.#options.decoders.letGo(this.#held);
    this.#held = 0;
  }

  #close(): void {
    this.#isWhole = true;
    this.#decoder?.input?.end();
  }
}
