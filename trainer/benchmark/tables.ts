import type { PairedDifference } from '../evaluate/bootstrap.ts';
import { escape } from '../report/plots.ts';
import { figureNames } from './judge.ts';
import { INT8_BAR } from './int8.ts';
import type { Int8Report } from './int8.ts';
import type { FigureName, Ground } from './judge.ts';
import type { BenchmarkReport, ReportedRow } from './document.ts';

export const GROUND_WORDS: Record<Ground, string> = {
  nat: 'balanced test set, classes weighted as in training',
  bal: 'balanced test set as it is',
  test: 'own test part',
};
const FIGURE_WORDS: Record<FigureName, string> = { macroF1: 'Avg F1', accuracy: 'Acc', weightedF1: 'WAvg F1' };
/** The order of the paper's table. */
const ORDER: readonly FigureName[] = ['accuracy', 'macroF1', 'weightedF1'];

export const figure3 = (value: number): string => value.toFixed(3);
export const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;

const table = (head: readonly string[], body: readonly (readonly string[])[]): string =>
  `<div class="wide"><table><thead><tr>${head.map((cell) => `<th>${cell}</th>`).join('')}</tr></thead><tbody>${body
    .map(([first, ...rest]) => `<tr><th>${first}</th>${rest.map((cell) => `<td>${cell}</td>`).join('')}</tr>`)
    .join('')}</tbody></table></div>`;

/** Every row on one profile, beside the paper's figures; then on the other grounds. */
export function tableOne(report: BenchmarkReport, profile: string): string {
  const { rows, profiles, ground } = report;
  const shown = rows.filter((row) => row.profiles[profile]);
  const paper = (row: ReportedRow): string[] => ORDER.map((name) => (row.paper ? figure3(row.paper[name]) : '–'));
  const cells = (row: ReportedRow, of: Ground): string[] => ORDER.map((name) => meanAndSd(row, profile, of, name));
  const headed = (word: string): string[] => ORDER.map((name) => `${word} ${FIGURE_WORDS[name]}`);
  const first = table(
    ['', ...headed(ground), ...headed('paper'), 'runs'],
    shown.map((row) => [escape(row.title), ...cells(row, ground), ...paper(row), String(row.profiles[profile]?.runs ?? 0)]), // prettier-ignore
  );
  const others = (['nat', 'bal', 'test'] as const).filter(
    (other) => other !== ground && shown.some((row) => row.profiles[profile]?.figures[other]),
  );
  const second = table(
    ['', ...others.flatMap(headed)],
    shown.map((row) => [escape(row.title), ...others.flatMap((other) => cells(row, other))]),
  );
  const counts = profiles.find(({ name }) => name === profile)?.counts.training ?? [];
  const images = counts.reduce((sum, count) => sum + count, 0);
  const words = [ground, ...others].map((one) => `${one}: ${GROUND_WORDS[one]}`).join('; ');
  return (
    `${first}<p>The paper’s figures are of other data, a set of cameras that was never published: not comparable, shown for ` +
    `their order only. Means over runs (± standard deviation where there are several). ${words}. ${images} training images.</p>` +
    (others.length > 0 ? second : '')
  );
}

function meanAndSd(row: ReportedRow, profile: string, ground: Ground, name: FigureName): string {
  const found = row.profiles[profile];
  const figures = found?.figures[ground];
  if (!found || !figures) return '–';
  return found.runs > 1 ? `${figure3(figures[name])} ± ${figure3(figures.sd[name])}` : figure3(figures[name]);
}

export function claimsTable({ claims, rows, ground }: BenchmarkReport): string {
  const title = (name: string): string => rows.find((row) => row.name === name)?.title ?? name;
  const body = claims.map(({ words, better, than, figure, paper, difference, verdict }) => [
    escape(words),
    `${escape(title(better))} − ${escape(title(than))}`,
    FIGURE_WORDS[figure],
    signed(paper),
    difference ? interval(difference) : '–',
    verdict,
  ]);
  return (
    table(['', 'rows', 'figure', 'paper', 'here, with 95 % interval', ''], body) +
    `<p>Judged on ${ground} (${GROUND_WORDS[ground]}), all profiles alike. Confirmed: the whole interval lies above 0.</p>`
  );
}

export function barsTable({ bars, rows, ground, profiles }: BenchmarkReport): string {
  if (bars.length === 0) return '<p>None of the rows that have bars was run.</p>';
  const title = (name: string): string => rows.find((row) => row.name === name)?.title ?? name;
  const body = bars.flatMap(({ row, macroF1, accuracy, figures, verdict }) => [
    [`${escape(title(row))}: <b>${verdict}</b>`, '', '', '', ''],
    ['… Avg F1', `≥ M0 ${signed(macroF1)}`, interval(figures.macroF1), wins(figures.macroF1), figures.macroF1.verdict],
    ['… Acc', `≥ M0 ${signed(accuracy)}`, interval(figures.accuracy), wins(figures.accuracy), figures.accuracy.verdict],
  ]);
  return (
    table(['', 'bar', 'difference, 95 % interval', 'wins', ''], body) +
    `<p>Judged on ${ground}, mean over ${profiles.map(({ name }) => escape(name)).join(' and ')}. Met: the whole 95 % interval is at or above the bar; missed: all of it is below; else undecided.</p>`
  );
}

