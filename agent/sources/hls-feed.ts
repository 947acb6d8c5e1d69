import { sourceError } from './errors.ts';
import type { Decoder, Decoders } from './ffmpeg/decoders.ts';
import { formatOf } from './hls-segment.ts';
import type { MediaFormat } from './hls-segment.ts';
import { Latest } from './latest.ts';

/**
 * Takes a segment's bytes as they come and gives its first key frame. ffmpeg is started when the first bytes are there, so a
 * segment that cannot be fetched costs no process.
 */
export class SegmentFeed {
  readonly pictures = new Latest<Buffer>();
  readonly #decoders: Decoders;
  readonly #signal: AbortSignal;
  #waiting: Buffer[] = [];
  #starting: Promise<void> | undefined;
  #decoder: Decoder | undefined;
  #isWhole = false;

  constructor(decoders: Decoders, signal: AbortSignal) {
    this.#decoders = decoders;
    this.#signal = signal;
  }

  /** Throws `SOURCE_PROTOCOL` for bytes that hold no pictures. */
  push(bytes: Buffer): void {
    if (this.#decoder) return void this.#decoder.input?.write(bytes);
    this.#waiting.push(bytes);
    if (this.#starting) return;
    const format = formatOf(this.#waiting.length === 1 ? bytes : Buffer.concat(this.#waiting));
    if (format) this.#starting = this.#start(format).catch((error: unknown) => this.pictures.end(error));
  }

  /** The segment is complete. */
  end(): void {
    this.#isWhole = true;
    if (!this.#starting) this.pictures.end(sourceError('SOURCE_ENDED', 'The newest segment of the stream is empty.'));
    this.#decoder?.input?.end();
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
    for (const bytes of this.#waiting.splice(0)) decoder.input?.write(bytes);
    if (this.#isWhole) decoder.input?.end();
    this.#decoder = decoder;
  }
}
