import { expect, test } from 'vitest';
import { systemClock } from '../../../common/runtime/clock.ts';
import { sha256 } from '../../../common/storage/digest.ts';
import type { Backbone } from '../../../trainer/backbone/backbone.ts';
import { levelTwoNetwork } from '../../../trainer/backbone/backbone.ts';
import type { FeatureCache } from '../../../trainer/features/cache.ts';
import { trainLevelTwo } from '../../../trainer/benchmark/level-two.ts';
import { SplitMaps } from '../../../trainer/benchmark/maps.ts';
import { levelOneOf } from '../../../trainer/benchmark/models.ts';
import { recipes } from '../../../trainer/benchmark/recipes.ts';
import type { ResultStore } from '../../../trainer/benchmark/results.ts';
import { BENCHMARK_SETTINGS } from '../../../trainer/benchmark/settings.ts';
import type { SplitVectors } from '../../../trainer/benchmark/vectors.ts';
import type { Part } from '../../../common/domain/dataset.ts';
import type { Dataset } from '../../../trainer/dataset/dataset.ts';
import { initialParameters } from '../../../trainer/engine/initialise.ts';
import type { Layer } from '../../../trainer/engine/network.ts';
import { OrtEngine } from '../../../trainer/engine/onnxruntime/engine.ts';
import { rowsOf, predictions } from '../../../trainer/evaluate/probabilities.ts';

const FEATURES = [2, 3, 3];
const LENGTH = 18;
const conv: Layer = { kind: 'conv', name: 'block', filters: 4, kernel: [3, 3], stride: 1, padding: 'same', bias: true };

/** Two classes that the first channel tells apart. */
function writtenDataset(): Dataset {
  const parts: Part[] = ['training', 'training', 'training', 'reference', 'test'];
  const samples = Array.from({ length: 40 }, (_, i) => ({
    ...{ file: `${i}.jpg`, digest: sha256(`${i}`), label: i % 2, part: parts[i % 5] as Part },
    ...{ group: null, time: null, twins: i },
  }));
  return { name: 'two', digest: '', classes: ['dark', 'bright'], samples, splitRule: '', leftOut: [], warnings: [] };
}

test('level 2 trains the blocks behind the cut on from the imported weights and the head of level 1', async () => {
  const dataset = writtenDataset();
  const labels = new Map(dataset.samples.map(({ digest, label }) => [digest, label]));
  const views = new Set<number>();
  const cache: Pick<FeatureCache, 'length' | 'read'> = {
    length: LENGTH,
    read: (digest, view, to) => {
      views.add(view);
      for (let k = 0; k < LENGTH; k++) to[k] = k < 9 ? (labels.get(digest) === 1 ? 1 : -1) + 0.1 * view : Math.sin(k);
    },
  };
  const shape = { name: 'tiny', featureDims: FEATURES };
  const stages = [{ name: 'block', layers: [conv, { kind: 'relu' } as const] }];
  const bare = { ...shape, top: { stages, parameters: new Map() } } as unknown as Backbone;
  const start = initialParameters(levelTwoNetwork(bare, 2), { seed: 7 });
  const of = (prefix: string) => new Map([...start].filter(([name]) => name.startsWith(prefix)));
  const backbone = { ...bare, top: { stages, parameters: of('block/') } };
  const maps = new SplitMaps(cache as FeatureCache, dataset, undefined, [3, 3]);
  const settings = { ...BENCHMARK_SETTINGS, passes: 4, classifierPasses: 1 };
  settings.levelTwo = { ...settings.levelTwo, optimiser: { ...settings.levelTwo.optimiser, learningRate: 0.01 } };

  const { trained, logits } = await trainLevelTwo(
    {
      ...{ profile: 'two', split: 0, seed: 1, dataset, balanced: undefined, backbone, layer: 'block', views: [3, 3] },
      ...{ settings, engine: new OrtEngine(), threads: 1, clock: systemClock, signal: new AbortController().signal },
      store: undefined as unknown as ResultStore,
      vectors: () => undefined as unknown as SplitVectors,
      onSteps: () => undefined,
      onModel: () => undefined,
      maps: () => maps,
    },
    { name: 'm1', recipe: recipes(settings).m1, head: of('head_') },
  );

  expect(trained.steps).toBe(settings.levelTwo.passes);
  expect(trained.iterations).toHaveLength(settings.levelTwo.passes);
  expect(trained.iterations.at(-1)?.loss).toBeLessThan(trained.iterations[0]?.loss as number);
  // The training images in all their views; reference and test images as they are.
  expect([...views].sort()).toEqual([0, 1, 2, 3]);
  const truth = dataset.samples.filter(({ part }) => part === 'test').map(({ label }) => label);
  expect(predictions(rowsOf(logits.test as Float32Array, 2))).toEqual(truth);
  expect(logits.balanced).toHaveLength(0);
});

test('before level 2 M1 samples all classes alike, and M0 as ever', () => {
  const { m0, m1 } = recipes(BENCHMARK_SETTINGS);
  expect(levelOneOf(m1)).toEqual({ ...m1, stages: [{ ...m1.stages[0], sampler: 'class-balanced' }] });
  expect(levelOneOf(m0)).toEqual(m0);
});
