import { isUtf8 } from 'node:buffer';
import { AppError } from '../../../common/runtime/errors.ts';

/** A line, row or element longer than this is rejected, and never held in memory. */
export const MOST_BYTES = 1_048_576;

/** One row of a file, or why it is none. */
export type Entry =
  { line: number; value: Record<string, unknown>; problem?: undefined } | { line: number; problem: string };

export interface Line {
  /** Counted from 1. */
  line: number;
  text: string;
  /** Why the line cannot be used; `text` is empty then. */
  problem?: string;
}

const NEWLINE = 0x0a;
const NOT_UTF8 = 'not valid UTF-8; save the file as UTF-8 and import it again';
export const TOO_LONG = `longer than ${MOST_BYTES} bytes`;

/** Lines in groups, each group with what one chunk completed: an `await` per line would be most of the cost. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Line[]> {
  let rest = Buffer.alloc(0);
  let line = 1;
  let skipping = false;
  for await (const chunk of chunks) {
    const lines: Line[] = [];
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (skipping) {
      const end = bytes.indexOf(NEWLINE);
      if (end < 0) continue;
      skipping = false;
      line++;
      bytes = bytes.subarray(end + 1);
    }
    const all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    const end = all.lastIndexOf(NEWLINE);
    if (end >= 0) line = splitInto(lines, all.subarray(0, end), line);
    rest = Buffer.from(all.subarray(end + 1));
    if (rest.length > MOST_BYTES) {
      lines.push({ line, text: '', problem: TOO_LONG });
      rest = Buffer.alloc(0);
      skipping = true;
    }
    if (lines.length > 0) yield lines;
  }
  if (rest.length > 0) {
    const last: Line[] = [];
    splitInto(last, rest, line);
    yield last;
  }
}

/** Gives the number of the next line. */
function splitInto(lines: Line[], bytes: Buffer, first: number): number {
  let line = first;
  if (isUtf8(bytes)) {
    for (const text of bytes.toString('utf8').split('\n')) {
      if (text.length > MOST_BYTES) lines.push({ line: line++, text: '', problem: TOO_LONG });
      else lines.push({ line: line++, text: text.endsWith('\r') ? text.slice(0, -1) : text });
    }
    return line;
  }
  for (let from = 0; from <= bytes.length; line++) {
    const found = bytes.indexOf(NEWLINE, from);
    const end = found < 0 ? bytes.length : found;
    const part = bytes.subarray(from, end);
    if (isUtf8(part)) lines.push({ line, text: part.toString('utf8').replace(/\r$/, '') });
    else lines.push({ line, text: '', problem: NOT_UTF8 });
    from = end + 1;
  }
  return line;
}

/**
 * The same bytes without a byte order mark. Rejects with `IMPORT_ENCODING_UNSUPPORTED` for UTF-16, UTF-32 and anything with NUL bytes at
 * its beginning: such a file would yield nothing but rejected rows.
 */
export async function* asUtf8(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let isFirst = true;
  for await (const chunk of chunks) {
    if (chunk.length === 0) continue;
    if (!isFirst) {
      yield chunk;
      continue;
    }
    isFirst = false;
    const [a, b, c] = chunk;
    const isUtf16 = (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff);
    if (isUtf16 || chunk.subarray(0, 4096).includes(0)) {
      throw new AppError(
        'IMPORT_ENCODING_UNSUPPORTED',
        `The file is ${isUtf16 ? 'UTF-16' : 'binary or UTF-16'}, expected UTF-8 text. Save it as UTF-8 and import it again.`,
      );
    }
    yield a === 0xef && b === 0xbb && c === 0xbf ? chunk.subarray(3) : chunk;
  }
}
