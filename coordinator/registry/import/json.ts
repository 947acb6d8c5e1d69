import { isUtf8 } from 'node:buffer';
import { AppError } from '../../../common/runtime/errors.ts';
import { MOST_BYTES, TOO_LONG, linesOf } from './lines.ts';
import type { Entry } from './lines.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;

/** One JSON object a line; a record separator (RFC 8142) before it is allowed. */
export async function* jsonLinesEntries(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Entry[]> {
  for await (const lines of linesOf(bytes)) {
    yield lines
      .filter(({ text, problem }) => problem !== undefined || text.trim() !== '')
      .map(({ line, text, problem }) =>
        problem === undefined
          ? parseElement(line, text.startsWith('\u001e') ? text.slice(1) : text)
          : { line, problem },
      );
  }
}

function parseElement(line: number, text: string): Entry {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return { line, value: value as Record<string, unknown> };
    }
    return { line, problem: 'not a JSON object' };
  } catch {
    return { line, problem: 'not valid JSON' };
  }
}

/**
 * The objects in a document's list: the document itself (`[…]`) or a member of it (`{"features": […]}`, `{"cameras": […]}`).
 * Never more than one object is held. Rejects with `IMPORT_FILE_INVALID` where the document ends too early.
 */
export async function* jsonEntries(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Entry[]> {
  const scanner = new ElementScanner();
  for await (const chunk of bytes) {
    const entries = scanner.take(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    if (entries.length > 0) yield entries;
  }
  scanner.finish();
}

class ElementScanner {
  /** Kinds of the brackets that are open outside an element. */
  #outer: number[] = [];
  #inString = false;
  #escaped = false;
  /** Open brackets inside the element; 0 between elements. */
  #depth = 0;
  #line = 1;
  #startLine = 1;
  #parts: Buffer[] = [];
  #size = 0;

  take(chunk: Buffer): Entry[] {
    const entries: Entry[] = [];
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte === NEWLINE) this.#line++;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === QUOTE) this.#inString = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
        if (this.#opens(byte)) from = at;
      } else if ((byte === CLOSE_OBJECT || byte === CLOSE_LIST) && this.#closes(byte)) {
        this.#keep(chunk.subarray(from, at + 1));
        entries.push(this.#element());
      }
    }
    if (this.#depth > 0) this.#keep(Buffer.from(chunk.subarray(from)));
    return entries;
  }

  finish(): void {
    if (this.#depth > 0 || this.#outer.length > 0 || this.#inString) {
      throw new AppError(
        'IMPORT_FILE_INVALID',
        `The JSON document ends too early, at line ${this.#line}; nothing was imported.`,
      );
    }
  }

  /** Whether an element begins here. */
  #opens(byte: number): boolean {
    if (this.#depth > 0) {
      this.#depth++;
      return false;
    }
    const isListOfElements =
      this.#outer.at(-1) === OPEN_LIST &&
      (this.#outer.length === 1 || (this.#outer.length === 2 && this.#outer[0] === OPEN_OBJECT));
    if (byte === OPEN_OBJECT && isListOfElements) {
      this.#depth = 1;
      this.#startLine = this.#line;
      return true;
    }
    if (this.#outer.length > 1_000)
      throw new AppError('IMPORT_FILE_INVALID', 'The JSON document is nested too deeply.');
    this.#outer.push(byte);
    return false;
  }

  /** Whether an element ends here. */
  #closes(byte: number): boolean {
    if (this.#depth > 0) return --this.#depth === 0;
    const open = this.#outer.pop();
    if (open !== (byte === CLOSE_OBJECT ? OPEN_OBJECT : OPEN_LIST)) {
      throw new AppError(
        'IMPORT_FILE_INVALID',
        `The JSON document is broken at line ${this.#line}: a bracket closes that was not open.`,
      );
    }
    return false;
  }

  #keep(part: Buffer): void {
    this.#size += part.length;
    if (this.#size <= MOST_BYTES) this.#parts.push(part);
    else this.#parts = [];
  }

  #element(): Entry {
    const [parts, size] = [this.#parts, this.#size];
    this.#parts = [];
    this.#size = 0;
    if (size > MOST_BYTES) return { line: this.#startLine, problem: TOO_LONG };
    const bytes = parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
    if (!isUtf8(bytes)) return { line: this.#startLine, problem: 'not valid UTF-8; save the file as UTF-8' };
    return parseElement(this.#startLine, bytes.toString('utf8'));
  }
}
