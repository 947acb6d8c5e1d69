import { escape } from '../report/plots.ts';
import { STYLE } from '../report/style.ts';
import { profileFigures } from './figures.ts';
import { counted } from './report.ts';
import type { BenchmarkReport } from './document.ts';
import {
  approximationTable,
  barsTable,
  claimsTable,
  costTable,
  differencesTable,
  int8Table,
  tableOne,
} from './tables.ts';

/** report.html: one file that needs nothing else, in light, dark and on paper. */
export function benchmarkPage(report: BenchmarkReport): string {
  const { profiles, classes, settings } = report;
  const sections: [string, string][] = [
    ...profiles.map(({ name }): [string, string] => [`Table 1 on ${name}`, tableOne(report, name)]),
    ['What the paper says of its table', claimsTable(report)],
    ['The bars', barsTable(report)],
    ['Paired differences to M0', differencesTable(report)],
    ...(report.int8 ? [['The 8-bit trunk', int8Table(report.int8)] as [string, string]] : []),
    ...(report.approximations.length > 0
      ? [['A pool of views in place of fresh ones', approximationTable(report)] as [string, string]]
      : []),
    ...profiles.flatMap((profile) => profileFigures(report, profile)),
    ['Time and memory', costTable(report)],
    [
      'Settings',
      `<p>Fixed before any test set was looked at.</p><pre>${escape(JSON.stringify(settings, null, 2))}</pre>`,
    ],
  ];
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
    `<title>Benchmark on ${escape(profiles.map(({ name }) => name).join(', '))}</title><style>${STYLE}` +
    `.wide { overflow-x: auto; } .wide table { font-size: 13px; } td.best { font-weight: 700; }</style></head><body><main>` +
    `<h1>Long-tailed benchmark: ${classes.length} classes</h1>${lead(report)}${warnings(report)}${convergence(report)}` +
    sections.map(([title, content]) => `<section><h2>${escape(title)}</h2>${content}</section>`).join('') +
    `</main></body></html>`
  );
}

function lead({ backbone, layer, engine, startedAt, options, balanced, ground }: BenchmarkReport): string {
  const facts = [
    backbone,
    `features: GAP(${layer})`,
    engine,
    `${counted(options.splits, 'split')}, ${counted(options.seeds, 'seed')}`,
    balanced ? `judged on ${ground}: ${balanced.name}, ${balanced.images} images, weighted as training mixes classes` : 'judged on the splits’ own test parts', // prettier-ignore
    `${startedAt.slice(0, 16).replace('T', ' ')} UTC`,
  ];
  return `<p class="lead">${facts.map(escape).join(' · ')}</p>`;
}

const warnings = ({ warnings: list }: BenchmarkReport): string =>
  list.length === 0 ? '' : `<ul class="warnings">${list.map((one) => `<li>${escape(one)}</li>`).join('')}</ul>`;

/** Where M0 is not converged the warnings say so already. */
const convergence = ({ profiles }: BenchmarkReport): string =>
  profiles.map(({ name, convergence: judged }) => (judged?.isConverged ? `<p>${escape(name)}: ${escape(judged.words)}</p>` : '')).join(''); // prettier-ignore
