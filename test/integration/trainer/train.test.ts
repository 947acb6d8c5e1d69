import { readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { trainingReportSchema } from '../../../common/domain/training.ts';
import type { IterationReport } from '../../../common/domain/training.ts';
import { readArtifact } from '../../../common/inference/artifact.ts';
import { ModelRunner, selfTest } from '../../../common/inference/model-runner.ts';
import { sha256 } from '../../../common/storage/digest.ts';
import { loadCheckpoint } from '../../../trainer/checkpoint.ts';
import { trainerKey } from '../../../trainer/export/key.ts';
import { train } from '../../../trainer/main.ts';
import type { TrainHooks, TrainOptions } from '../../../trainer/main.ts';
import type { Progress } from '../../../trainer/progress.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { writeTinyDataset } from '../../support/tiny-dataset.ts';

// Seconds on a free machine; training takes all cores, and so may others.
vi.setConfig({ testTimeout: 180_000 });

let folder: string;
beforeEach(async () => {
  folder = await makeTestFolder('train');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const optionsOf = (out: string, more: Partial<TrainOptions> = {}): TrainOptions => ({
  dataset: join(folder, 'data'),
  manifest: 'parts.json',
  out: join(folder, out),
  keyFile: join(folder, 'keys/trainer.pem'),
  passes: 3,
  threads: 1,
  seed: 7,
  ...more,
});

const data = (options?: Parameters<typeof writeTinyDataset>[1]) => writeTinyDataset(join(folder, 'data'), options);

/** Digests of all weights and momenta. */
async function weightsIn(out: string): Promise<Record<string, string>> {
  const checkpoint = await loadCheckpoint(join(folder, out));
  const digests: Record<string, string> = {};
  for (const [group, parameters] of Object.entries(checkpoint?.tensors ?? {}))
    for (const [name, { data: floats }] of parameters)
      digests[`${group}/${name}`] = sha256(new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength));
  return digests;
}

/** Aborts when the given iteration of a model was reported. */
function stopAfter(run: string, iteration: number): TrainHooks {
  const stop = new AbortController();
  return {
    signal: stop.signal,
    onIteration: (report) => {
      if (report.run === run && report.iteration === iteration) stop.abort();
    },
  };
}

describe('a run on three classes', () => {
  test('leaves a report, figures of each iteration and an artifact that proves itself', async () => {
    await data();
    const iterations: IterationReport[] = [];
    const { report, artifact, model } = await train(optionsOf('run'), { onIteration: (one) => iterations.push(one) });
    expect(iterations.map(({ run, iteration }) => `${run} ${iteration}`)).toEqual(
      ['m0', 'm1'].flatMap((run) => [1, 2, 3].map((iteration) => `${run} ${iteration}`)),
    );
    expect(trainingReportSchema.parse(JSON.parse(await readFile(join(folder, 'run/report.json'), 'utf8')))).toEqual(
      report,
    );
    expect(report.dataset.classes).toEqual(['grass', 'road', 'water']);
    expect(report.counts).toEqual({ training: [12, 12, 12], reference: [3, 3, 3], test: [4, 4, 4] });
    expect(report.ratios).toEqual([0.5, 0.5, 0.5]);
    const key = await trainerKey(join(folder, 'keys/trainer.pem'));
    const { manifest } = await readArtifact(artifact, key.publicKey);
    expect(manifest.metrics?.['macroF1']).toBe(report.test.fused.macroF1);
    expect(manifest.golden).toHaveLength(3);
    expect(model.version).toMatch(/^[0-9a-f]{64}$/);
    const runner = await ModelRunner.load(artifact, manifest, { threads: 1 });
    expect((await selfTest(runner)).maxDifference).toBeLessThan(1e-4);
    await runner.close();
    expect((await stat(join(folder, 'keys/trainer.pem'))).mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder, 'run'))).toEqual(
      expect.arrayContaining(['report.html', 'classes.csv', 'iterations.csv', 'checkpoint.bin']),
    );
  });

  test('learns what can be learnt', async () => {
    await data();
    const { report } = await train(optionsOf('run', { passes: 12, learningRate: 0.05 }));
    expect(report.test.fused.accuracy).toBeGreaterThan(0.8);
  });

  test('comes out the same for the same seed, and another for another', async () => {
    await data();
    for (const [out, seed] of [['a', 7], ['b', 7], ['c', 8]] as const) await train(optionsOf(out, { seed, passes: 2 })); // prettier-ignore
    const [a, b, c] = [await weightsIn('a'), await weightsIn('b'), await weightsIn('c')];
    expect(Object.keys(a).length).toBeGreaterThan(20);
    expect(b).toEqual(a);
    expect(c).not.toEqual(a);
  });

  test('stopped in either model and resumed ends with the same weights, bit for bit', async () => {
    await data();
    const whole = await train(optionsOf('whole'));
    await expect(train(optionsOf('parts'), stopAfter('m0', 2))).rejects.toMatchObject({ code: 'TRAINING_INTERRUPTED' });
    const rest: TrainOptions = {
      out: join(folder, 'parts'),
      keyFile: join(folder, 'keys/trainer.pem'),
      resume: 'required',
    };
    await expect(train(rest, stopAfter('m1', 1))).rejects.toMatchObject({ code: 'TRAINING_INTERRUPTED' });
    const resumed = await train(rest);
    expect(await weightsIn('parts')).toEqual(await weightsIn('whole'));
    expect(resumed.report.test).toEqual(whole.report.test);
    expect(resumed.report.iterations.map((one) => one.loss)).toEqual(whole.report.iterations.map((one) => one.loss));
  });

  test('stopped in the middle of an iteration goes on with its next batch', async () => {
    await data();
    await train(optionsOf('whole'));
    // Asked before each step; 36 images are two batches, so the fourth answer falls into the second iteration.
    let asked = 0;
    const signal = { get aborted() { return ++asked === 4; } } as AbortSignal; // prettier-ignore
    const { out, keyFile } = optionsOf('parts');
    await expect(train(optionsOf('parts'), { signal })).rejects.toMatchObject({
      code: 'TRAINING_INTERRUPTED',
    });
    const stopped = (await loadCheckpoint<Progress>(out))?.document.model;
    expect(stopped).toMatchObject({ run: 'm0', iteration: 2, step: 1 });
    await train({ out, keyFile, resume: 'required' });
    expect(await weightsIn('parts')).toEqual(await weightsIn('whole'));
  });
});

