import type { TrainingReport } from '../../common/domain/training.ts';

/** One line a class: counts, P/N ratio and metrics on the test part of each model. RFC 4180, with a heading. */
export function classesCsv({ dataset, counts, ratios, test }: TrainingReport): string {
  const models = [
    ['m0', test.m0],
    ['m1', test.m1],
    ['mean', test.mean],
    ['fused', test.fused],
  ] as const;
  const measures = ['precision', 'recall', 'f1'] as const;
  const heading = [
    'label',
    'training',
    'reference',
    'test',
    'ratio',
    ...models.flatMap(([name]) => measures.map((measure) => `${name}_${measure}`)),
  ];
  const rows = dataset.classes.map((label, j) => [
    label,
    counts.training[j],
    counts.reference[j],
    counts.test[j],
    ratios[j],
    ...models.flatMap(([, { perClass }]) => measures.map((measure) => perClass[j]?.[measure])),
  ]);
  return csv([heading, ...rows]);
}

/** One line an iteration: loss, metrics on the reference part, then F1 and sample size of each class. */
export function iterationsCsv({ dataset, iterations }: TrainingReport): string {
  const heading = [
    ...['run', 'level', 'iteration', 'loss', 'macro_f1', 'accuracy', 'seconds'],
    ...dataset.classes.flatMap((label) => [`f1 ${label}`, `samples ${label}`]),
  ];
  const rows = iterations.map((entry) => [
    ...[entry.run, entry.level, entry.iteration, entry.loss, entry.macroF1, entry.accuracy, entry.seconds],
    ...dataset.classes.flatMap((_, j) => [entry.f1[j], entry.sampleSizes[j]]),
  ]);
  return csv([heading, ...rows]);
}

/** RFC 4180. */
export const csv = (rows: readonly (readonly unknown[])[]): string =>
  rows.map((row) => `${row.map(fieldOf).join(',')}\r\n`).join('');

function fieldOf(value: unknown): string {
  if (typeof value === 'number') return String(value);
  // A label that begins like a formula must not run as one in a spreadsheet.
  const text = String(value ?? '').replace(/^([=+@-])/, "'$1");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
