import type { IterationReport, TrainingReport } from '../../common/domain/training.ts';
import { bands, bars, confusion, escape, lines } from './plots.ts';
import type { Series } from './plots.ts';
import { STYLE } from './style.ts';

/** report.html: one file that needs nothing else, in light, dark and on paper. */
export function reportPage(report: TrainingReport): string {
  const sections = [
    ['Result on the test part', results(report)],
    ['F1 of each class', classesFigure(report)],
    ['Where T_r comes from', thresholdFigure(report)],
    ['F1 and sample size over the iterations of M1', iterationFigures(report)],
    ['What is taken for what', confusionFigure(report)],
    ['The run', facts(report)],
  ] as const;
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
    `<title>Training on ${escape(report.dataset.name)}</title><style>${STYLE}</style></head><body><main>` +
    `<h1>Training on ${escape(report.dataset.name)}</h1>${lead(report)}${warningsOf(report)}` +
    sections.map(([title, content]) => `<section><h2>${title}</h2>${content}</section>`).join('') +
    `</main></body></html>`
  );
}

function lead({ preset, engine, network, weights, seeds, dataset, startedAt, seconds }: TrainingReport): string {
  const facts = [
    `preset ${preset}`,
    network,
    `weights: ${weights}`,
    engine,
    `split: ${dataset.split}`,
    `seeds ${seeds.m0} (M0) and ${seeds.m1} (M1)`,
    `${startedAt.slice(0, 16).replace('T', ' ')} UTC`,
    `${seconds.toFixed(0)} s`,
  ];
  return `<p class="lead">${facts.map(escape).join(' · ')}</p>`;
}

const warningsOf = ({ warnings }: TrainingReport): string =>
  warnings.length === 0 ? '' : `<ul class="warnings">${warnings.map((one) => `<li>${escape(one)}</li>`).join('')}</ul>`;

function results({ test, reference, fusion }: TrainingReport): string {
  const { searched } = fusion;
  const rows = [
    ['M0, plainly trained', test.m0, reference.m0],
    ['M1, trained by dynamic sampling', test.m1, reference.m1],
    ['mean of both (control)', test.mean, undefined],
    [fusion.kind === 'mean' ? 'fused: the mean' : 'fused by Eq. 3', test.fused, reference.fused],
    ...(searched
      ? [[`the same at T_r = ${figure3(searched.threshold)}, searched`, searched.test, undefined] as const]
      : []),
  ] as const;
  const body = rows.map(
    ([name, onTest, onReference]) =>
      `<tr><th>${name}</th><td>${figure3(onTest.macroF1)}</td><td>${figure3(onTest.accuracy)}</td>` +
      `<td>${figure3(onTest.weightedF1)}</td><td>${onReference ? figure3(onReference.macroF1) : '–'}</td></tr>`,
  );
  return (
    `<table><thead><tr><th></th><th>macro F1</th><th>accuracy</th><th>weighted F1</th><th>macro F1, reference</th></tr></thead>` +
    `<tbody>${body.join('')}</tbody></table><p>${test.m0.images} images in the test part; F1 is 0 for a class without images ` +
    `and predictions. The reference part steers Eq. 2 and chooses T_r, so its figures are optimistic.</p>`
  );
}

function classesFigure({ dataset, ratios, test }: TrainingReport): string {
  const f1 = (name: keyof TrainingReport['test']): Series => ({
    name: name === 'fused' ? 'fused' : name.toUpperCase(),
    values: test[name].perClass.map((entry) => entry.f1),
  });
  return bars({
    title: 'F1 of each class on the test part',
    labels: dataset.classes,
    series: [f1('m0'), f1('m1'), f1('fused')],
    notes: ratios.map((ratio) => (ratio > 1000 ? '∞' : ratio.toFixed(3))),
    noteTitle: 'P/N in training',
  });
}

