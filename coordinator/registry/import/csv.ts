import { MOST_BYTES, linesOf } from './lines.ts';
import type { Entry, Line } from './lines.ts';

/** Rows of a CSV file as objects, keyed by the header; `,`, `;` and tab separate, whichever the header has most of. */
export async function* csvEntries(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Entry[]> {
  const rows = new RowReader();
  let header: string[] | undefined;
  const toEntry = ({ line, cells, problem }: Row): Entry | undefined => {
    if (problem !== undefined) return { line, problem };
    if (cells.every((cell) => cell === '')) return undefined;
    if (!header) {
      header = cells;
      return undefined;
    }
    if (cells.length > header.length && cells.slice(header.length).some((cell) => cell !== '')) {
      return { line, problem: `${cells.length} cells, but the header has ${header.length}` };
    }
    const value: Record<string, unknown> = {};
    for (const [index, name] of header.entries()) {
      const cell = cells[index];
      if (cell !== undefined && cell !== '') value[name] = cell;
    }
    return { line, value };
  };
  const present = (entry: Entry | undefined): entry is Entry => entry !== undefined;
  for await (const lines of linesOf(bytes)) {
    const entries = lines
      .flatMap((line) => rows.take(line))
      .map(toEntry)
      .filter(present);
    if (entries.length > 0) yield entries;
  }
  const last = rows.finish().map(toEntry).filter(present);
  if (last.length > 0) yield last;
}

interface Row {
  line: number;
  cells: string[];
  problem?: string;
}

/** A quote that is never closed must not swallow the file, nor make us read its beginning again and again. */
const MOST_LINES = 200;

/** Joins lines to rows: a quoted cell may hold line ends. */
class RowReader {
  #separator = '';
  #open: { line: number; lines: string[]; size: number } | undefined;

  take({ line, text, problem }: Line): Row[] {
    if (problem !== undefined) {
      const from = this.#open?.line ?? line;
      this.#open = undefined;
      return [{ line: from, cells: [], problem }];
    }
    this.#separator ||= separatorOf(text);
    if (!this.#open && !text.includes('"'))
      return [{ line, cells: text.split(this.#separator).map((cell) => cell.trim()) }];
    const row = this.#open ?? { line, lines: [], size: 0 };
    row.lines.push(text);
    row.size += text.length + 1;
    this.#open = row;
    const cells = text.includes('"') ? splitQuoted(row.lines.join('\n'), this.#separator) : undefined;
    if (cells) {
      this.#open = undefined;
      return [{ line: row.line, cells }];
    }
    if (row.lines.length < MOST_LINES && row.size < MOST_BYTES) return [];
    this.#open = undefined;
    return [
      {
        line: row.line,
        cells: [],
        problem: `a quote that opens there is not closed; lines up to ${line} were skipped`,
      },
    ];
  }

  finish(): Row[] {
    return this.#open
      ? [{ line: this.#open.line, cells: [], problem: 'a quote that opens there is never closed' }]
      : [];
  }
}

function separatorOf(header: string): string {
  const count = (separator: string): number => header.split(separator).length;
  return [',', ';', '\t'].toSorted((a, b) => count(b) - count(a))[0] ?? ',';
}

/** `undefined` where a quote is still open at the end. A quote inside an unquoted cell is an ordinary character. */
function splitQuoted(text: string, separator: string): string[] | undefined {
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    while (text[at] === ' ') at++;
    if (text[at] === '"') {
      let cell = '';
      let from = at + 1;
      for (;;) {
        const quote = text.indexOf('"', from);
        if (quote < 0) return undefined;
        cell += text.slice(from, quote);
        if (text[quote + 1] !== '"') {
          at = quote + 1;
          break;
        }
        cell += '"';
        from = quote + 2;
      }
      const end = text.indexOf(separator, at);
      cells.push((cell + text.slice(at, end < 0 ? undefined : end)).trim());
      if (end < 0) return cells;
      at = end + 1;
    } else {
      const end = text.indexOf(separator, at);
      cells.push(text.slice(at, end < 0 ? undefined : end).trim());
      if (end < 0) return cells;
      at = end + 1;
    }
  }
}
