import { levelOneNetwork } from '../backbone/backbone.ts';
import { countsOf } from '../dataset/dataset.ts';
import type { TrainEngine } from '../engine/engine.ts';
import { initialParameters } from '../engine/initialise.ts';
import type { BenchmarkData, Profile } from './data.ts';
import type { FeatureCache, Need } from './features.ts';
import type { SplitModels } from './models.ts';
import type { BenchmarkOptions, Hooks } from './options.ts';
import { recipes } from './recipes.ts';
import type { RecipeName } from './recipes.ts';
import { ROWS } from './rows.ts';
import type { BenchmarkSettings } from './settings.ts';
import { stepsOf } from './train-head.ts';
import { needsOf } from './vectors.ts';

/** One split of one profile with one seed. */
export interface Run {
  profile: Profile;
  split: number;
  seed: number;
  rows: string[];
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
  const whole = new Set<RecipeName>(['m0', 'm0-long']);
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

export interface Cost {
  runs: number;
  vectors: { all: number; missing: number; secondsEach: number };
  /** The trunk's maps, where level 2 is asked for. */
  maps: { missing: number };
  heads: { all: number; missing: number; steps: number; secondsPerStep: number };
  seconds: number;
}

export interface CostInput {
  data: BenchmarkData;
  runs: readonly Run[];
  needs: readonly Need[];
  cache: FeatureCache;
  /** With what it needs. */
  maps: { cache: FeatureCache; needs: readonly Need[] } | undefined;
  modelsOf(run: Run): SplitModels;
  settings: BenchmarkSettings;
  engine: TrainEngine;
  threads: number;
  hooks: Hooks;
}

/** What is still to do and how long it will take, from what a few vectors and a few steps take now. */
export async function costOf(input: CostInput): Promise<Cost> {
  const { runs, needs, cache, settings, modelsOf, hooks } = input;
  const table = recipes(settings);
  let [all, missing, steps] = [0, 0, 0];
  for (const run of runs) {
    const dataset = run.profile.splits[run.split];
    const images = dataset ? countsOf(dataset).training.reduce((sum, count) => sum + count, 0) : 0;
    const models = modelsOf(run);
    for (const { model, head, share } of headsOf(run, settings)) {
      all++;
      if (await models.has(model)) continue;
      missing++;
      for (const stage of table[head].stages) steps += stepsOf(stage, Math.round(images * share), settings.batch);
    }
  }
  const vectors = {
    all: cache.size + cache.missing(needs),
    missing: cache.missing(needs),
    secondsEach: await cache.time(needs, hooks),
  };
  const secondsPerStep = steps > 0 ? await timeSteps(input) : 0;
  const maps = { missing: input.maps ? input.maps.cache.missing(input.maps.needs) : 0 };
  const eachMap = vectors.secondsEach || (input.maps ? await input.maps.cache.time(input.maps.needs, hooks) : 0);
  const seconds = vectors.missing * vectors.secondsEach + maps.missing * eachMap + steps * secondsPerStep;
  return { runs: runs.length, vectors, maps, heads: { all, missing, steps, secondsPerStep }, seconds };
}

const TIMED_STEPS = 10;

/** On a head that is thrown away; the first step builds the graph and does not count. */
async function timeSteps({ data, cache, settings, engine, threads, hooks }: CostInput): Promise<number> {
  const classes = data.profiles[0]?.splits[0]?.classes.length ?? 2;
  const network = levelOneNetwork(data.backbone, [cache.length], classes);
  const session = await engine.open(network, { parameters: initialParameters(network, { seed: 0 }), threads });
  try {
    const batch = {
      inputs: new Float32Array(settings.batch * cache.length),
      labels: new Int32Array(settings.batch),
    };
    const step = () => session.step(batch, { ...settings.optimiser, learningRate: 0 });
    await step();
    const startedAt = hooks.clock.monotonic();
    for (let i = 0; i < TIMED_STEPS; i++) await step();
    return (hooks.clock.monotonic() - startedAt) / 1000 / TIMED_STEPS;
  } finally {
    await session.close();
  }
}

/** The plan in sentences, for the terminal. */
export function costInWords({ runs, vectors, maps, heads, seconds }: Cost): string {
  return (
    `${runs} runs (split × profile × seed). Vectors: ${vectors.missing} of ${vectors.all} to compute, ` +
    `${(vectors.secondsEach * 1000).toFixed(0)} ms each.${maps.missing > 0 ? ` Maps for level 2: ${maps.missing} to compute.` : ''} Heads: ${heads.missing} of ${heads.all} to train, ${heads.steps} steps of ` +
    `${(heads.secondsPerStep * 1000).toFixed(0)} ms. About ${inWords(seconds)} as busy as this machine is now, and the SVM, the ` +
    'Basic CNN and level 2 on top.'
  );
}

export function inWords(seconds: number): string {
  if (!Number.isFinite(seconds)) return '…';
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