describe('a run refuses', () => {
  test('to resume with other images', async () => {
    const manifest = await data();
    await expect(train(optionsOf('run'), stopAfter('m0', 1))).rejects.toMatchObject({ code: 'TRAINING_INTERRUPTED' });
    manifest['grass']?.['train']?.pop();
    await writeFile(join(folder, 'data/parts.json'), JSON.stringify(manifest));
    await expect(train(optionsOf('run', { resume: 'required' }))).rejects.toMatchObject({ code: 'DATASET_CHANGED' });
  });

  test('to resume with other settings, and says which', async () => {
    await data();
    await expect(train(optionsOf('run'), stopAfter('m0', 1))).rejects.toMatchObject({ code: 'TRAINING_INTERRUPTED' });
    await expect(train(optionsOf('run', { resume: 'required', seed: 8 }))).rejects.toThrow(
      /started with seed 7, not 8/,
    );
    await expect(train(optionsOf('run', { resume: 'required', learningRate: 0.5 }))).rejects.toMatchObject({
      code: 'SETTINGS_CHANGED',
    });
  });

  test('to resume where nothing was begun, unless it may begin', async () => {
    await data();
    await expect(train(optionsOf('none', { resume: 'required' }))).rejects.toMatchObject({
      code: 'CHECKPOINT_MISSING',
    });
    await train(optionsOf('none', { resume: 'if-possible', passes: 1 }));
  });

  test('to write over another run', async () => {
    await data();
    await expect(train(optionsOf('run'), stopAfter('m0', 1))).rejects.toMatchObject({ code: 'TRAINING_INTERRUPTED' });
    await expect(train(optionsOf('run'))).rejects.toMatchObject({ code: 'RUN_EXISTS' });
  });

  test('a single class', async () => {
    await data({ without: ['road', 'water'] });
    await expect(train(optionsOf('run'))).rejects.toMatchObject({ code: 'DATASET_ONE_CLASS' });
  });

  test('a preset that does not exist here, and names those that do', async () => {
    await data();
    await expect(train(optionsOf('run', { preset: 'magic' }))).rejects.toThrow(/choose one of: small/);
  });

  test('a loss that is no number: keeps the last good checkpoint and says what to lower', async () => {
    await data();
    await expect(train(optionsOf('run', { learningRate: 1e30 }))).rejects.toThrow(
      /Lower the learning rate.*--learning-rate/s,
    );
    const kept = await loadCheckpoint(join(folder, 'run'));
    const floats = [...(kept?.tensors['weights']?.values() ?? [])].flatMap(({ data: values }) => [...values]);
    expect(floats.length).toBeGreaterThan(1000);
    expect(floats.every(Number.isFinite)).toBe(true);
  });
});

