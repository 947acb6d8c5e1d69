import { mkdir, readFile, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { AppError } from '../../common/runtime/errors.ts';
import { writeDurably } from '../../common/storage/object-store.ts';
import { featureLayers, loadBackbone } from '../backbone/backbone.ts';
import type { Backbone } from '../backbone/backbone.ts';
import { importBackbone } from '../backbone/import.ts';
import type { Dataset } from '../dataset/dataset.ts';
import { countsOf, datasetFingerprint, requireUnchanged } from '../dataset/dataset.ts';
import { drawSplit, loadDataset } from '../dataset/load.ts';
import { viewsPerClass } from '../dataset/views.ts';
import type { BenchmarkOptions, Hooks } from './options.ts';

/** One shape of the dataset with all its splits. */
export interface Profile {
  name: string;
  /** Split 0 is the source's own. */
  splits: Dataset[];
  /** Views of an image of each class: the same in all splits, as they have the same shape. */
  views: number[];
}

export interface BenchmarkData {
  profiles: Profile[];
  balanced: Dataset | undefined;
  backbone: Backbone;
  layer: string;
}

/** Redrawn splits do not depend on the seeds of training. */
const SPLIT_SEED = 1;

/**
 * Loads everything and checks that a benchmark in the same folder had the same data.
 *
 * @throws AppError DATASET_*, `BACKBONE_*`, `BENCHMARK_LEAK`, `BENCHMARK_TEST_INCOMPLETE`
 */
export async function loadData(options: BenchmarkOptions, hooks: Hooks): Promise<BenchmarkData> {
  const manifests = options.profiles.length > 0 ? options.profiles : [undefined];
  const profiles: Profile[] = [];
  for (const manifest of manifests) profiles.push(await loadProfile(options, manifest, hooks));
  const balanced = await loadBalanced(options, profiles[0] as Profile, hooks);
  if (balanced) checkBalanced(balanced, profiles, options);
  await checkUnchanged(options.out, profiles, balanced);
  hooks.onStage('opens the backbone');
  const backbone = await openBackbone(options);
  return { profiles, balanced, backbone, layer: options.layer ?? (featureLayers(backbone).at(-1) as string) };
}

async function loadProfile(options: BenchmarkOptions, manifest: string | undefined, hooks: Hooks): Promise<Profile> {
  const first = await loadDataset(options.dataset, {
    ...(manifest !== undefined && { manifest }),
    force: options.force ?? false,
    onProgress: (done, all) => hooks.onProgress(`reads ${manifest ?? 'images'}`, done, all, NaN),
  });
  const knowsCameras = first.samples.every(({ group }) => group !== null);
  const by = options.redraw ?? (knowsCameras ? 'camera' : 'random');
  const redrawn = Array.from({ length: options.splits - 1 }, (_, i) =>
    drawSplit(first, { by, seed: SPLIT_SEED, index: i + 1 }, { force: options.force ?? false }),
  );
  const most = options.mostViews ?? Infinity;
  const views = viewsPerClass(countsOf(first).training).map((count) => Math.min(count, most));
  const name = manifest === undefined ? first.name : basename(manifest, extname(manifest));
  return { name, splits: [first, ...redrawn], views };
}

async function loadBalanced(
  { dataset, balancedTest, force }: BenchmarkOptions,
  profile: Profile,
  hooks: Hooks,
): Promise<Dataset | undefined> {
  if (balancedTest === undefined) return undefined;
  return loadDataset(dataset, {
    manifest: balancedTest,
    classes: profile.splits[0]?.classes ?? [],
    testOnly: true,
    force: force ?? false,
    onProgress: (done, all) => hooks.onProgress('reads the balanced test set', done, all, NaN),
  });
}

function checkBalanced(balanced: Dataset, profiles: readonly Profile[], { force }: BenchmarkOptions): void {
  const counts = countsOf(balanced).test;
  for (const { name, splits } of profiles) {
    const [first] = splits;
    if (!first) continue;
    const trained = countsOf(first).training;
    const missing = first.classes.filter((_, j) => (trained[j] as number) > 0 && counts[j] === 0);
    if (missing.length > 0) {
      throw new AppError(
        'BENCHMARK_TEST_INCOMPLETE',
        `The balanced test set has no image of ${missing.join(', ')}, so nothing can be said of the natural mixture. Add some, or leave out --balanced-test.`,
      );
    }
    const known = new Set(first.samples.map(({ digest }) => digest));
    const shared = balanced.samples.filter(({ digest }) => known.has(digest));
    if (shared.length > 0 && !force) {
      throw new AppError(
        'BENCHMARK_LEAK',
        `${shared.length} images of the balanced test set are in ${name}, too (${shared[0]?.file}). Take them out, or go on with --force.`,
      );
    }
  }
}

/** What a folder of results was made of. */
interface Made {
  format: 1;
  fingerprints: Record<string, string>;
}

/** @throws AppError DATASET_CHANGED */
async function checkUnchanged(out: string, profiles: readonly Profile[], balanced: Dataset | undefined): Promise<void> {
  const path = join(out, 'benchmark.json');
  const before = await readFile(path, 'utf8').then(
    (text) => JSON.parse(text) as Made,
    () => undefined,
  );
  const now = new Map(profiles.map(({ name, splits }) => [name, splits[0] as Dataset]));
  if (balanced) now.set(`test ${balanced.name}`, balanced);
  for (const [name, dataset] of now) {
    const fingerprint = before?.fingerprints[name];
    if (fingerprint !== undefined) requireUnchanged(dataset, fingerprint);
  }
  const fingerprints = { ...before?.fingerprints };
  for (const [name, dataset] of now) fingerprints[name] = datasetFingerprint(dataset);
  await mkdir(out, { recursive: true });
  await writeDurably(path, Buffer.from(`${JSON.stringify({ format: 1, fingerprints } satisfies Made, null, 1)}\n`));
}

async function openBackbone({ backbone, out }: BenchmarkOptions): Promise<Backbone> {
  const isFolder = (await stat(backbone).catch(() => undefined))?.isDirectory() ?? false;
  return isFolder ? loadBackbone(backbone) : importBackbone(backbone, { root: join(out, 'backbones') });
}
