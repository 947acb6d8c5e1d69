import { bands, bars, confusion, escape, lines } from '../report/plots.ts';
import type { Series } from '../report/plots.ts';
import type { BenchmarkReport, ReportedProfile, ReportedRow } from './document.ts';
import { GROUND_WORDS, figure3 } from './tables.ts';

/** More bars than colours would not be told apart. */
const MOST_SERIES = 8;

/** The drawings of one profile, each with its heading. */
export function profileFigures(report: BenchmarkReport, profile: ReportedProfile): [string, string][] {
  const of = (title: string, content: string): [string, string] => [`${profile.name}: ${title}`, content];
  return [
    of('F1 of each class (the paper’s Figure 4)', classFigures(report, profile)),
    of('F1 and sample size over the passes of M1', iterationFigures(report, profile)),
    of('Where T_r comes from', thresholdFigures(profile)),
    of('What is taken for what', confusions(report, profile)),
  ];
}

function classFigures(report: BenchmarkReport, { name, ratios }: ReportedProfile): string {
  const { classes, rows, ground } = report;
  const shown = rows.filter((row) => row.profiles[name]);
  const m0 = shown.filter((row) => row.name === 'm0');
  const groups: [string, ReportedRow[]][] = [
    ['rows of the paper', shown.filter((row) => row.group === 'paper')],
    ['further rows, beside M0', [...m0, ...shown.filter((row) => row.group !== 'paper')]],
  ];
  const drawn = groups.flatMap(([words, list]) => chunks(list, MOST_SERIES).map((part) => [words, part] as const));
  return (
    drawn
      .map(([words, list]) =>
        bars({
          title: `F1 of each class, ${words}`,
          labels: classes,
          series: list.map((row): Series => ({ name: row.short, values: row.profiles[name]?.f1 ?? [] })),
          notes: ratios.map((ratio) => (ratio > 1000 ? '∞' : ratio.toFixed(3))),
          noteTitle: 'P/N in training',
        }),
      )
      .join('') + `<p>Means over runs on ${ground} (${GROUND_WORDS[ground]}).</p>`
  );
}

const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));

function iterationFigures({ classes }: BenchmarkReport, { iterations }: ReportedProfile): string {
  const names = Object.keys(iterations);
  const longest = Math.max(0, ...names.map((name) => iterations[name]?.length ?? 0));
  if (longest < 2) return '<p>No model of more than one pass: nothing to draw.</p>';
  const x = Array.from({ length: longest }, (_, i) => i + 1);
  const all = lines({
    title: 'Macro F1 on the reference part, first split',
    x,
    xTitle: 'pass',
    series: names.map((name) => ({ name, values: x.map((_, i) => iterations[name]?.[i]?.macroF1 ?? null) })),
  });
  const m1 = names
    .filter((name) => name !== 'm0')
    .map((name) => {
      const own = iterations[name] ?? [];
      const series = (read: (j: number, i: number) => number | undefined): Series[] =>
        classes.map((label, j) => ({ name: label, values: own.map((_, i) => read(j, i) ?? null) }));
      const turns = own.map((_, i) => i + 1);
      return (
        bands(
          `F1 on the reference part, ${name}`,
          series((j, i) => own[i]?.f1[j]),
          turns,
          1,
        ) +
        bands(
          `Sample size in each pass, ${name}`,
          series((j, i) => own[i]?.sampleSizes[j]),
          turns,
        )
      );
    });
  return all + m1.join('');
}

function thresholdFigures({ curves }: ReportedProfile): string {
  const drawn = Object.entries(curves).filter(([, { curve }]) => curve.length > 1);
  if (drawn.length === 0) return '<p>No row chose a T_r.</p>';
  return drawn
    .map(([row, { curve, threshold, reason }]) => {
      const at = curve.findIndex((point) => point.threshold >= threshold);
      const plot = lines({
        title: `Macro F1 and accuracy for each interval of T_r: ${row}`,
        x: curve.map((_, i) => i),
        xTitle: 'T_r, one point for each interval between neighbouring P/N ratios',
        xLabel: (i) => (curve[i]?.threshold ?? 0).toFixed(3),
        series: [
          { name: 'macro F1', values: curve.map((point) => point.macroF1) },
          { name: 'accuracy', values: curve.map((point) => point.accuracy) },
        ],
        mark: { x: at < 0 ? curve.length - 1 : at, words: `T_r = ${figure3(threshold)}` },
      });
      return `<h3>${escape(row)}</h3>${plot}<p>${escape(reason)} First split.</p>`;
    })
    .join('');
}

function confusions({ rows, classes, ground }: BenchmarkReport, { name }: ReportedProfile): string {
  const drawn = rows.flatMap((row) => {
    const found = row.profiles[name];
    if (!found) return [];
    const drawing = confusion(`Confusion of: ${row.title}`, classes, found.confusion);
    const isMain = row.name === 'm0' || row.name === 'modern';
    // What is folded up stays off the paper, too.
    return isMain
      ? [`<h3>${escape(row.title)}</h3>${drawing}`]
      : [`<details><summary>${escape(row.title)}</summary>${drawing}</details>`];
  });
  const set = ground === 'nat' ? 'the balanced test set as it is' : 'the own test part';
  return `${drawn.join('')}<p>First split, ${set}. Rows: true class; columns: predicted; shade: share of the row.</p>`;
}
