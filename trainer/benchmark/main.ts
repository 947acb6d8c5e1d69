import { join, resolve } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { AppError } from '../../common/runtime/errors.ts';
import { openEngine } from '../engines.ts';
import { judgeConvergence } from './convergence.ts';
import { loadData } from './data.ts';
import type { BenchmarkData } from './data.ts';
import { FeatureCache } from '../features/cache.ts';
import type { FeatureOptions } from '../features/cache.ts';
import { INT8_ROWS, compareTrunks, openInt8 } from './int8.ts';
import type { Int8Report } from './int8.ts';
import type { Judge, RunOutcome } from './judge.ts';
import { hasLevelTwo } from './level-two.ts';
import { rowsAskedFor, withDefaults } from './options.ts';
import type { BenchmarkHooks, BenchmarkOptions, Hooks } from './options.ts';
import { costInWords } from './cost.ts';
import type { Cost } from './cost.ts';
import { runsOf } from './plan.ts';
import { buildReport } from './report.ts';
import type { BenchmarkReport } from './document.ts';
import { ROWS } from './rows.ts';
import { BenchmarkSession } from './session.ts';
import type { SessionParts } from './session.ts';
import { BENCHMARK_SETTINGS } from './settings.ts';
import type { BenchmarkSettings } from './settings.ts';
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
  const settings = settingsFor(options);
  const engine = await openEngine(options.engine ?? 'onnxruntime', options.threads);
  const data = await loadData(options, hooks);
  const features = featuresOf(options, data, settings);
  const maps = rows.some((row) => ROWS[row]?.levelTwo)
    ? FeatureCache.open({ ...features, layer: requireLevelTwo(data) })
    : undefined;
  const cache = FeatureCache.open(features);
  const runs = runsOf(data, options, rows, settings);
  const parts = { options, runs, settings, engine, data, cache, maps, hooks };
  try {
    const session = new BenchmarkSession(parts);
    const cost = await session.plan();
    hooks.onStage(costInWords(cost));
    if (options.trunk === 'int8') hooks.onStage('The 8-bit trunk comes on top; its cost is printed when it is made.');
    if (options.planOnly) return { cost, report: undefined };
    const collected = await session.run();
    const judge: Judge = {
      classes: data.profiles[0]?.splits[0]?.classes.length ?? 0,
      balanced: data.balanced,
      settings,
    };
    const int8 = options.trunk === 'int8' ? await runInt8(parts, features, { runs: collected.runs, judge }) : null;
    hooks.onStage('judges: bootstrap and report');
    const report = buildReport({
      ...{ options, rows, settings, data, startedAt, int8, ...collected },
      convergence: new Map([...collected.doublings].map(([name, list]) => [name, judgeConvergence(list, settings)])),
      notes: [...collected.notes],
      engine: `${engine.name} (${engine.describe()}, ${options.threads} threads)`,
      finishedAt: hooks.clock.now(),
    });
    for (const { name, convergence } of report.profiles) hooks.onStage(`${name}: ${convergence?.words}`);
    await writeBenchmark(options.out, report);
    return { cost, report };
  } finally {
    cache.close();
    maps?.close();
  }
}

function settingsFor({ passes = BENCHMARK_SETTINGS.passes, levelTwoPasses }: BenchmarkOptions): BenchmarkSettings {
  const { classifierPasses, levelTwo } = BENCHMARK_SETTINGS;
  return {
    ...BENCHMARK_SETTINGS,
    passes,
    classifierPasses: Math.min(classifierPasses, Math.ceil(passes / 4)),
    levelTwo: { ...levelTwo, passes: levelTwoPasses ?? levelTwo.passes },
  };
}

const featuresOf = (
  { features, out, threads }: BenchmarkOptions,
  { backbone, layer }: BenchmarkData,
  { augmentation, viewSeed }: BenchmarkSettings,
): FeatureOptions => ({
  folder: features ?? join(out, 'features'),
  backbone,
  layer,
  augmentation,
  seed: viewSeed,
  threads,
});

/** Heads, quotas and T_r of the rows that agents run, fitted anew on the 8-bit trunk's features. */
async function runInt8(
  parts: SessionParts,
  features: FeatureOptions,
  { runs: fp32, judge }: { runs: readonly RunOutcome[]; judge: Judge },
): Promise<Int8Report> {
  const { hooks, options, data } = parts;
  const backbone = await openInt8(data, options, hooks);
  const cache = FeatureCache.open({ ...features, backbone });
  try {
    const runs = parts.runs.map((run) => ({
      ...run,
      rows: run.rows.filter((row) => INT8_ROWS.includes(row)),
      doubles: false,
      comparesFolds: false,
    }));
    const session = new BenchmarkSession({
      ...parts,
      ...{ runs, cache, maps: undefined, data: { ...data, backbone } },
      hooks: onTrunk(hooks),
    });
    hooks.onStage(`8-bit trunk: ${costInWords(await session.plan())}`);
    return compareTrunks(backbone, { fp32, int8: (await session.run()).runs }, judge);
  } finally {
    cache.close();
  }
}

const onTrunk = (hooks: Hooks): Hooks => ({
  ...hooks,
  onProgress: (stage, ...rest) => hooks.onProgress(`8-bit trunk: ${stage}`, ...rest),
  onModel: (where, ...rest) => hooks.onModel(`${where}, 8-bit trunk`, ...rest),
});

/** @returns the trunk itself, not a layer above it */
function requireLevelTwo({ backbone }: BenchmarkData): null {
  if (hasLevelTwo(backbone)) return null;
  throw new AppError(
    'BENCHMARK_OPTIONS',
    `The backbone ${backbone.name} has nothing behind its cut that level 2 could train; leave out --level-2.`,
  );
}
