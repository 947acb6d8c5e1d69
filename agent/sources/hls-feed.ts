import { sourceError } from './errors.ts';
import type { Decoder, Decoders } from './ffmpeg/decoders.ts';
import { formatOf } from './hls-segment.ts';
import type { MediaFormat } from './hls-segment.ts';
import { Latest } from './latest.ts';
import { TsKeyFrame } from './ts-key-frame.ts';

/**
 * Takes a segment's bytes as they come and gives its first key frame. ffmpeg is started when the first bytes are there, so a
 * segment that cannot be fetched costs no process.
 */
export class SegmentFeed {
  readonly pictures = new Latest<Buffer>();
  readonly #decoders: Decoders;
  readonly #signal: AbortSignal;
  readonly #onEnough: () => void;
  #waiting: Buffer[] = [];
  #starting: Promise<void> | undefined;
  #decoder: Decoder | undefined;
  #keyFrame: TsKeyFrame | undefined;
  #isWhole = false;

  /** @param onEnough called when the rest of the segment need not be fetched */
  constructor(decoders: Decoders, signal: AbortSignal, onEnough: () => void) {
    this.#decoders = decoders;
    this.#onEnough = onEnough;
    this.#signal = signal;
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
    await this.#starting;
    await this.#decoder?.leave(isDone);
  }

  async #start(format: MediaFormat): Promise<void> {
    const decoder = await this.#decoders.start(this.#signal, () => ({
      input: { kind: 'pipe', format },
      onPicture: (bytes) => this.pictures.push(bytes),
      onEnd: (reason) => this.pictures.end(reason),
    }));
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
    this.#onEnough();
  }

  #write(bytes: Buffer): void {
    if (!this.#decoder) this.#waiting.push(bytes);
    else if (bytes.length > 0) this.#decoder.input?.write(bytes);
  }

  #close(): void {
    this.#isWhole = true;
    this.#decoder?.input?.end();
  }
}
