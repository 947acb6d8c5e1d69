import { join, resolve } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { AppError } from '../../common/runtime/errors.ts';
import { openEngine } from '../engines.ts';
import type { TrainEngine } from '../engine/engine.ts';
import { judgeConvergence, doublingOf } from './convergence.ts';
import type { Doubling } from './convergence.ts';
import { loadData } from './data.ts';
import type { BenchmarkData } from './data.ts';
import { FeatureCache } from './features.ts';
import type { Need } from './features.ts';
import { interrupted } from './interrupted.ts';
import type { RunOutcome } from './judge.ts';
import { hasLevelTwo } from './level-two.ts';
import { SplitMaps } from './maps.ts';
import { SplitModels } from './models.ts';
import { rowsAskedFor, withDefaults } from './options.ts';
import type { BenchmarkHooks, BenchmarkOptions, Hooks } from './options.ts';
import { costInWords, costOf, needsOfRuns, runsOf } from './plan.ts';
import type { Cost, Run } from './plan.ts';
import { buildReport } from './report.ts';
import type { BenchmarkReport, RowCost } from './document.ts';
import { ResultStore } from './results.ts';
import type { ModelResult } from './results.ts';
import { ROWS } from './rows.ts';
import { BENCHMARK_SETTINGS } from './settings.ts';
import type { BenchmarkSettings } from './settings.ts';
import type { Iteration } from './train-head.ts';
import { SplitVectors } from './vectors.ts';
import { writeBenchmark } from './write.ts';

export type { BenchmarkHooks, BenchmarkOptions } from './options.ts';
export type { BenchmarkReport } from './document.ts';

export interface BenchmarkOutcome {
  cost: Cost;
  /** `undefined` where only the plan was asked for. */
  report: BenchmarkReport | undefined;
}

/**
 * The whole benchmark. What was computed stays in `out` and in the feature cache, and is found again: stopped and started anew it
 * goes on, and with more splits or rows it adds to what is there.
 *
 * @throws AppError `BENCHMARK_*`, `DATASET_*`, `BACKBONE_*`, `TRAINING_DIVERGED`, `ENGINE_UNKNOWN`
 */
export async function runBenchmark(options: BenchmarkOptions, given: BenchmarkHooks = {}): Promise<BenchmarkOutcome> {
  const hooks = withDefaults(given);
  const startedAt = hooks.clock.now();
  const rows = rowsAskedFor(options);
  await mkdir(resolve(options.out), { recursive: true });
  const settings = { ...BENCHMARK_SETTINGS, passes: options.passes ?? BENCHMARK_SETTINGS.passes };
  settings.classifierPasses = Math.min(settings.classifierPasses, Math.ceil(settings.passes / 4));
  const engine = await openEngine(options.engine ?? 'onnxruntime', options.threads);
  const data = await loadData(options, hooks);
  const features = {
    folder: options.features ?? join(options.out, 'features'),
    backbone: data.backbone,
    augmentation: settings.augmentation,
    seed: settings.viewSeed,
    threads: options.threads,
  };
  const maps = options.levelTwo ? FeatureCache.open({ ...features, layer: requireLevelTwo(data) }) : undefined;
  const cache = FeatureCache.open({ ...features, layer: data.layer });
  try {
    const benchmark = new Benchmark({ options, rows, settings, engine, data, cache, maps, hooks });
    const cost = await benchmark.plan();
    hooks.onStage(costInWords(cost));
    if (options.planOnly) return { cost, report: undefined };
    return { cost, report: await benchmark.run(startedAt) };
  } finally {
    cache.close();
    maps?.close();
  }
}

/** @returns the trunk itself, not a layer above it */
function requireLevelTwo({ backbone }: BenchmarkData): null {
  if (hasLevelTwo(backbone)) return null;
  throw new AppError(
    'BENCHMARK_OPTIONS',
    `The backbone ${backbone.name} has nothing behind its cut that level 2 could train; leave out --level-2.`,
  );
}

interface Parts {
  options: BenchmarkOptions;
  rows: string[];
  settings: BenchmarkSettings;
  engine: TrainEngine;
  data: BenchmarkData;
  cache: FeatureCache;
  maps: FeatureCache | undefined;
  hooks: Hooks;
}

