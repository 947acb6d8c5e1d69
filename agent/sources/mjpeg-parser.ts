import { sourceError } from './errors.ts';
import { JpegWalker } from './jpeg-walker.ts';
import { numberOf, parsePartHead } from './part-headers.ts';
import type { PartHead } from './part-headers.ts';

export interface MjpegPart {
  /** A copy; normally a JPEG, but whatever the server sent as a part. */
  bytes: Buffer;
  headers: ReadonlyMap<string, string>;
}

export interface MjpegParserOptions {
  /** As announced by the Content-Type; the one that is really in the stream takes its place. */
  boundary?: string | undefined;
  maxPartBytes?: number;
  onPart(part: MjpegPart): void;
  /** Asked at the end of each part; a part that is not wanted is not copied. */
  wanted?: (headers: ReadonlyMap<string, string>) => boolean;
}

const SOI = Buffer.from([0xff, 0xd8, 0xff]);
const LINE_FEED = Buffer.from('\n');
// A head is a few hundred bytes. What is longer is garbage, and only its tail can matter.
const MAX_HEAD_BYTES = 65_536;
const isLineEnd = (byte: number): boolean => byte === 0x0d || byte === 0x0a;
const NO_HEAD: PartHead = { headers: new Map() };

/**
 * Takes a multipart/x-mixed-replace stream apart, chunk by chunk; the chunks' sizes make no difference. It is tolerant because
 * cameras are not: Content-Length may be missing or wrong, boundaries odd or absent, pictures simply follow each other. A
 * picture ends, in this order of trust, at its announced length if its end marker is there; at its own end marker; at the
 * next boundary; at the beginning of the next picture.
 *
 * States: `head` (between pictures: waiting for a blank line or a picture's first bytes), `body` (inside a part).
 */
export class MjpegParser {
  readonly #options: MjpegParserOptions;
  readonly #maxPartBytes: number;
  readonly #walker = new JpegWalker();
  #boundary: string | undefined;
  #delimiter: Buffer | undefined;
  #buffer = Buffer.allocUnsafe(65_536);
  /** The unread bytes are [start, end). */
  #start = 0;
  #end = 0;
  /** Up to here the current search has found nothing. */
  #searched = 0;
  #state: 'head' | 'body' = 'head';
  #head: PartHead = NO_HEAD;
  #length: number | undefined;
  #isJpeg: boolean | undefined;

  constructor(options: MjpegParserOptions) {
    this.#options = options;
    this.#maxPartBytes = options.maxPartBytes ?? 8_000_000;
    this.#setBoundary(options.boundary);
  }

