import { ratiosOf } from '../../common/domain/dataset.ts';
import type { Comparison, PairedDifference } from '../evaluate/bootstrap.ts';
import { summarise } from '../evaluate/metrics.ts';
import { countsOf } from '../dataset/dataset.ts';
import { BARS, CLAIMS, judgeBar, judgeClaim } from './bars.ts';
import type { Convergence } from './convergence.ts';
import type { BenchmarkData } from './data.ts';
import type { BenchmarkReport, ReportedProfile, ReportedRow, RowCost, RowOnProfile } from './document.ts';
import { compareAll, confusionOf, figureNames, figuresOf, groundsOf, mainGround, meanFigures } from './judge.ts';
import type { FigureName, Figures, Ground, Judge, RunOutcome } from './judge.ts';
import type { BenchmarkOptions } from './options.ts';
import type { Int8Report } from './int8.ts';
import { BASELINE, ROWS } from './rows.ts';
import type { BenchmarkSettings } from './settings.ts';
import type { Iteration } from './train-head.ts';

export interface ReportInput {
  options: BenchmarkOptions;
  rows: readonly string[];
  settings: BenchmarkSettings;
  data: BenchmarkData;
  runs: readonly RunOutcome[];
  costs: ReadonlyMap<string, RowCost[]>;
  convergence: ReadonlyMap<string, Convergence>;
  iterations: ReadonlyMap<string, Record<string, Iteration[]>>;
  int8: Int8Report | null;
  notes: readonly string[];
  engine: string;
  startedAt: number;
  finishedAt: number;
}

export function buildReport(input: ReportInput): BenchmarkReport {
  const { data, options, runs, settings, rows } = input;
  const classes = data.profiles[0]?.splits[0]?.classes ?? [];
  const judge: Judge = { classes: classes.length, balanced: data.balanced, settings };
  const ground = mainGround(judge);
  const differences = differencesOf(runs, rows, judge);
  return {
    format: 1,
    startedAt: new Date(input.startedAt).toISOString(),
    finishedAt: new Date(input.finishedAt).toISOString(),
    engine: input.engine,
    backbone: data.backbone.describe(),
    layer: data.layer,
    dataset: options.dataset,
    balanced: data.balanced ? { name: data.balanced.name, images: data.balanced.samples.length } : null,
    classes: [...classes],
    settings,
    options: {
      splits: options.splits,
      seeds: options.seeds,
      rows: [...rows],
      full: options.full ?? false,
      mostViews: options.mostViews ?? null,
    },
    ground,
    profiles: data.profiles.map((profile) => reportedProfile(profile, input)),
    rows: rows.map((name) => reportedRow(name, input, judge)),
    differences,
    bars: BARS.flatMap((bar) => judgeBar(bar, differences[ground]?.all[bar.row] ?? {}) ?? []),
    claims: judgedClaims(input, ground, judge),
    approximations: approximationsOf(runs, ground, judge),
    int8: input.int8,
    warnings: warningsOf(input),
  };
}

function differencesOf(
  runs: readonly RunOutcome[],
  rows: readonly string[],
  judge: Judge,
): BenchmarkReport['differences'] {
  const others = rows.filter((row) => row !== BASELINE);
  const profiles = [...new Set(runs.map(({ profile }) => profile))];
  return Object.fromEntries(
    groundsOf(judge).map((ground) => {
      const of = (some: readonly RunOutcome[]): Comparison =>
        compareAll(some, { baseline: BASELINE, rows: others, ground }, judge);
      const each = profiles.map((name) => [name, of(runs.filter(({ profile }) => profile === name))] as const);
      const all = profiles.length > 1 ? of(runs) : (each[0]?.[1] ?? {});
      return [ground, { all, profiles: Object.fromEntries(each) }];
    }),
  );
}

function judgedClaims({ runs, rows, options }: ReportInput, ground: Ground, judge: Judge): BenchmarkReport['claims'] {
  return CLAIMS.map((claim) => {
    const { better, than, figure } = claim;
    // Without views M0 is the row without augmentation.
    const isSame = options.mostViews === 0 && [better, than].every((row) => row === 'm0' || row === 'no-aug');
    const isRun = rows.includes(better) && rows.includes(than) && !isSame;
    const compared = isRun ? compareAll(runs, { baseline: than, rows: [better], ground }, judge) : {};
    const difference = compared[better]?.[figure];
    return { ...claim, difference: difference ?? null, verdict: judgeClaim(difference) };
  });
}

/** What a pool of views in place of fresh ones costs or gains, row by row. */
const WITH_FRESH_VIEWS: Readonly<Record<string, string>> = { 'm0-fresh': 'm0', 'm1-fresh': 'm1', 'proposed-fresh': 'proposed-.3' }; // prettier-ignore

function approximationsOf(
  runs: readonly RunOutcome[],
  ground: Ground,
  judge: Judge,
): BenchmarkReport['approximations'] {
  return Object.entries(WITH_FRESH_VIEWS).flatMap(([fresh, cached]) => {
    const found = compareAll(runs, { baseline: cached, rows: [fresh], ground }, judge)[fresh];
    return found ? [{ fresh, cached, difference: found as Record<FigureName, PairedDifference> }] : [];
  });
}