class Benchmark {
  readonly #parts: Parts;
  readonly #runs: Run[];
  readonly #store: ResultStore;
  #stepsDone = 0;
  #stepsAll = 0;
  #stepsSince = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#runs = runsOf(parts.data, parts.options, parts.rows, parts.settings);
    this.#store = new ResultStore(join(parts.options.out, 'results'));
  }

  async plan(): Promise<Cost> {
    const { data, cache, maps, settings, engine, options, hooks } = this.#parts;
    const cost = await costOf({
      ...{ data, cache, settings, engine, hooks, runs: this.#runs, threads: options.threads },
      maps: maps && { cache: maps, needs: this.#mapNeeds() },
      needs: needsOfRuns(this.#runs, data),
      modelsOf: (run) => this.#models(run),
    });
    this.#stepsAll = cost.heads.steps;
    return cost;
  }

  /** Only the runs that have such a row: maps are large. */
  #mapNeeds(): Need[] {
    const having = this.#runs.filter(({ rows }) => rows.some((row) => ROWS[row]?.levelTwo));
    return having.length > 0 ? needsOfRuns(having, this.#parts.data) : [];
  }

  async run(startedAt: number): Promise<BenchmarkReport> {
    const { cache, maps, data, hooks, options, settings, rows, engine } = this.#parts;
    await cache.fill(needsOfRuns(this.#runs, data), {
      ...hooks,
      interrupted,
      onProgress: (done, all, left) => hooks.onProgress('computes vectors', done, all, left),
    });
    await maps?.fill(this.#mapNeeds(), {
      ...hooks,
      interrupted,
      onProgress: (done, all, left) => hooks.onProgress('computes maps', done, all, left),
    });
    this.#stepsSince = hooks.clock.monotonic();
    const outcomes: RunOutcome[] = [];
    const costs = new Map<string, RowCost[]>();
    const doublings = new Map<string, Doubling[]>();
    const iterations = new Map<string, Record<string, Iteration[]>>();
    const notes = new Set<string>();
    for (const run of this.#runs) {
      const { outcome, models, doubling } = await this.#one(run, costs);
      outcomes.push(outcome);
      doublings.set(run.profile.name, [...(doublings.get(run.profile.name) ?? []), doubling]);
      if (run.split === 0) iterations.set(run.profile.name, iterationsOf(models));
      for (const [model, { notes: own }] of models.used) own.forEach((note) => notes.add(`${model}: ${note}`));
    }
    hooks.onStage('judges: bootstrap and report');
    const report = buildReport({
      ...{ options, rows, settings, data, costs, iterations, startedAt },
      runs: outcomes,
      convergence: new Map([...doublings].map(([name, list]) => [name, judgeConvergence(list, settings)])),
      notes: [...notes],
      engine: `${engine.name} (${engine.describe()}, ${options.threads} threads)`,
      finishedAt: hooks.clock.now(),
    });
    for (const { name, convergence } of report.profiles) hooks.onStage(`${name}: ${convergence?.words}`);
    await writeBenchmark(options.out, report);
    return report;
  }

  async #one(
    run: Run,
    costs: Map<string, RowCost[]>,
  ): Promise<{ outcome: RunOutcome; models: SplitModels; doubling: Doubling }> {
    const models = this.#models(run);
    const { profile, split, seed } = run;
    const outcome: RunOutcome = {
      ...{ profile: profile.name, split, seed, rows: {} },
      dataset: models.context.dataset,
      trainingCounts: models.counts,
    };
    for (const row of run.rows) {
      if (this.#parts.hooks.signal.aborted) throw interrupted();
      const found = await (ROWS[row] as (typeof ROWS)[string]).predict(models);
      outcome.rows[row] = found;
      const key = `${profile.name}/${row}`;
      costs.set(key, [...(costs.get(key) ?? []), costOfRow(row, models)]);
    }
    return { outcome, models, doubling: await doublingOf(models, run.comparesFolds) };
  }

  #models({ profile, split, seed }: Run): SplitModels {
    const { data, settings, engine, options, hooks, cache, maps } = this.#parts;
    const dataset = profile.splits[split] as (typeof profile.splits)[number];
    let vectors: SplitVectors | undefined;
    return new SplitModels({
      ...{ profile: profile.name, split, seed, dataset, settings, engine },
      balanced: data.balanced,
      backbone: data.backbone,
      layer: data.layer,
      views: profile.views,
      threads: options.threads,
      store: this.#store,
      clock: hooks.clock,
      signal: hooks.signal,
      vectors: () => (vectors ??= new SplitVectors(cache, dataset, data.balanced, profile.views)),
      ...(maps && { maps: () => new SplitMaps(maps, dataset, data.balanced, profile.views) }),
      onSteps: (steps) => this.#progress(steps),
      onModel: (model, result, wasKept) =>
        hooks.onModel(`${profile.name} split ${split} seed ${seed}`, model, result, wasKept),
    });
  }

  #progress(steps: number): void {
    const { hooks } = this.#parts;
    this.#stepsDone += steps;
    const each = (hooks.clock.monotonic() - this.#stepsSince) / 1000 / this.#stepsDone;
    const all = Math.max(this.#stepsAll, this.#stepsDone);
    hooks.onProgress('trains heads', this.#stepsDone, all, each * (all - this.#stepsDone));
  }
}

/** Models that a row is made of; a head that several rows share counts for each. */
function costOfRow(row: string, models: SplitModels): RowCost {
  const { heads, outOfFold = [], levelTwo = [] } = ROWS[row] as (typeof ROWS)[string];
  const isOwn = (model: string): boolean =>
    model === row ||
    (heads as readonly string[]).includes(model) ||
    (outOfFold as readonly string[]).some((head) => model.startsWith(`${head}/fold-`)) ||
    (levelTwo as readonly string[]).some((head) => model === `${head}/level-2`);
  const own = [...models.used].flatMap(([model, result]) => (isOwn(model) ? [result] : []));
  const sum = (of: (result: ModelResult) => number): number => own.reduce((total, result) => total + of(result), 0);
  return {
    seconds: sum(({ seconds }) => seconds),
    steps: sum(({ steps }) => steps),
    residentBytes: Math.max(0, ...own.map(({ residentBytes }) => residentBytes)),
  };
}

/** Of the heads that stand for the two models of the paper and of the product. */
function iterationsOf(models: SplitModels): Record<string, Iteration[]> {
  const shown = ['m0', 'm1', 'm1-modern'];
  return Object.fromEntries(
    shown.flatMap((name) => {
      const iterations = models.used.get(name)?.iterations;
      return iterations ? [[name, iterations]] : [];
    }),
  );
}
