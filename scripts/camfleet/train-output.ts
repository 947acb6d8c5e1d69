import { join } from 'node:path';
import type { Evaluation, IterationReport } from '../../common/domain/training.ts';
import type { TrainingOutcome } from '../../trainer/main.ts';
import { REPORT_FILES } from '../../trainer/report/write.ts';
import { demoBars } from '../train-demo/bars.ts';
import type { DemoFigures, DemoMedian, DemoResult } from '../train-demo/demo.ts';
import { table } from './terminal.ts';
import type { Terminal } from './terminal.ts';

/** Elsewhere than on a terminal. */
const A_LINE_EVERY_MS = 60_000;

/** Stages and iterations on stderr: one line that redraws itself on a terminal, a line each elsewhere. */
export function trainProgress(
  terminal: Terminal,
  { perClass = false }: { perClass?: boolean } = {},
): {
  classes(names: readonly string[]): void;
  stage(stage: string, done?: number, all?: number, secondsLeft?: number): void;
  iteration(report: IterationReport): void;
} {
  let classes: readonly string[] = [];
  let shown = '';
  let drawnAt = 0;
  return {
    classes: (names) => void (classes = names),
    stage: (stage, done, all, secondsLeft) => {
      if (done !== undefined && all !== undefined) {
        const every = terminal.showsProgress ? 100 : A_LINE_EVERY_MS;
        if (stage !== shown && !terminal.showsProgress) drawnAt = Date.now();
        shown = stage;
        const isDue = Date.now() - drawnAt > every || (done === all && terminal.showsProgress);
        if (!isDue) return;
        drawnAt = Date.now();
        const left = secondsLeft === undefined || done === all ? '' : `, ${timeLeft(secondsLeft)}`;
        const text = `${stage}: ${done} of ${all}${left}`;
        terminal.err(terminal.showsProgress ? `\r${text.padEnd(80)}${done === all ? '\n' : ''}` : `${text}\n`);
      } else if (stage !== shown) terminal.err(`${stage} …\n`);
      shown = stage;
    },
    iteration: ({ run, level, iteration, iterations, loss, macroF1, accuracy, etaSeconds, f1, sampleSizes }) => {
      const line =
        `${run.toUpperCase()} level ${level}, ${String(iteration).padStart(String(iterations).length)}/${iterations}` +
        `  loss ${loss.toFixed(3)}  reference: macro F1 ${macroF1.toFixed(3)}, accuracy ${accuracy.toFixed(3)}  ${timeLeft(etaSeconds)}`;
      const isLast = iteration >= iterations;
      const stays = isLast || perClass || !terminal.showsProgress;
      terminal.err(
        `${terminal.showsProgress ? '\r' : ''}${terminal.showsProgress ? line.padEnd(100) : line}${stays ? '\n' : ''}`,
      );
      if (!perClass) return;
      const rows = classes.map((label, j) => [label, figure(f1[j] as number), sampleSizes[j]]);
      terminal.err(table(['CLASS', 'F1 REFERENCE', 'SAMPLES'], rows));
    },
  };
}

function timeLeft(seconds: number): string {
  if (seconds < 1) return 'done';
  return seconds < 90 ? `${Math.ceil(seconds)} s left` : `${Math.ceil(seconds / 60)} min left`;
}

const figure = (value: number): string => value.toFixed(3);

const figuresOf = ({ macroF1, accuracy, weightedF1 }: Evaluation): string[] =>
  [macroF1, accuracy, weightedF1].map(figure);

/** The last object of `--json`. */
function summaryOf({ report, artifact, model }: TrainingOutcome) {
  const { searched } = report.fusion;
  return {
    artifact,
    version: model.version,
    metrics: model.manifest.metrics,
    threshold: report.fusion.threshold,
    ...(searched && {
      searched: { threshold: searched.threshold, macroF1: searched.test.macroF1, accuracy: searched.test.accuracy },
    }),
    report: join(artifact, '..', REPORT_FILES.json),
    page: join(artifact, '..', REPORT_FILES.page),
    seconds: report.seconds,
    warnings: report.warnings,
  };
}