test('a run of the fleet stops when nothing better comes, not in its first half, and serves the newest of its best iterations', async () => {
  await data();
  const passes = 40;
  const { report } = await train(optionsOf('run', { passes, learningRate: 0.05 }));
  expect(report.preset).toBe('small');
  for (const run of ['m0', 'm1'] as const) {
    const own = report.iterations.filter((one) => one.run === run);
    const scores = own.map(({ macroF1 }) => macroF1);
    const smoothed = scores.map((_, i) => {
      const newest = scores.slice(0, i + 1).slice(-3);
      return newest.reduce((sum, score) => sum + score, 0) / newest.length;
    });
    const most = Math.max(...smoothed);
    const isBest = (score: number): boolean => score > most - 1e-12;
    expect(scores).toHaveLength(Math.max(passes / 2, smoothed.findIndex(isBest) + 1 + 8));
    expect(report.reference[run].macroF1).toBeCloseTo(scores[smoothed.findLastIndex(isBest)] as number, 9);
    expect(own.at(-1)).toMatchObject({ iteration: scores.length, iterations: scores.length });
    expect(report.warnings.join()).toContain(
      `${run.toUpperCase()} took ${scores.length} of ${passes} passes and keeps the best`,
    );
  }
  const kept = (await loadCheckpoint(join(folder, 'run')))?.tensors;
  expect([...(kept?.['best']?.keys() ?? [])]).toEqual([...(kept?.['weights']?.keys() ?? [])]);
});

test('with final weights a run takes every pass', async () => {
  await data();
  const { report } = await train(optionsOf('run', { passes: 20, learningRate: 0.05, keep: 'final' }));
  expect(report.iterations).toHaveLength(40);
  expect(report.warnings.join()).not.toContain('keeps the best');
  expect((await loadCheckpoint(join(folder, 'run')))?.tensors['best']).toBeUndefined();
});

describe('a run goes on', () => {
  test('without reference images of a class: it keeps an equal share, and the report says so', async () => {
    await data({ without: ['water/reference'] });
    const { report } = await train(optionsOf('run'));
    const last = report.iterations.at(-1);
    expect(last?.sampleSizes[2]).toBe(12);
    expect(report.warnings.join('\n')).toMatch(/no reference image.*water|water.*no reference/i);
  });

  test('without training images of a class: it is never drawn, counts as F1 0, and the report says so', async () => {
    await data({ without: ['water/train'] });
    const { report, model } = await train(optionsOf('run', { passes: 6, learningRate: 0.05 }));
    expect(report.counts.training).toEqual([12, 12, 0]);
    expect(report.ratios).toEqual([1, 1, 0]);
    for (const { sampleSizes } of report.iterations) {
      expect(sampleSizes[2]).toBe(0);
      expect(sampleSizes.reduce((sum, size) => sum + size, 0)).toBe(24);
    }
    expect(report.test.fused.perClass[2]).toMatchObject({ label: 'water', f1: 0, support: 4 });
    expect(report.test.fused.images).toBe(12);
    expect(report.warnings.join('\n')).toContain('"water" has no training images: it cannot be learned');
    expect(model.manifest.labels).toEqual(['grass', 'road', 'water']);
  });

  test('without images that cannot be read: they are left out and listed', async () => {
    await data();
    await writeFile(join(folder, 'data/grass/train-0.jpg'), '');
    const { report } = await train(optionsOf('run', { passes: 1 }));
    expect(report.counts.training).toEqual([11, 12, 12]);
    expect(report.warnings.join('\n')).toMatch(/train-0\.jpg \(empty file\)/);
  });
});
