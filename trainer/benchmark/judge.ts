import { pairedBootstrap } from '../evaluate/bootstrap.ts';
import type { Comparison, PairedDifference } from '../evaluate/bootstrap.ts';
import { confusionMatrix, reweightRows, summarise } from '../evaluate/metrics.ts';
import type { Confusion } from '../evaluate/metrics.ts';
import type { TestSet } from '../evaluate/resample.ts';
import type { Dataset, DatasetSample } from '../dataset/dataset.ts';
import type { RowOutcome } from './rows.ts';
import type { BenchmarkSettings } from './settings.ts';

/** What one run (profile, split, seed) came to. */
export interface RunOutcome {
  profile: string;
  split: number;
  seed: number;
  dataset: Dataset;
  trainingCounts: number[];
  rows: Record<string, RowOutcome>;
}

/**
 * On what a row is judged: `test`, the split's own test part; `bal`, the balanced test set as it is; `nat`, the balanced test set
 * with its rows weighted as the training part mixes the classes.
 */
export const grounds = ['nat', 'bal', 'test'] as const;
export type Ground = (typeof grounds)[number];
export const figureNames = ['macroF1', 'accuracy', 'weightedF1'] as const;
export type FigureName = (typeof figureNames)[number];
export type Figures = Record<FigureName, number>;

export interface Judge {
  classes: number;
  balanced: Dataset | undefined;
  settings: Pick<BenchmarkSettings, 'bootstrap'>;
}

export const groundsOf = ({ balanced }: Pick<Judge, 'balanced'>): Ground[] =>
  grounds.filter((ground) => ground === 'test' || balanced !== undefined);

/** The ground that bars and claims are judged on. */
export const mainGround = (judge: Pick<Judge, 'balanced'>): Ground => (judge.balanced ? 'nat' : 'test');

/** Counts, or shares of all images where they are re-weighted. */
export function confusionOf(run: RunOutcome, row: string, ground: Ground, judge: Judge): Confusion {
  const predicted = (run.rows[row] as RowOutcome).predictions[ground === 'test' ? 'test' : 'balanced'];
  const confusion = confusionMatrix(truthOf(run, ground, judge), predicted, judge.classes);
  return ground === 'nat' ? reweightRows(confusion, run.trainingCounts) : confusion;
}

const imagesOf = ({ dataset }: RunOutcome, ground: Ground, { balanced }: Judge): readonly DatasetSample[] =>
  ground === 'test' ? dataset.samples.filter(({ part }) => part === 'test') : (balanced?.samples ?? []);

const truthOf = (run: RunOutcome, ground: Ground, judge: Judge): number[] =>
  imagesOf(run, ground, judge).map(({ label }) => label);

const pick = ({ macroF1, accuracy, weightedF1 }: Figures): Figures => ({ macroF1, accuracy, weightedF1 });

export const figuresOf = (confusion: Confusion): Figures => pick(summarise(confusion));

/** Mean over runs. Several profiles count alike. */
export function meanFigures(runs: readonly RunOutcome[], row: string, ground: Ground, judge: Judge): Figures {
  const figures = runs.map((run) => figuresOf(confusionOf(run, row, ground, judge)));
  const mean = (name: FigureName): number => figures.reduce((sum, one) => sum + one[name], 0) / figures.length;
  return { macroF1: mean('macroF1'), accuracy: mean('accuracy'), weightedF1: mean('weightedF1') };
}

/** Paired differences of rows to a baseline on the runs that have them all. */
export function compare(
  runs: readonly RunOutcome[],
  { baseline, rows, ground }: { baseline: string; rows: readonly string[]; ground: Ground },
  judge: Judge,
): Comparison {
  if (runs.length === 0 || rows.length === 0) return {};
  const own = runs.map((run) => testSetOf(imagesOf(run, ground, judge)));
  const testSets = ground === 'test' ? own : own.slice(0, 1);
  const set = ground === 'test' ? 'test' : 'balanced';
  return pairedBootstrap({
    classes: judge.classes,
    testSets,
    splits: runs.map((run, i) => ({
      group: run.profile,
      testSet: ground === 'test' ? i : 0,
      predictions: Object.fromEntries(
        [baseline, ...rows].map((row) => [row, (run.rows[row] as RowOutcome).predictions[set]]),
      ),
    })),
    baseline,
    methods: rows,
    measure: (confusion, split) => {
      const { trainingCounts } = runs[split] as RunOutcome;
      return { ...figuresOf(ground === 'nat' ? reweightRows(confusion, trainingCounts) : confusion) };
    },
    ...judge.settings.bootstrap,
  });
}

function testSetOf(images: readonly DatasetSample[]): TestSet {
  const truth = images.map(({ label }) => label);
  const knowsCameras = images.length > 0 && images.every(({ group }) => group !== null);
  return knowsCameras ? { truth, cameras: images.map(({ group }) => group as string) } : { truth };
}

/** Every row against one baseline; rows that were run on fewer splits are compared on those. */
export function compareAll(
  runs: readonly RunOutcome[],
  { baseline, rows, ground }: { baseline: string; rows: readonly string[]; ground: Ground },
  judge: Judge,
): Comparison {
  const bySplits = new Map<string, string[]>();
  for (const row of rows) {
    const key = runs.map((run) => (run.rows[row] && run.rows[baseline] ? '1' : '0')).join('');
    bySplits.set(key, [...(bySplits.get(key) ?? []), row]);
  }
  const comparison: Comparison = {};
  for (const [key, alike] of bySplits) {
    const having = runs.filter((_, i) => key[i] === '1');
    Object.assign(comparison, compare(having, { baseline, rows: alike, ground }, judge));
  }
  return comparison;
}

export type Difference = PairedDifference;