function reportedProfile(
  { name, splits, views }: BenchmarkData['profiles'][number],
  input: ReportInput,
): ReportedProfile {
  const [first] = splits;
  const counts = first ? countsOf(first) : { training: [], reference: [], test: [] };
  const outcome = input.runs.find((run) => run.profile === name && run.split === 0);
  const fused = Object.entries(outcome?.rows ?? {}).flatMap(([row, { choice }]) =>
    choice ? [[row, choice] as const] : [],
  );
  return {
    name,
    images: first?.samples.length ?? 0,
    splits: splits.map(({ splitRule }) => splitRule),
    counts,
    ratios: ratiosOf(counts.training),
    views: [...views],
    warnings: [...(first?.warnings ?? [])],
    convergence: input.convergence.get(name) ?? null,
    iterations: input.iterations.get(name) ?? {},
    curves: Object.fromEntries(fused.map(([row, { threshold, curve, reason }]) => [row, { threshold, curve, reason }])),
  };
}

function reportedRow(name: string, input: ReportInput, judge: Judge): ReportedRow {
  const { title, short, group, paper } = ROWS[name] as (typeof ROWS)[string];
  const profiles = input.data.profiles.flatMap(({ name: profile }) => {
    const having = input.runs.filter((run) => run.profile === profile && run.rows[name]);
    return having.length > 0 ? [[profile, rowOnProfile(name, profile, having, input, judge)] as const] : [];
  });
  return { name, title, short, group, paper: paper ?? null, profiles: Object.fromEntries(profiles) };
}

function rowOnProfile(
  row: string,
  profile: string,
  runs: readonly RunOutcome[],
  input: ReportInput,
  judge: Judge,
): RowOnProfile {
  const main = mainGround(judge);
  const f1 = runs.map((run) => summarise(confusionOf(run, row, main, judge)).f1);
  const outcomes = runs.map((run) => run.rows[row]);
  const costs = input.costs.get(`${profile}/${row}`) ?? [];
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length); // prettier-ignore
  return {
    runs: runs.length,
    figures: Object.fromEntries(
      groundsOf(judge).map((ground) => [
        ground,
        { ...meanFigures(runs, row, ground, judge), sd: deviations(runs, row, ground, judge) },
      ]),
    ),
    f1: (f1[0] ?? []).map((_, j) => mean(f1.map((values) => values[j] as number))),
    confusion: confusionOf(runs[0] as RunOutcome, row, main === 'nat' ? 'bal' : 'test', judge).map((line) => [...line]),
    thresholds: outcomes.flatMap((outcome) => (outcome?.choice ? [outcome.choice.threshold] : [])),
    taus: outcomes.flatMap((outcome) => (outcome?.tau === undefined ? [] : [outcome.tau])),
    cost: {
      seconds: mean(costs.map(({ seconds }) => seconds)),
      steps: mean(costs.map(({ steps }) => steps)),
      residentBytes: Math.max(0, ...costs.map(({ residentBytes }) => residentBytes)),
    },
  };
}

function deviations(runs: readonly RunOutcome[], row: string, ground: Ground, judge: Judge): Figures {
  const figures = runs.map((run) => figuresOf(confusionOf(run, row, ground, judge)));
  const sd = (name: FigureName): number => {
    if (figures.length < 2) return 0;
    const mean = figures.reduce((sum, one) => sum + one[name], 0) / figures.length;
    return Math.sqrt(figures.reduce((sum, one) => sum + (one[name] - mean) ** 2, 0) / (figures.length - 1));
  };
  return Object.fromEntries(figureNames.map((name) => [name, sd(name)])) as Figures;
}

function warningsOf({ data, options, rows, notes, convergence, settings }: ReportInput): string[] {
  const { backbone, balanced, profiles } = data;
  return [
    ...backbone.warnings.map((warning) => `Weights: ${warning}.`),
    options.mostViews === 0
      ? 'Trained on the pictures as they are: without views no row has any augmentation.'
      : `Augmentation is approximated: each image has a fixed pool of ${views(profiles)}, the same for every row, in place of fresh ones.`,
    ...(rows.includes('pilot')
      ? [
          'The row “pilot” repeats the set-up that a pilot is known by: features, head, passes and no augmentation; batch and rate are ours.',
        ]
      : []),
    'Eq. 2 runs in level 1, from the second pass on: but for rows of level 2, whose M1 samples all classes alike before, only a head on the frozen trunk is trained here.',
    ...(options.splits < 10
      ? [`${counted(options.splits, 'split')} only: the bars ask for 10, so their verdicts are provisional.`]
      : []),
    ...(options.splits * options.seeds === 1 ? ['One run: intervals hold the noise of the test images only.'] : []),
    ...(options.seeds > 1 ? ['Several seeds of a split count as splits of their own in the bootstrap.'] : []),
    ...(balanced ? [] : ['No balanced test set: the tail of each split’s own test part has very few images.']),
    ...(settings.passes === options.passes
      ? [`${options.passes} passes by request, not the settings’ own number.`]
      : []),
    ...[...convergence].flatMap(([name, { isConverged, words }]) => (isConverged ? [] : [`${name}: ${words}`])),
    ...notes,
  ];
}

export const counted = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

function views(profiles: readonly { views: readonly number[] }[]): string {
  const all = profiles.flatMap((profile) => profile.views);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  return `${least === most ? '' : `${least} to `}${counted(most, 'augmented view')}`;
}
