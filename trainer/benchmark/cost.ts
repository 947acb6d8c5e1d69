import { levelOneNetwork, levelTwoNetwork } from '../backbone/backbone.ts';
import { basicCnn } from '../backbone/basic-cnn.ts';
import { countsOf, indicesOf } from '../dataset/dataset.ts';
import type { TrainEngine } from '../engine/engine.ts';
import { initialParameters } from '../engine/initialise.ts';
import type { Network } from '../engine/network.ts';
import { settingsOf } from '../presets.ts';
import type { BenchmarkData } from './data.ts';
import type { FeatureCache, Need } from '../features/cache.ts';
import type { SplitModels } from './models.ts';
import type { Hooks } from './options.ts';
import { headsOf } from './plan.ts';
import type { Run } from './plan.ts';
import { recipes } from './recipes.ts';
import { ROWS } from './rows.ts';
import type { BenchmarkSettings } from './settings.ts';
import { stepsOf } from './train-head.ts';

/** Steps of one kind of network that are still to take. */
export interface Steps {
  what: string;
  models: number;
  steps: number;
  secondsPerStep: number;
}

export interface Cost {
  runs: number;
  vectors: { all: number; missing: number; secondsEach: number };
  /** The trunk's maps, where level 2 is asked for. */
  maps: { missing: number };
  /** Views that nobody can know before Eq. 2 has asked for them; at most so many. */
  fresh: number;
  heads: { all: number; missing: number; steps: number; secondsPerStep: number };
  /** Networks of other kinds. */
  others: Steps[];
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
  const { runs, needs, cache, maps, settings, hooks, data } = input;
  const { fresh, steps, ...heads } = await countHeads(input);
  const network = levelOneNetwork(data.backbone, [cache.length], classesOf(data));
  const secondsPerStep = steps > 0 ? await timeStep(input, network, settings.batch) : 0;
  const missing = cache.missing(needs);
  const wanted = missing > 0 || fresh === 0 ? needs : freshNeeds(input);
  const timed = await cache.time(wanted, hooks);
  const missingMaps = maps ? maps.cache.missing(maps.needs) : 0;
  const each = timed || (maps ? await maps.cache.time(maps.needs, hooks) : 0);
  const others = await countOthers(input);
  const seconds =
    (missing + missingMaps + fresh) * each +
    steps * secondsPerStep +
    others.reduce((sum, other) => sum + other.steps * other.secondsPerStep, 0);
  return {
    runs: runs.length,
    vectors: { all: cache.size + missing, missing, secondsEach: each },
    maps: { missing: missingMaps },
    fresh,
    heads: { ...heads, steps, secondsPerStep },
    others,
    seconds,
  };
}

const classesOf = ({ profiles }: BenchmarkData): number => profiles[0]?.splits[0]?.classes.length ?? 2;

function imagesOf({ profile, split }: Run): number {
  const dataset = profile.splits[split];
  return dataset ? countsOf(dataset).training.reduce((sum, count) => sum + count, 0) : 0;
}

async function countHeads({
  runs,
  settings,
  modelsOf,
}: CostInput): Promise<{ all: number; missing: number; steps: number; fresh: number }> {
  const table = recipes(settings);
  const count = { all: 0, missing: 0, steps: 0, fresh: 0 };
  for (const run of runs) {
    const models = modelsOf(run);
    for (const { model, head, share } of headsOf(run, settings)) {
      count.all++;
      if (await models.has(model)) continue;
      count.missing++;
      const images = Math.round(imagesOf(run) * share);
      for (const stage of table[head].stages) count.steps += stepsOf(stage, images, settings.batch);
      if (table[head].views === 'fresh') count.fresh += images * settings.passes;
    }
  }
  return count;
}

/** A few views that come after the pool, to time them. */
function freshNeeds({ runs }: CostInput): Need[] {
  const run = runs.find(({ rows }) => rows.some((row) => ROWS[row]?.fresh));
  const dataset = run?.profile.splits[run.split];
  if (!run || !dataset) return [];
  return indicesOf(dataset, 'training').flatMap((index) => {
    const sample = dataset.samples[index];
    return sample ? [{ sample, views: (run.profile.views[sample.label] as number) + 1 }] : [];
  });
}

/** The Basic CNN and level 2: other networks, and other batches. */
async function countOthers(input: CostInput): Promise<Steps[]> {
  const { runs, settings, modelsOf, data } = input;
  const preset = settingsOf(settings.basicCnn.preset);
  const { batch, passes } = settings.levelTwo;
  const kinds = [
    {
      what: 'Basic CNN',
      models: (row: string) => (row === 'basic-cnn' ? ['basic-cnn'] : []),
      network: () => basicCnn({ classes: classesOf(data), size: preset.input.width }),
      ...{ batch: preset.batch, passes: settings.passes },
    },
    {
      what: 'level 2',
      models: (row: string) => (ROWS[row]?.levelTwo ?? []).map((head) => `${head}/level-2`),
      network: () => levelTwoNetwork(data.backbone, classesOf(data)),
      ...{ batch, passes },
    },
  ];
  const found: Steps[] = [];
  for (const kind of kinds) {
    let [models, steps] = [0, 0];
    for (const run of runs) {
      const own = modelsOf(run);
      for (const model of new Set(run.rows.flatMap((row) => kind.models(row)))) {
        if (await own.has(model)) continue;
        models++;
        steps += stepsOf(kind, imagesOf(run), kind.batch);
      }
    }
    if (models === 0) continue;
    const secondsPerStep = await timeStep(input, kind.network(), kind.batch, 2);
    found.push({ what: kind.what, models, steps, secondsPerStep });
  }
  return found;
}

/** On a network that is thrown away; the first step builds the graph and does not count. */
async function timeStep(
  { engine, threads, hooks }: CostInput,
  network: Network,
  images: number,
  times = 10,
): Promise<number> {
  const parameters = initialParameters(network, { seed: 0 });
  const session = await engine.open(network, { parameters, threads });
  try {
    const size = network.input.reduce((product, dim) => product * dim, 1);
    const batch = { inputs: new Float32Array(images * size), labels: new Int32Array(images) };
    const step = () => session.step(batch, { learningRate: 0, momentum: 0, clipNorm: 1 });
    await step();
    const startedAt = hooks.clock.monotonic();
    for (let i = 0; i < times; i++) await step();
    return (hooks.clock.monotonic() - startedAt) / 1000 / times;
  } finally {
    await session.close();
  }
}

/** The plan in sentences, for the terminal. */
export function costInWords({ runs, vectors, maps, fresh, heads, others, seconds }: Cost): string {
  const ms = (value: number): string => `${(value * 1000).toFixed(0)} ms`;
  const parts = [
    `${runs} runs (split × profile × seed).`,
    `Vectors: ${vectors.missing} of ${vectors.all} to compute, ${ms(vectors.secondsEach)} each.`,
    ...(maps.missing > 0 ? [`Maps for level 2: ${maps.missing} to compute.`] : []),
    ...(fresh > 0 ? [`Fresh views: at most ${fresh} to compute.`] : []),
    `Heads: ${heads.missing} of ${heads.all} to train, ${heads.steps} steps of ${ms(heads.secondsPerStep)}.`,
    ...others.map(
      ({ what, models, steps, secondsPerStep }) =>
        `${what}: ${models} to train, ${steps} steps of ${ms(secondsPerStep)}.`,
    ),
    `About ${inWords(seconds)} as busy as this machine is now, and the SVM on top.`,
  ];
  return parts.join(' ');
}

export function inWords(seconds: number): string {
  if (!Number.isFinite(seconds)) return '…';
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
