import type { BenchmarkData, Profile } from './data.ts';
import type { Need } from '../features/cache.ts';
import type { BenchmarkOptions } from './options.ts';
import type { RecipeName } from './recipes.ts';
import { ROWS } from './rows.ts';
import type { BenchmarkSettings } from './settings.ts';
import { needsOf } from './vectors.ts';

/** One split of one profile with one seed. */
export interface Run {
  profile: Profile;
  split: number;
  seed: number;
  rows: string[];
  /** Whether M0 is trained with twice the passes, too, to see that it had enough. */
  doubles: boolean;
  /** Whether the out-of-fold likelihood of a doubled M0 is looked at here, too. */
  comparesFolds: boolean;
}

/** Splits in turn over all profiles, so that an early look judges all of them. */
export function runsOf(
  { profiles }: Pick<BenchmarkData, 'profiles'>,
  { splits, seeds, full }: BenchmarkOptions,
  rows: readonly string[],
  { convergence }: BenchmarkSettings,
): Run[] {
  const size = ({ splits: [first] }: Profile): number => first?.samples.length ?? 0;
  const smallest = profiles.reduce((a, b) => (size(b) < size(a) ? b : a));
  const runs: Run[] = [];
  for (let split = 0; split < splits; split++) {
    for (const profile of profiles) {
      for (let seed = 1; seed <= seeds; seed++) {
        const isFirst = profile === smallest && split === 0 && seed === 1;
        const own = rows.filter((name) => full || isFirst || !ROWS[name]?.isCostly);
        runs.push({
          profile,
          split,
          seed,
          rows: own,
          doubles: true,
          comparesFolds: split < convergence.outOfFoldSplits && seed === 1,
        });
      }
    }
  }
  return runs;
}

/** Vectors that all runs need; those of early splits first. */
export function needsOfRuns(runs: readonly Run[], { balanced }: BenchmarkData): Need[] {
  const needs = runs.flatMap(({ profile, split }) => {
    const dataset = profile.splits[split];
    return dataset ? needsOf(dataset, profile.views) : [];
  });
  return [...(balanced?.samples ?? []).map((sample) => ({ sample, views: 0 })), ...needs];
}

/** Heads of a run, each with the share of the training images that it learns. */
export function headsOf(run: Run, { folds }: BenchmarkSettings): { model: string; head: RecipeName; share: number }[] {
  const whole = new Set<RecipeName>(run.doubles ? ['m0', 'm0-long'] : ['m0']);
  const inFolds = new Set<RecipeName>(run.comparesFolds ? ['m0', 'm0-long'] : []);
  for (const name of run.rows) {
    ROWS[name]?.heads.forEach((head) => whole.add(head));
    ROWS[name]?.outOfFold?.forEach((head) => inFolds.add(head));
  }
  const parts = Array.from({ length: folds }, (_, k) => k);
  return [
    ...[...whole].map((head) => ({ model: head, head, share: 1 })),
    ...[...inFolds].flatMap((head) =>
      parts.map((k) => ({ model: `${head}/fold-${k}`, head, share: (folds - 1) / folds })),
    ),
  ];
}