function thresholdFigure({ fusion }: TrainingReport): string {
  const { curve, rule, threshold, curveOf, kind } = fusion;
  const words = kind === 'mean' ? `best T_r = ${figure3(threshold)}, not used` : `T_r = ${figure3(threshold)}`;
  if (curve.length < 2) return `<p>${escape(rule)} ${kind === 'mean' ? '' : `${words}.`}</p>`;
  // Thresholds crowd near 0, where the rare classes are: places are by rank, not by value.
  const x = curve.map((_, i) => i);
  const at = curve.findIndex((point) => point.threshold >= threshold);
  const beside = fusion.searched
    ? ` Searched, T_r would be ${figure3(fusion.searched.threshold)}: ${fusion.searched.rule}`
    : '';
  return (
    lines({
      title: `Macro F1 and accuracy ${curveOf === 'out-of-fold' ? 'out of fold' : 'on the reference part'} for each interval of T_r`,
      x,
      xTitle: 'T_r, one point for each interval between neighbouring P/N ratios',
      xLabel: (i) => (curve[i]?.threshold ?? 0).toFixed(3),
      series: [
        { name: 'macro F1', values: curve.map((point) => point.macroF1) },
        { name: 'accuracy', values: curve.map((point) => point.accuracy) },
      ],
      mark: { x: at < 0 ? curve.length - 1 : at, words },
    }) + `<p>${escape(`${rule}${beside}`)}</p>`
  );
}

function iterationFigures({ iterations, dataset }: TrainingReport): string {
  const of = (run: string): IterationReport[] => iterations.filter((entry) => entry.run === run);
  const [m0, m1] = [of('m0'), of('m1')];
  const longest = m0.length > m1.length ? m0 : m1;
  if (longest.length < 2) return '<p>One iteration only: nothing to draw.</p>';
  const x = longest.map((_, i) => i + 1);
  const macro = (run: IterationReport[]) => x.map((_, i) => run[i]?.macroF1 ?? null);
  const perClass = (read: (entry: IterationReport, j: number) => number | undefined): Series[] =>
    dataset.classes.map((name, j) => ({ name, values: m1.map((entry) => read(entry, j) ?? null) }));
  const turns = m1.map((_, i) => i + 1);
  return (
    lines({
      title: 'Macro F1 on the reference part',
      x,
      xTitle: 'iteration',
      series: [
        { name: 'M0', values: macro(m0) },
        { name: 'M1', values: macro(m1) },
      ],
    }) +
    bands(
      'F1 on the reference part, M1',
      perClass((entry, j) => entry.f1[j]),
      turns,
      1,
    ) +
    bands(
      'Sample size in each iteration, M1',
      perClass((entry, j) => entry.sampleSizes[j]),
      turns,
    )
  );
}

const confusionFigure = ({ dataset, test }: TrainingReport): string =>
  confusion('Confusion of the fused model on the test part', dataset.classes, test.fused.confusion) +
  '<p>Rows: true class; columns: what the fused model says; shade: share of the row.</p>';

function facts(report: TrainingReport): string {
  const { dataset, counts, settings } = report;
  const body = dataset.classes.map((label, j) => {
    const cells = [counts.training[j], counts.reference[j], counts.test[j]].map((n) => `<td>${n ?? 0}</td>`).join('');
    return `<tr><th>${escape(label)}</th>${cells}<td>${(report.ratios[j] ?? 0).toFixed(4)}</td></tr>`;
  });
  return (
    `<p>Dataset ${escape(dataset.name)}, digest <code>${dataset.digest}</code>.</p>` +
    `<table><thead><tr><th>class</th><th>training</th><th>reference</th><th>test</th><th>P/N</th></tr></thead><tbody>${body.join('')}</tbody></table>` +
    `<details><summary>Settings</summary><pre>${escape(JSON.stringify(settings, null, 2))}</pre></details>`
  );
}

const figure3 = (value: number): string => value.toFixed(3);
