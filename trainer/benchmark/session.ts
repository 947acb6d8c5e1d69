import { join } from 'node:path';
import type { TrainEngine } from '../engine/engine.ts';
import { doublingOf } from './convergence.ts';
import type { Doubling } from './convergence.ts';
import type { BenchmarkData } from './data.ts';
import type { RowCost } from './document.ts';
import type { FeatureCache, FillHooks, Need } from '../features/cache.ts';
import { interrupted } from './interrupted.ts';
import type { RunOutcome } from './judge.ts';
import { SplitMaps } from './maps.ts';
import { SplitModels } from './models.ts';
import type { BenchmarkOptions, Hooks } from './options.ts';
import { costOf } from './cost.ts';
import type { Cost } from './cost.ts';
import { needsOfRuns } from './plan.ts';
import type { Run } from './plan.ts';
import { ResultStore } from './results.ts';
import type { ModelResult } from './results.ts';
import { ROWS } from './rows.ts';
import type { BenchmarkSettings } from './settings.ts';
import type { Iteration } from './train-head.ts';
import { SplitVectors } from './vectors.ts';

export interface SessionParts {
  options: BenchmarkOptions;
  runs: Run[];
  settings: BenchmarkSettings;
  engine: TrainEngine;
  data: BenchmarkData;
  cache: FeatureCache;
  maps: FeatureCache | undefined;
  hooks: Hooks;
}

/** What all runs came to. */
export interface Collected {
  runs: RunOutcome[];
  /** By `profile/row`. */
  costs: Map<string, RowCost[]>;
  /** By profile. */
  doublings: Map<string, Doubling[]>;
  /** Of the first split of each profile. */
  iterations: Map<string, Record<string, Iteration[]>>;
  notes: Set<string>;
}

/** All runs of a benchmark on the features of one trunk. */
export class BenchmarkSession {
  readonly #parts: SessionParts;
  readonly #store: ResultStore;
  #stepsDone = 0;
  #stepsAll = 0;
  #stepsSince = 0;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#store = new ResultStore(join(parts.options.out, 'results'));
  }

  async plan(): Promise<Cost> {
    const { data, cache, maps, settings, engine, options, hooks, runs } = this.#parts;
    const cost = await costOf({
      ...{ data, cache, settings, engine, hooks, runs, threads: options.threads },
      maps: maps && { cache: maps, needs: this.#mapNeeds() },
      needs: needsOfRuns(runs, data),
      modelsOf: (run) => this.#models(run),
    });
    this.#stepsAll = cost.heads.steps;
    return cost;
  }

  /** Only the runs that have such a row: maps are large. */
  #mapNeeds(): Need[] {
    const having = this.#parts.runs.filter(({ rows }) => rows.some((row) => ROWS[row]?.levelTwo));
    return having.length > 0 ? needsOfRuns(having, this.#parts.data) : [];
  }

  async run(): Promise<Collected> {
    const { cache, maps, data, hooks, runs } = this.#parts;
    await cache.fill(needsOfRuns(runs, data), this.#fillHooks('computes vectors'));
    await maps?.fill(this.#mapNeeds(), this.#fillHooks('computes maps'));
    this.#stepsSince = hooks.clock.monotonic();
    const collected: Collected = {
      runs: [],
      costs: new Map(),
      doublings: new Map(),
      iterations: new Map(),
      notes: new Set(),
    };
    for (const run of runs) await this.#one(run, collected);
    return collected;
  }

  #fillHooks(stage: string): FillHooks {
    const { hooks } = this.#parts;
    return { ...hooks, interrupted, onProgress: (done, all, left) => hooks.onProgress(stage, done, all, left) };
  }

  async #one(run: Run, { runs, costs, doublings, iterations, notes }: Collected): Promise<void> {
    const models = this.#models(run);
    const { profile, split, seed } = run;
    const outcome: RunOutcome = {
      ...{ profile: profile.name, split, seed, rows: {} },
      dataset: models.context.dataset,
      trainingCounts: models.counts,
    };
    for (const row of run.rows) {
      if (this.#parts.hooks.signal.aborted) throw interrupted();
      outcome.rows[row] = await (ROWS[row] as (typeof ROWS)[string]).predict(models);
      const key = `${profile.name}/${row}`;
      costs.set(key, [...(costs.get(key) ?? []), costOfRow(row, models)]);
    }
    runs.push(outcome);
    if (run.doubles) {
      const doubling = await doublingOf(models, run.comparesFolds);
      doublings.set(profile.name, [...(doublings.get(profile.name) ?? []), doubling]);
    }
    if (split === 0) iterations.set(profile.name, iterationsOf(models));
    for (const [model, { notes: own }] of models.used) own.forEach((note) => notes.add(`${model}: ${note}`));
  }

  #models({ profile, split, seed }: Run): SplitModels {
    const { data, settings, engine, options, hooks, cache, maps } = this.#parts;
    const dataset = profile.splits[split] as (typeof profile.splits)[number];
    const fill = (needs: readonly Need[]): Promise<void> => cache.fill(needs, this.#fillHooks('computes fresh views'));
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
      vectors: () => (vectors ??= new SplitVectors(cache, dataset, data.balanced, profile.views, fill)),
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