export function showOutcome(terminal: Terminal, outcome: TrainingOutcome, { json }: { json: boolean }): void {
  if (json) return terminal.out(`${JSON.stringify(summaryOf(outcome))}\n`);
  const { report, artifact, model } = outcome;
  const { test, dataset, counts, ratios, iterations } = report;
  const { searched } = report.fusion;
  const last = iterations.filter(({ run }) => run === 'm1').at(-1);
  terminal.out(
    table(
      ['TEST PART', 'MACRO F1', 'ACCURACY', 'WEIGHTED F1'],
      [
        ...(['m0', 'm1', 'mean', 'fused'] as const).map((name) => [
          name === 'm0' || name === 'm1' ? name.toUpperCase() : name,
          ...figuresOf(test[name]),
        ]),
        ...(searched ? [[`T_r = ${figure(searched.threshold)}, searched`, ...figuresOf(searched.test)]] : []),
      ],
    ),
  );
  terminal.out('\n');
  terminal.out(
    table(
      ['CLASS', 'TRAINING', 'P/N', 'LAST SAMPLE', 'TEST', 'F1 M0', 'F1 M1', 'F1 FUSED'],
      dataset.classes.map((label, j) => [
        label,
        counts.training[j],
        figure(ratios[j] as number),
        last?.sampleSizes[j],
        counts.test[j],
        ...[test.m0, test.m1, test.fused].map(({ perClass }) => figure(perClass[j]?.f1 ?? 0)),
      ]),
    ),
  );
  for (const warning of report.warnings) terminal.err(`Note: ${warning}\n`);
  terminal.out(
    `\n${report.fusion.kind === 'mean' ? 'No T_r' : `T_r = ${figure(report.fusion.threshold)}`}: ${report.fusion.rule}\n` +
      `Model ${model.version.slice(0, 16)} in ${artifact}\nReport ${join(artifact, '..', REPORT_FILES.page)}\n`,
  );
}

/** One seed alone is above or below a bar by chance. */
const BAR_SEEDS = 3;

export function showDemo(
  terminal: Terminal,
  results: readonly DemoResult[],
  median: DemoMedian,
  { json }: { json: boolean },
): void {
  const seeds = results.map((result) => ({ seed: result.seed, ...result.figures, ...summaryOf(result) }));
  const bars = demoBars(median);
  if (json) {
    const { artifact, metrics } = seeds.at(-1) as (typeof seeds)[number];
    return terminal.out(`${JSON.stringify({ demo: true, artifact, metrics, seeds, median, bars })}\n`);
  }
  if (results.length === 1) showOutcome(terminal, results[0] as DemoResult, { json });
  const row = (name: string, one: DemoFigures, passes: number | string) => [
    name,
    passes,
    ...[one.rareM0, one.rareM1, one.rareMean, one.rareFused].map(figure),
    ...[one.accuracyM0, one.accuracyM1, one.accuracyMean, one.accuracyFused].map(figure),
  ];
  terminal.out(`\nMean F1 of the six rarest classes, and accuracy, on cameras that training never saw:\n`);
  terminal.out(
    table(
      ['SEED', 'PASSES', 'RARE M0', 'M1', 'MEAN', 'FUSED', 'ACCURACY M0', 'M1', 'MEAN', 'FUSED'],
      [
        ...results.map(({ seed, figures, report }) => row(String(seed), figures, Number(report.settings['passes']))),
        ...(results.length > 1 ? [row('median', median.figures, '')] : []),
      ],
    ),
  );
  terminal.out(
    `Fused against M0${results.length > 1 ? ', median' : ''}: six rarest ${signed(median.differences.rare)}, ` +
      `accuracy ${signed(median.differences.accuracy)}.\n`,
  );
  for (const { words, value, name, met } of bars) {
    terminal.out(`Bar ${met ? 'met' : 'MISSED'}: ${words}: ${name === 'difficulty' ? figure(value) : signed(value)}\n`);
  }
  if (results.length < BAR_SEEDS)
    terminal.out(`The bars are meant for the median of ${BAR_SEEDS} seeds: --seeds ${BAR_SEEDS}.\n`);
}

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;
