/** Where a command speaks: results to stdout, everything else to stderr. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** People read stdout. */
  isInteractive: boolean;
  /** People see stderr: progress may be drawn. */
  showsProgress: boolean;
}

export const processTerminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isInteractive: process.stdout.isTTY === true,
  showsProgress: process.stderr.isTTY === true,
};

const MOST_WIDTH = 48;

/** Cameras and agents name themselves: what they say must not steer the terminal. */
export function cell(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  const text = Array.isArray(value)
    ? value.join(', ')
    : typeof value === 'object'
      ? JSON.stringify(value)
      : String(value);
  const safe = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '·');
  return safe.length > MOST_WIDTH ? `${safe.slice(0, MOST_WIDTH - 1)}…` : safe;
}

/** Columns as wide as their widest cell; numbers to the right. */
export function table(headings: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const cells = rows.map((row) => row.map(cell));
  const widths = headings.map((heading, at) => Math.max(heading.length, ...cells.map((row) => row[at]?.length ?? 0)));
  const isNumeric = headings.map((_, at) => rows.length > 0 && rows.every((row) => typeof row[at] === 'number'));
  const line = (row: readonly string[]): string =>
    row
      .map((text, at) => (isNumeric[at] ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(headings), ...cells.map(line)].map((text) => `${text}\n`).join('');
}

/** An object as `name  value` lines. */
export function listing(object: Record<string, unknown>): string {
  const entries = Object.entries(object).filter(([, value]) => value !== null && value !== undefined);
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  return entries
    .map(
      ([name, value]) =>
        `${name.padEnd(width)}  ${typeof value === 'string' && value.length > MOST_WIDTH ? clean(value) : cell(value)}\n`,
    )
    .join('');
}

const clean = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '·');

/** `12 s ago` for an instant (ms or ISO 8601). */
export function ago(instant: number | string | null | undefined, now = Date.now()): string {
  if (instant === null || instant === undefined) return 'never';
  const seconds = Math.max(0, Math.round((now - new Date(instant).getTime()) / 1_000));
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h ago`;
  return `${Math.round(seconds / 86_400)} d ago`;
}

/** `"highway"` style progress: a bar that redraws itself on a terminal, nothing elsewhere. */
export function progressBar(terminal: Terminal, label: string, total: number): { at(done: number): void; end(): void } {
  let drawn = 0;
  const draw = (done: number): void => {
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const bar = '█'.repeat(Math.round(share * 30)).padEnd(30, '░');
    terminal.err(`\r${label} ${bar} ${String(Math.round(share * 100)).padStart(3)} %`);
  };
  return {
    at: (done) => {
      if (!terminal.showsProgress || Date.now() - drawn < 100) return;
      drawn = Date.now();
      draw(done);
    },
    end: () => {
      if (!terminal.showsProgress) return;
      draw(total);
      terminal.err('\n');
    },
  };
}