export function differencesTable({ differences, rows, ground }: BenchmarkReport): string {
  const compared = differences[ground];
  if (!compared) return '';
  const groups = [['all profiles', compared.all] as const, ...Object.entries(compared.profiles)];
  const shown = groups.length === 2 ? groups.slice(1) : groups;
  const parts = shown.map(([name, comparison]) => {
    const body = rows.flatMap((row) => {
      const found = comparison[row.name];
      if (!found) return [];
      return [[escape(row.title), ...figureNames.map((figure) => cellOf(found[figure]))]];
    });
    return `<h3>${escape(name)}</h3>${table(['', ...figureNames.map((figure) => FIGURE_WORDS[figure])], body)}`;
  });
  return (
    parts.join('') +
    `<p>Mean (sd over splits) [95 % interval], splits won. The bootstrap draws splits, and test images within each class, the same for all rows.</p>`
  );
}

/** What a pool of views in place of fresh ones does to a row. Empty where nobody asked. */
export function approximationTable({ approximations, rows }: BenchmarkReport): string {
  const title = (name: string): string => escape(rows.find((row) => row.name === name)?.title ?? name);
  const body = approximations.map(({ fresh, cached, difference }) => [
    `${title(fresh)} − ${title(cached)}`,
    ...ORDER.map((figure) => cellOf(difference[figure])),
  ]);
  return (
    table(['', ...ORDER.map((figure) => FIGURE_WORDS[figure])], body) +
    '<p>Every draw of a training picture has a view of its own here, computed by the trunk when it is drawn; all other rows take turns through a pool. Mean (sd over runs) [95 % interval], runs won.</p>'
  );
}

/** The 8-bit trunk beside the fp32 one. */
export function int8Table({ rows, backbone, pictures }: Int8Report): string {
  const body = rows.map(({ title, runs, fp32, int8, difference, verdict }) => [
    escape(title),
    ...ORDER.flatMap((figure) => [figure3(fp32[figure]), figure3(int8[figure])]),
    interval(negative(difference.macroF1)),
    String(runs),
    verdict,
  ]);
  const heads = ORDER.flatMap((figure) => [`${FIGURE_WORDS[figure]} fp32`, '8 bits']);
  return (
    table(['', ...heads, 'loss of Avg F1, 95 % interval', 'runs', ''], body) +
    `<p>${escape(backbone)}. Ranges from ${pictures} training pictures of the first split, without augmentation (of other splits they may be test pictures; their labels are not used); heads, quotas and T_r are fitted anew on the 8-bit trunk’s features. Met: the mean loss is at most ${INT8_BAR.loss} and its upper limit at most ${INT8_BAR.upper}; missed: all of the interval is above ${INT8_BAR.loss}.</p>`
  );
}

const negative = (difference: PairedDifference): PairedDifference => ({
  ...difference,
  mean: -difference.mean,
  lower: -difference.upper,
  upper: -difference.lower,
});

const cellOf = (difference: PairedDifference | undefined): string =>
  difference
    ? `${signed(difference.mean)} (${figure3(difference.sd)}) [${signed(difference.lower)}, ${signed(difference.upper)}] ${wins(difference)}`
    : '–';

const interval = ({ mean, lower, upper }: PairedDifference): string =>
  `${signed(mean)} [${signed(lower)}, ${signed(upper)}]`;
const wins = ({ wins: won, splits }: PairedDifference): string => `${won} of ${splits}`;

export function costTable({ rows, profiles }: BenchmarkReport): string {
  const body = rows.flatMap((row) =>
    profiles.flatMap(({ name }) => {
      const found = row.profiles[name];
      if (!found) return [];
      const { seconds, steps, residentBytes } = found.cost;
      return [
        [
          escape(row.title),
          escape(name),
          String(found.runs),
          seconds.toFixed(1),
          steps.toFixed(0),
          `${(residentBytes / 2 ** 20).toFixed(0)} MiB`,
          choices(found.thresholds, 'T_r') || choices(found.taus, 'τ') || '–',
        ],
      ];
    }),
  );
  return (
    table(['', 'profile', 'runs', 'seconds a run', 'steps a run', 'memory', 'chosen'], body) +
    '<p>Training of all models that a row is made of, folds included; a model that several rows share counts for each. The vectors of the trunk are computed once for all rows. Memory: of the whole process after training.</p>'
  );
}

const choices = (values: readonly number[], name: string): string =>
  values.length === 0 ? '' : `${name} ${values.map((value) => value.toFixed(2)).join(', ')}`;
