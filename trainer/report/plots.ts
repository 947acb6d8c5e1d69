/**
 * Vector plots as SVG text. Colours are classes of the page's style sheet (`s0`, `s1`, …), so that one drawing serves light,
 * dark and print; series differ by dash and marker too, for readers who see no colours.
 */
export interface Series {
  name: string;
  /** `null` leaves a gap. */
  values: readonly (number | null)[];
}

export const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const round = (value: number): number => Math.round(value * 100) / 100;
const text = (x: number, y: number, words: string, anchor = 'start', kind = ''): string =>
  `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"${kind && ` class="${kind}"`}>${escape(words)}</text>`;
const line = (x1: number, y1: number, x2: number, y2: number, kind: string): string =>
  `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" class="${kind}"/>`;

function figure(width: number, height: number, title: string, parts: readonly string[]): string {
  return (
    `<svg viewBox="0 0 ${width} ${Math.ceil(height)}" role="img" aria-label="${escape(title)}">` +
    `<title>${escape(title)}</title>${parts.join('')}</svg>`
  );
}

function legend(series: readonly { name: string }[], x: number, y: number): string {
  let at = x;
  return series
    .map(({ name }, i) => {
      const part = `<rect x="${at}" y="${y - 8}" width="14" height="9" class="fill s${i}"/>${text(at + 18, y, name)}`;
      at += 30 + name.length * 6.6;
      return part;
    })
    .join('');
}

const WIDTH = 860;

export interface BarsSpec {
  title: string;
  labels: readonly string[];
  series: readonly Series[];
  /** A word at the right of each label's bars, e.g. its P/N ratio. */
  notes: readonly string[];
  noteTitle: string;
}

/** A group of bars from 0 to 1 for each label, from the left to the right. */
export function bars({ title, labels, series, notes, noteTitle }: BarsSpec): string {
  const [left, right, top] = [150, 110, 34];
  const thick = 6;
  const group = series.length * thick + 8;
  const span = WIDTH - left - right;
  const bottom = top + labels.length * group;
  const parts = [legend(series, left, 14), text(WIDTH, top - 6, noteTitle, 'end', 'note')];
  for (let tick = 0; tick <= 10; tick += 2) {
    const x = left + (span * tick) / 10;
    parts.push(line(x, top, x, bottom, 'grid'), text(x, bottom + 14, (tick / 10).toFixed(1), 'middle', 'note'));
  }
  labels.forEach((label, row) => {
    const y = top + row * group + 4;
    const middle = y + (group - 8) / 2 + 4;
    parts.push(text(left - 8, middle, label, 'end'), text(WIDTH, middle, notes[row] ?? '', 'end', 'note'));
    series.forEach(({ name, values }, i) => {
      const value = values[row] ?? 0;
      parts.push(
        `<rect x="${left}" y="${y + i * thick}" width="${round(Math.max(0.5, value * span))}" height="${thick - 1}" ` +
          `class="fill s${i}"><title>${escape(`${label}, ${name}: ${value.toFixed(3)}`)}</title></rect>`,
      );
    });
  });
  return figure(WIDTH, bottom + 22, title, parts);
}

export interface LinesSpec {
  title: string;
  x: readonly number[];
  xTitle: string;
  series: readonly Series[];
  /** Values are held until the next x, as of a function of intervals. */
  stepped?: boolean;
  /** Marked by a vertical line. */
  mark?: { x: number; words: string };
  xLabel?: (x: number) => string;
}

/** Lines over a common axis; y from 0 to the largest value, at least 1. */
export function lines({ title, x, xTitle, series, stepped = false, mark, xLabel = String }: LinesSpec): string {
  const [left, right, top, height] = [46, 20, 30, 230];
  const values = series.flatMap((entry) => entry.values.filter((value): value is number => value !== null));
  const most = niceTop(Math.max(1, ...values));
  const [from, to] = [Math.min(...x), Math.max(...x)];
  const px = (value: number): number => left + ((value - from) / (to - from || 1)) * (WIDTH - left - right);
  const py = (value: number): number => top + height * (1 - value / most);
  const parts = [legend(series, left, 14)];
  for (let tick = 0; tick <= 5; tick++) {
    const value = (most * tick) / 5;
    parts.push(line(left, py(value), WIDTH - right, py(value), 'grid'));
    parts.push(text(left - 6, py(value) + 4, most <= 1 ? value.toFixed(1) : String(round(value)), 'end', 'note'));
  }
  const every = Math.max(1, Math.ceil(x.length / 12));
  x.forEach((value, i) => {
    if (i % every === 0) parts.push(text(px(value), top + height + 15, xLabel(value), 'middle', 'note'));
  });
  parts.push(text((left + WIDTH - right) / 2, top + height + 32, xTitle, 'middle'));
  if (mark) {
    parts.push(line(px(mark.x), top, px(mark.x), top + height, 'mark'));
    const isLate = px(mark.x) > WIDTH * 0.75;
    parts.push(text(px(mark.x) + (isLate ? -5 : 5), top + 12, mark.words, isLate ? 'end' : 'start', 'note'));
  }
  series.forEach((entry, i) => parts.push(polyline(entry, i, x, px, py, stepped)));
  return figure(WIDTH, top + height + 40, title, parts);
}