  /** Throws `SOURCE_TOO_LARGE` when a part exceeds the cap. */
  push(chunk: Buffer): void {
    this.#append(chunk);
    while (this.#state === 'head' ? this.#readHead() : this.#readBody()); // until more bytes are needed
  }

  /**
   * The server ended the stream: a part without end marker is handed over as far as it came. Returns `false` where more of it
   * was announced: then it was cut off, and is not handed over.
   */
  end(): boolean {
    if (this.#state !== 'body') return true;
    const isCut = this.#length !== undefined;
    // Bytes that were announced and did not come are not waited for any longer.
    this.#length = undefined;
    this.push(Buffer.alloc(0));
    if (this.#state !== 'body' || this.#end <= this.#start) return true;
    if (!isCut) this.#emit(this.#end);
    return !isCut;
  }

  #setBoundary(boundary: string | undefined): void {
    if (boundary === undefined || boundary === this.#boundary) return;
    this.#boundary = boundary;
    this.#delimiter = Buffer.from(`\n--${boundary}`, 'latin1');
  }

  #append(chunk: Buffer): void {
    if (this.#start === this.#end && this.#state === 'head') this.#start = this.#end = this.#searched = 0;
    if (this.#end + chunk.length > this.#buffer.length) this.#makeRoom(chunk.length);
    chunk.copy(this.#buffer, this.#end);
    this.#end += chunk.length;
  }

  #makeRoom(extra: number): void {
    const kept = this.#end - this.#start;
    const target =
      kept + extra > this.#buffer.length
        ? Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, kept + extra))
        : this.#buffer;
    this.#buffer.copy(target, 0, this.#start, this.#end);
    this.#buffer = target;
    this.#walker.shift(this.#start);
    this.#searched -= this.#start;
    this.#end = kept;
    this.#start = 0;
  }

  /** Returns whether to go on at once. */
  #readHead(): boolean {
    this.#skipEmptyLines();
    const from = Math.max(this.#start, this.#searched);
    const blank = this.#findBlankLine(from);
    // Not beyond the blank line: a search to the end of the buffer for each head would be quadratic.
    const soi = this.#find(SOI, from, blank?.at);
    if (soi >= 0) {
      this.#head = parsePartHead(this.#buffer.toString('latin1', this.#start, soi));
      this.#beginBody(soi);
      return true;
    }
    if (blank) return this.#endHead(blank.at, blank.length);
    // The pattern may have begun in the last bytes.
    this.#searched = Math.max(this.#start, this.#end - 2);
    if (this.#end - this.#start > MAX_HEAD_BYTES) this.#start = this.#searched;
    return false;
  }

  /** Up to the last line end, which may be the beginning of the next delimiter. */
  #skipEmptyLines(): void {
    const isEmptyAt = (at: number): boolean => isLineEnd(this.#buffer[at]!) && isLineEnd(this.#buffer[at + 1]!);
    while (this.#start + 1 < this.#end && isEmptyAt(this.#start)) this.#start++;
  }

  #endHead(at: number, length: number): boolean {
    const head = parsePartHead(this.#buffer.toString('latin1', this.#start, at));
    const behind = at + length;
    if (head.boundary === undefined && head.headers.size === 0) {
      // An empty line that belongs to nothing; its line end may be the beginning of the next delimiter.
      this.#start = behind - 1;
      this.#searched = behind;
      return true;
    }
    this.#head = head;
    this.#beginBody(behind);
    return true;
  }

  #beginBody(start: number): void {
    this.#setBoundary(this.#head.boundary?.replace(/--$/, '') || undefined);
    this.#length = numberOf(this.#head.headers.get('content-length'));
    if (this.#length !== undefined && this.#length > this.#maxPartBytes) this.#failTooLarge(this.#length);
    this.#state = 'body';
    this.#start = start;
    // The line end in front of the body may be the first byte of the next delimiter: a part without content.
    this.#searched = Math.max(0, start - 1);
    this.#isJpeg = undefined;
  }

  #readBody(): boolean {
    if (this.#isJpeg === undefined && !this.#recognise()) return false;
    if (this.#length !== undefined) {
      const end = this.#start + this.#length;
      if (this.#end < end) return false;
      if (this.#endsWell(end)) return this.#finish(end);
      this.#length = undefined;
    }
    return this.#searchEnd();
  }

  /** Looks at the first bytes, over empty lines in front of a JPEG; `false` when they are not there yet. */
  #recognise(): boolean {
    let at = this.#start;
    while (at < this.#end && at - this.#start < 4 && isLineEnd(this.#buffer[at]!)) at++;
    if (at + 2 > this.#end) return false;
    this.#isJpeg = this.#buffer[at] === 0xff && this.#buffer[at + 1] === 0xd8;
    if (!this.#isJpeg) return true;
    if (at !== this.#start) this.#length = undefined; // nobody knows whether it counts them
    this.#start = at;
    this.#walker.begin(at);
    return true;
  }

  /** Whether the announced length can be believed. */
  #endsWell(end: number): boolean {
    if (!this.#isJpeg) return this.#length! > 0;
    return end - this.#start >= 4 && this.#buffer[end - 2] === 0xff && this.#buffer[end - 1] === 0xd9;
  }

  #searchEnd(): boolean {
    const found = this.#isJpeg ? this.#walker.walk(this.#buffer, this.#end) : undefined;
    const end = found && ('whole' in found ? found.whole : found.restart);
    // The delimiter wins where it comes first; behind the picture's own end nobody looks for it.
    const delimiter = this.#delimiter ? this.#find(this.#delimiter, this.#searched, end) : -1;
    if (delimiter >= 0)
      return this.#finish(this.#buffer[delimiter - 1] === 0x0d ? delimiter - 1 : delimiter, delimiter);
    if (end !== undefined) return this.#finish(end);
    if (!this.#isJpeg && !this.#delimiter) return this.#giveUpBody();
    if (this.#end - this.#start > this.#maxPartBytes) this.#failTooLarge(this.#end - this.#start);
    this.#searched = Math.max(this.#searched, this.#end - (this.#delimiter?.length ?? 1) + 1);
    return false;
  }

  /** Neither a picture nor anything that says where it ends: look for a picture. */
  #giveUpBody(): boolean {
    this.#state = 'head';
    this.#searched = this.#start;
    return true;
  }

  #finish(end: number, next = end): boolean {
    this.#emit(end);
    this.#state = 'head';
    this.#start = next;
    this.#searched = next;
    return true;
  }

  #emit(end: number): void {
    const { headers } = this.#head;
    this.#head = NO_HEAD;
    // Nothing between two boundaries is a stutter, unless the camera says that it means it.
    if (end <= this.#start && numberOf(headers.get('content-length')) !== 0) return;
    if (this.#options.wanted?.(headers) === false) return;
    this.#options.onPart({ bytes: Buffer.from(this.#buffer.subarray(this.#start, end)), headers });
  }

  #find(pattern: Buffer, from: number, before = this.#end): number {
    return this.#buffer.subarray(0, before).indexOf(pattern, from);
  }

  /** Line by line, so that it costs no more than the way to the first. */
  #findBlankLine(from: number): { at: number; length: number } | undefined {
    for (let line = this.#find(LINE_FEED, from); line >= 0; line = this.#find(LINE_FEED, line + 1)) {
      const length = this.#buffer[line + 1] === 0x0d ? 3 : 2;
      if (line + length <= this.#end && this.#buffer[line + length - 1] === 0x0a) return { at: line, length };
    }
    return undefined;
  }

  #failTooLarge(bytes: number): never {
    throw sourceError(
      'SOURCE_TOO_LARGE',
      `A part of the stream has ${bytes} bytes or more, ${this.#maxPartBytes} are allowed; raise http.maxBytes if the camera is right.`,
      { bytes, maxBytes: this.#maxPartBytes },
    );
  }
}
