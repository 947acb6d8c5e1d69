import { join } from 'node:path';
import type { Evaluation, TrainingReport } from '../../common/domain/training.ts';
import { train } from '../../trainer/main.ts';
import type { TrainHooks, TrainingOutcome, TrainOptions } from '../../trainer/main.ts';
import { DEMO_BUDGET_SECONDS } from './cameras.ts';
import { writeDemoDataset } from './dataset.ts';

/** Six of nineteen: the classes with 5 to 9 cameras. */
const RAREST = 6;

export interface DemoResult extends TrainingOutcome {
  seed: number;
  figures: DemoFigures;
}

/** On pictures of cameras that training never saw. */
export interface DemoFigures {
  /** Mean F1 of the six rarest classes. */
  rareM0: number;
  rareM1: number;
  rareMean: number;
  rareFused: number;
  accuracyM0: number;
  accuracyM1: number;
  accuracyMean: number;
  accuracyFused: number;
}

export type DemoOptions = Omit<TrainOptions, 'dataset' | 'manifest' | 'split' | 'resume' | 'name'> & { seed: number };

/** Renders the cameras of one seed and trains on them, below `options.out`. Equal seeds and passes give equal results. */
export async function runDemo(options: DemoOptions, hooks: TrainHooks = {}): Promise<DemoResult> {
  const { seed, out } = options;
  const dataset = join(out, 'dataset');
  await writeDemoDataset(dataset, seed, {
    onProgress: (done, all) => hooks.onStage?.('draws cameras', done, all),
    ...(hooks.signal && { signal: hooks.signal }),
  });
  // Every step of its own small budget, as M0 and M1 are compared.
  const keep = options.keep ?? 'final';
  const outcome = await train({ budgetSeconds: DEMO_BUDGET_SECONDS, ...options, keep, dataset }, hooks);
  return { ...outcome, seed, figures: figuresOf(outcome.report) };
}

export function figuresOf({ counts, test }: TrainingReport): DemoFigures {
  const rarest = counts.training
    .map((count, j) => ({ count, j }))
    .sort((a, b) => a.count - b.count || b.j - a.j)
    .slice(0, RAREST)
    .map(({ j }) => j);
  const rare = ({ perClass }: Evaluation): number =>
    rarest.reduce((sum, j) => sum + (perClass[j]?.f1 ?? 0), 0) / rarest.length;
  return {
    rareM0: rare(test.m0),
    rareM1: rare(test.m1),
    rareMean: rare(test.mean),
    rareFused: rare(test.fused),
    accuracyM0: test.m0.accuracy,
    accuracyM1: test.m1.accuracy,
    accuracyMean: test.mean.accuracy,
    accuracyFused: test.fused.accuracy,
  };
}

export interface DemoMedian {
  figures: DemoFigures;
  /** Fused minus M0. */
  differences: { rare: number; accuracy: number };
}

/** The middle of the seeds' figures, each for itself; `differences` are paired within a seed. */
export function medianFigures(results: readonly DemoFigures[]): DemoMedian {
  const of = (read: (figures: DemoFigures) => number): number => median(results.map(read));
  const names = Object.keys(results[0] as DemoFigures) as (keyof DemoFigures)[];
  return {
    figures: Object.fromEntries(names.map((name) => [name, of((one) => one[name])])) as unknown as DemoFigures,
    differences: {
      rare: of((one) => one.rareFused - one.rareM0),
      accuracy: of((one) => one.accuracyFused - one.accuracyM0),
    },
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