function polyline(
  { name, values }: Series,
  index: number,
  x: readonly number[],
  px: (value: number) => number,
  py: (value: number) => number,
  stepped: boolean,
): string {
  let path = '';
  let last: number | undefined;
  x.forEach((at, i) => {
    const value = values[i];
    if (value === null || value === undefined) {
      last = undefined;
      return;
    }
    if (last === undefined) path += `M${round(px(at))} ${round(py(value))}`;
    else path += `${stepped ? `H${round(px(at))}V` : `L${round(px(at))} `}${round(py(value))}`;
    last = value;
  });
  return `<path d="${path}" class="line s${index % 8} d${Math.floor(index / 8)}"><title>${escape(name)}</title></path>`;
}

/** The next of 1, 2, 2.5, 5 · 10ⁿ. */
function niceTop(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * unit >= value - 1e-9) ?? 10;
  return step * unit;
}

/** Rows: true classes; columns: predicted; shaded by the share of the row, with the counts in it. */
export function confusion(title: string, labels: readonly string[], counts: readonly (readonly number[])[]): string {
  const left = 130;
  // The names above stand steeply: as much room as the longest needs.
  const top = 20 + Math.max(...labels.map((label) => label.length)) * 5.5;
  const cell = Math.max(10, Math.min(34, Math.floor((WIDTH - left - 10) / labels.length)));
  const showsCounts = cell >= 18;
  const parts: string[] = [];
  labels.forEach((label, row) => {
    const all = (counts[row] ?? []).reduce((sum, n) => sum + n, 0);
    const y = top + row * cell;
    parts.push(text(left - 6, y + cell / 2 + 4, label, 'end'));
    const x = left + row * cell + cell / 2 + 4;
    parts.push(
      `<text transform="translate(${round(x)} ${top - 6}) rotate(-60)" text-anchor="start">${escape(label)}</text>`,
    );
    labels.forEach((predicted, column) => {
      const count = counts[row]?.[column] ?? 0;
      const share = all === 0 ? 0 : count / all;
      const at = left + column * cell;
      parts.push(
        `<rect x="${at}" y="${y}" width="${cell - 1}" height="${cell - 1}" class="heat" ` +
          `style="--share:${Math.round(share * 100)}%"><title>${escape(`${label} taken for ${predicted}: ${count}`)}</title></rect>`,
      );
      if (showsCounts && count > 0)
        parts.push(text(at + cell / 2, y + cell / 2 + 4, String(count), 'middle', share > 0.5 ? 'inverse' : 'note'));
    });
  });
  return figure(WIDTH, top + labels.length * cell + 8, title, parts);
}

/** One small band a class: with many classes crossing lines tell nothing. */
export function bands(title: string, series: readonly Series[], x: readonly number[], top?: number): string {
  const most = top ?? Math.max(1, ...series.flatMap(({ values }) => values.map((value) => value ?? 0)));
  const [left, width, height, gap] = [150, 700, 22, 6];
  const step = width / Math.max(1, x.length);
  const parts = series.map(({ name, values }, row) => {
    const base = 20 + (row + 1) * (height + gap);
    const boxes = values.map((value, i) => {
      const tall = ((value ?? 0) / most) * height;
      return (
        `<rect x="${(left + i * step).toFixed(1)}" y="${(base - tall).toFixed(1)}" width="${(step * 0.86).toFixed(1)}" ` +
        `height="${tall.toFixed(1)}" class="fill s1"><title>${escape(name)}, iteration ${i + 1}: ${(value ?? 0).toFixed(top ? 3 : 0)}</title></rect>`
      );
    });
    const rule = `<line x1="${left}" y1="${base}" x2="${left + width}" y2="${base}" class="grid"/>`;
    return `<text x="${left - 8}" y="${base - 6}" text-anchor="end">${escape(name)}</text>${rule}${boxes.join('')}`;
  });
  const tall = 26 + series.length * (height + gap);
  const note = `<text x="${left}" y="13">${escape(title)}: full height is ${top ?? Math.round(most)}</text>`;
  return `<svg viewBox="0 0 860 ${tall}" role="img" aria-label="${escape(title)}"><title>${escape(title)}</title>${note}${parts.join('')}</svg>`;
}
