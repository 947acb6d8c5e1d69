import { expect, test } from 'vitest';
import type { Evaluation, IterationReport, TrainingReport } from '../../../../common/domain/training.ts';
import { classesCsv, iterationsCsv } from '../../../../trainer/report/csv.ts';
import { reportPage } from '../../../../trainer/report/page.ts';
import { bars, confusion, lines } from '../../../../trainer/report/plots.ts';

const CLASSES = ['high<way', 'water, "deep"', '=snow'];

const evaluation = (f1: number): Evaluation => ({
  images: 6,
  accuracy: f1,
  macroF1: f1,
  weightedF1: f1,
  supported: { classes: 3, macroF1: f1 },
  perClass: CLASSES.map((label) => ({ label, precision: f1, recall: f1, f1, support: 2 })),
  confusion: [[2, 0, 0], [1, 1, 0], [0, 0, 2]], // prettier-ignore
});

const iteration = (run: 'm0' | 'm1', number: number): IterationReport => ({
  run,
  level: 1,
  iteration: number,
  iterations: 2,
  loss: 1 / number,
  macroF1: 0.5,
  accuracy: 0.6,
  f1: [0.1, 0.2, 0.3],
  sampleSizes: [10, 20, 30],
  seconds: 1,
  etaSeconds: 2,
});

const report: TrainingReport = {
  format: 1,
  engine: 'onnxruntime 1 on CPU',
  preset: 'small',
  network: 'basic-cnn-64',
  weights: 'random',
  seeds: { m0: 1, m1: 2 },
  dataset: { name: 'farm & co', digest: 'ab'.repeat(32), split: 'by camera', classes: CLASSES },
  settings: { batch: 32 },
  counts: { training: [8, 4, 2], reference: [1, 1, 1], test: [2, 2, 2] },
  ratios: [1.3, 0.4, 0.17],
  iterations: [iteration('m0', 1), iteration('m0', 2), iteration('m1', 1), iteration('m1', 2)],
  fusion: {
    rule: 'searched',
    threshold: 0.3,
    curve: [
      { threshold: 0.1, macroF1: 0.4, accuracy: 0.5 },
      { threshold: 0.3, macroF1: 0.6, accuracy: 0.7 },
    ],
  },
  test: { m0: evaluation(0.4), m1: evaluation(0.5), mean: evaluation(0.55), fused: evaluation(0.6) },
  reference: { m0: evaluation(0.4), m1: evaluation(0.5), fused: evaluation(0.6) },
  seconds: 4,
  startedAt: '2026-08-01T10:00:00.000Z',
  finishedAt: '2026-08-01T10:00:04.000Z',
  warnings: ['<b>beware</b>'],
};

test('the page holds the figures, needs nothing from elsewhere, and lets no name become markup', () => {
  const page = reportPage(report);
  expect(page).toContain('<td>0.600</td>');
  expect(page).toContain('high&lt;way');
  expect(page).not.toContain('high<way');
  expect(page).toContain('&lt;b&gt;beware&lt;/b&gt;');
  expect(page).toContain('farm &amp; co');
  expect(page).not.toMatch(/(src|href)=|https?:|url\(/);
  expect(page).toContain('prefers-color-scheme: dark');
  expect(page).toContain('@media print');
  expect(page.match(/<svg /g)?.length).toBe(6);
  expect(page).not.toMatch(/NaN|undefined|Infinity/);
});

test('bars are as long as their values say, with the P/N ratio beside them', () => {
  const figure = bars({ title: 'F1', labels: ['a', 'b'], series: [{ name: 'M0', values: [0.5, 1] }], notes: ['1.088', '0.002'], noteTitle: 'P/N' }); // prettier-ignore
  const widths = [...figure.matchAll(/width="([\d.]+)" height="5"/g)].map((match) => Number(match[1]));
  expect(widths[1]).toBeCloseTo(2 * (widths[0] as number), 5);
  expect(figure).toContain('0.002');
});

test('lines leave gaps where there is no value, and survive a single point', () => {
  const figure = lines({ title: 'x', x: [1, 2, 3, 4], xTitle: 'iteration', series: [{ name: 'M0', values: [0.1, null, 0.3, 0.2] }] }); // prettier-ignore
  expect(figure.match(/d="([^"]*)"/)?.[1]?.match(/M/g)).toHaveLength(2);
  expect(lines({ title: 'x', x: [1], xTitle: '', series: [{ name: 'M0', values: [0.1] }] })).not.toContain('NaN');
});

test('the confusion matrix shades by the share of the true class', () => {
  const figure = confusion('c', ['a', 'b'], [[3, 1], [0, 0]]); // prettier-ignore
  expect([...figure.matchAll(/--share:(\d+)%/g)].map((match) => match[1])).toEqual(['75', '25', '0', '0']);
});

test('CSV quotes what needs it and defuses what a spreadsheet would run', () => {
  const rows = classesCsv(report).split('\r\n');
  expect(rows[0]).toMatch(/^label,training,reference,test,ratio,m0_precision,m0_recall,m0_f1/);
  expect(rows[2]).toMatch(/^"water, ""deep""",4,1,2,0\.4,/);
  expect(rows[3]).toMatch(/^'=snow,/);
  expect(iterationsCsv(report).split('\r\n')).toHaveLength(6);
});
