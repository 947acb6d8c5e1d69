import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fusedScores } from '../../../common/domain/model.ts';
import { trainingReportSchema } from '../../../common/domain/training.ts';
import type { TrainingReport } from '../../../common/domain/training.ts';
import { ModelRunner, selfTest } from '../../../common/inference/model-runner.ts';
import { sha256 } from '../../../common/storage/digest.ts';
import { loadBackbone } from '../../../trainer/backbone/backbone.ts';
import { importBackbone } from '../../../trainer/backbone/import.ts';
import { buildInference } from '../../../trainer/backbone/inference-graph.ts';
import { loadCheckpoint } from '../../../trainer/checkpoint.ts';
import { train } from '../../../trainer/main.ts';
import type { TrainHooks, TrainOptions } from '../../../trainer/main.ts';
import type { Progress } from '../../../trainer/progress.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { writeTinyDataset } from '../../support/tiny-dataset.ts';
import { drawnParameters, miniInception } from '../../unit/trainer/backbone/networks.ts';
import { smallBackbone } from './small-backbone.ts';

vi.setConfig({ testTimeout: 120_000 });

let folder: string;
beforeEach(async () => {
  folder = await makeTestFolder('train-backbone');
  await writeTinyDataset(join(folder, 'data'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const optionsOf = (out: string, more: Partial<TrainOptions> = {}): TrainOptions => ({
  dataset: join(folder, 'data'),
  manifest: 'parts.json',
  backbone: join(folder, 'small'),
  features: join(folder, 'features'),
  out: join(folder, out),
  keyFile: join(folder, 'keys/trainer.pem'),
  passes: 3,
  levelTwoPasses: 2,
  threads: 1,
  seed: 7,
  ...more,
});

/** The backbone with two blocks behind its cut. */
const withBlocks: TrainHooks = { openBackbone: smallBackbone };

async function weightsIn(out: string): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const [group, parameters] of Object.entries((await loadCheckpoint(join(folder, out)))?.tensors ?? {}))
    for (const [name, { data }] of parameters)
      digests[`${group}/${name}`] = sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return digests;
}

/** Aborts at the n-th time that it is asked. */
function stopAt(n: number): TrainHooks {
  let asked = 0;
  return { ...withBlocks, signal: { get aborted() { return ++asked >= n; } } as AbortSignal }; // prettier-ignore
}

const sizesOf = ({ iterations }: TrainingReport, run: string): number[][] =>
  iterations.filter((one) => one.run === run).map(({ sampleSizes }) => sampleSizes);

test('on any ONNX trunk the preset modern trains level 1, and says what that means', async () => {
  const network = miniInception();
  await writeFile(join(folder, 'mini.onnx'), buildInference({ ...network, parameters: drawnParameters(network) }));
  const { folder: backbone } = await importBackbone(join(folder, 'mini.onnx'), { root: join(folder, 'backbones') });
  const more = { backbone, passes: 4, levelTwoPasses: undefined };
  const { report, artifact, model } = await train(optionsOf('run', more));

  expect(trainingReportSchema.parse(JSON.parse(await readFile(join(folder, 'run/report.json'), 'utf8')))).toEqual(
    report,
  );
  expect(report.preset).toBe('modern');
  expect(report.weights).toContain('mini');
  expect(report.iterations.every(({ level }) => level === 1)).toBe(true);
  expect(report.warnings.join('\n')).toMatch(
    /Only level 1 was run \(mini has no layers behind its cut.*Eq. 2 runs there from iteration 2/,
  );
  expect(report.warnings.join('\n')).toMatch(/at most 32 warped views.*an approximation/);
  expect(sizesOf(report, 'm1')[0]).toEqual([12, 12, 12]);
  expect(report.fusion).toMatchObject({ name: 'modern', curveOf: 'out-of-fold' });
  expect(report.fusion.curve.length).toBeGreaterThan(0);
  expect(report.adjustments).toMatchObject({ chosenBy: 'out-of-fold', m0: { tau: 0.5 }, m1: { tau: 0.5 } });
  // Agents that have the backbone's trunk fetch the heads alone.
  const own = await loadBackbone(backbone);
  expect(model.manifest.files['trunk.onnx'].digest).toBe(sha256(await readFile(own.trunkFile)));
  const runner = await ModelRunner.load(artifact, model.manifest, { threads: 1 });
  expect((await selfTest(runner)).maxDifference).toBeLessThan(1e-5);
  await runner.close();

  await expect(train(optionsOf('two', { ...more, levels: 2 }))).rejects.toThrow(/no layers behind its cut/);
});

describe('on a backbone with blocks behind its cut', () => {
  test('level 1 alone shares everything that is frozen: one joined trunk and two small heads', async () => {
    const { report, artifact, model } = await train(optionsOf('run', { preset: 'paper', levels: 1, levelTwoPasses: undefined }), withBlocks); // prettier-ignore
    expect(report.warnings.join('\n')).toMatch(/two kernels partly filled/);
    expect(report.warnings.join('\n')).toMatch(/level 2 was not asked for.*Eq. 2 runs there/);
    expect(report.fusion).toMatchObject({ name: 'paper', threshold: 0.3, curveOf: 'reference' });
    expect(model.manifest.trunk.output).not.toBe('features');
    const { golden } = model.manifest;
    const runner = await ModelRunner.load(artifact, model.manifest, { threads: 1 });
    const served = await runner.classify(golden.map(({ jpeg }) => Buffer.from(jpeg, 'base64')));
    await runner.close();
    served.forEach(({ m0 }, i) => m0.forEach((score, j) => expect(score).toBeCloseTo(golden[i]?.m0[j] as number, 5)));
  });

  test('level 2 trains the blocks on with the head; M1 samples alike until then and by Eq. 2 from there', async () => {
    const start = await smallBackbone(join(folder, 'small'));
    const { report, model } = await train(optionsOf('run', { preset: 'paper', learningRate: 0.05 }), withBlocks);
    expect(report.iterations.map(({ run, level, iteration }) => `${run} ${level} ${iteration}`)).toEqual(
      ['m0', 'm1'].flatMap((run) => [1, 1, 1, 2, 2].map((level, i) => `${run} ${level} ${i + 1}`)),
    );
    expect(sizesOf(report, 'm1').slice(0, 3)).toEqual([[12, 12, 12], [12, 12, 12], [12, 12, 12]]); // prettier-ignore
    for (const sizes of sizesOf(report, 'm1')) expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(36);
    expect(report.warnings.join('\n')).toMatch(/Both heads carry block1 and block2.*fused costs more/);
    expect(model.manifest.files['trunk.onnx'].digest).toBe(sha256(await readFile(start.trunkFile)));
    const trained = (await loadCheckpoint(join(folder, 'run')))?.tensors['weights'];
    for (const name of ['block1_a/kernel', 'block2_norm/beta'])
      expect(trained?.get(name)?.data).not.toEqual(start.top.parameters.get(name)?.data);
    expect(trained?.get('block2_norm/mean')?.data).toEqual(start.top.parameters.get('block2_norm/mean')?.data);
  });

  test('stopped in any level or fold and resumed it ends with the same weights and figures, bit for bit', async () => {
    const asked = { preset: 'modern', levels: 2, views: 3 } as const;
    const whole = await train(optionsOf('whole', { ...asked, features: join(folder, 'other-features') }), withBlocks);
    const rest = { out: join(folder, 'parts'), keyFile: join(folder, 'keys/trainer.pem'), resume: 'required' } as const;
    await expect(train(optionsOf('parts', asked), stopAt(2))).rejects.toMatchObject({ code: 'TRAINING_INTERRUPTED' });
    const stops: unknown[] = [];
    let resumed;
    for (let n = 6; !resumed; n += 5) {
      resumed = await train(rest, stopAt(n)).catch(async (error: unknown) => {
        expect(error).toMatchObject({ code: 'TRAINING_INTERRUPTED' });
        expect((error as Error).message).toMatch(/--resume .*\/parts$/);
        const { model, schedule } = (await loadCheckpoint<Progress>(rest.out))?.document as Progress;
        stops.push(`${model.run} ${schedule.phases[model.run][model.phase]?.level}`);
      });
    }
    expect(stops.length).toBeGreaterThan(1);
    expect(await weightsIn('parts')).toEqual(await weightsIn('whole'));
    expect(resumed.report.test).toEqual(whole.report.test);
    expect(resumed.report.fusion).toEqual(whole.report.fusion);
    expect(resumed.report.iterations.map(({ loss }) => loss)).toEqual(whole.report.iterations.map(({ loss }) => loss));
  });

  test('a level 2 that diverges names the option that lowers its rate, and obeys it', async () => {
    const asked = { preset: 'paper', learningRate: 0.05, passes: 1, levelTwoPasses: 1 } as const;
    await expect(train(optionsOf('wild', { ...asked, levelTwoLearningRate: 1e30 }), withBlocks)).rejects.toThrow(
      /it began at 1e\+30; try --learning-rate-2 2\.5e\+29/,
    );
    const { report } = await train(optionsOf('calm', { ...asked, levelTwoLearningRate: 1e-5 }), withBlocks);
    expect(report.settings).toMatchObject({ levelTwo: { passes: 1, optimiser: { learningRate: 1e-5 } } });
  });

  test('the mean of both heads, where it is chosen, is what agents decide by', async () => {
    const { report, model } = await train(optionsOf('run', { levels: 1, levelTwoPasses: undefined, fusion: 'mean', calibration: 'temperature', tau: 1 }), withBlocks); // prettier-ignore
    expect(model.manifest.fusion?.rule).toBe('mean');
    expect(report.fusion).toMatchObject({ name: 'mean', kind: 'mean' });
    expect(report.fusion.curve.length).toBeGreaterThan(0);
    expect(report.adjustments).toMatchObject({ chosenBy: 'reference', m0: { tau: 1 } });
    expect(report.test.fused).toEqual(report.test.mean);
    const [frame] = model.manifest.golden;
    const [m0, m1] = [Float32Array.from(frame?.m0 ?? []), Float32Array.from(frame?.m1 ?? [])];
    const expected = m0.map((score, j) => (score + (m1[j] as number)) / 2);
    expect([...fusedScores({ m0, m1 }, model.manifest.fusion)]).toEqual([...expected]);
  });

  test('another loss and sampler for M1, its last layer trained again: the head below it stays as it was', async () => {
    const asked = { preset: 'paper', levels: 1, sampler: 'square-root', loss: 'logit-adjusted' } as const;
    const more = { ...asked, levelTwoPasses: undefined, passes: 4 };
    const { report } = await train(optionsOf('plain', { ...more, passes: 3 }), withBlocks);
    const plain = await weightsIn('plain');
    const { report: again } = await train(optionsOf('crt', { ...more, classifierPasses: 1 }), withBlocks);
    expect(report.settings).toMatchObject({ losses: { m0: { loss: 'ce' }, m1: { loss: 'logit-adjusted' } } });
    expect(again.iterations.filter(({ run }) => run === 'm1')).toHaveLength(4);
    expect(again.iterations.filter(({ run }) => run === 'm0')).toHaveLength(4);
    const crt = (await loadCheckpoint<Progress>(join(folder, 'crt')))?.document.schedule.phases.m1;
    expect(crt?.map(({ trains, passes }) => [trains, passes])).toEqual([['level', 3], ['classifier', 1]]); // prettier-ignore
    const weights = await weightsIn('crt');
    expect(weights['weights/head_hidden/kernel']).toBe(plain['weights/head_hidden/kernel']);
    expect(weights['weights/head_logits/kernel']).not.toBe(plain['weights/head_logits/kernel']);
  });

  test('the sampler of the authors’ program runs on the paper’s cut, and the report calls it that', async () => {
    const { report } = await train(optionsOf('run', { preset: 'authors-2019', views: 4 }), withBlocks);
    expect(report.preset).toMatch(/^authors-2019 \(their sampler on the paper’s cut/);
    // Two images of each class in a batch.
    expect(new Set(sizesOf(report, 'm1')[0]).size).toBe(1);
  });
});

describe('a run on a backbone refuses', () => {
  test('to resume with other images or on another backbone', async () => {
    await expect(train(optionsOf('run'), stopAt(2))).rejects.toMatchObject({ code: 'TRAINING_INTERRUPTED' });
    const rest = { out: join(folder, 'run'), keyFile: join(folder, 'keys/trainer.pem'), resume: 'required' } as const;
    const other = async (at: string) => ({ ...(await smallBackbone(at)), digest: sha256('another') });
    await expect(train(rest, { openBackbone: other })).rejects.toMatchObject({ code: 'SETTINGS_CHANGED' });
    await expect(train({ ...rest, fusion: 'mean' }, withBlocks)).rejects.toThrow(
      /started with fusion rule modern, not mean/,
    );
    const manifest = JSON.parse(await readFile(join(folder, 'data/parts.json'), 'utf8')) as Record<
      string,
      { train: unknown[] }
    >;
    manifest['grass']?.train.pop();
    await writeFile(join(folder, 'data/parts.json'), JSON.stringify(manifest));
    await expect(train(rest, withBlocks)).rejects.toMatchObject({ code: 'DATASET_CHANGED' });
  });

  test('a loss and a sampler that correct the prior twice, unless that is asked for', async () => {
    const asked = {
      loss: 'balanced-softmax',
      passes: 1,
      levels: 1,
      levelTwoPasses: undefined,
      fusion: 'search',
    } as const;
    await expect(train(optionsOf('run', asked), withBlocks)).rejects.toMatchObject({ code: 'CORRECTED_TWICE' });
    await train(optionsOf('run', { ...asked, allowDoubleCorrection: true }), withBlocks);
    expect(await readdir(join(folder, 'run'))).toContain('artifact');
  });

  test('a preset for a backbone without one, and the other way round', async () => {
    const bare = { backbone: undefined, features: undefined, levelTwoPasses: undefined };
    await expect(train(optionsOf('a', { ...bare, preset: 'paper' }))).rejects.toThrow(/name one with --backbone/);
    await expect(train(optionsOf('b', { preset: 'small' }), withBlocks)).rejects.toThrow(/takes no backbone/);
    await expect(train(optionsOf('c', { ...bare, views: 8 }))).rejects.toThrow(/has no views/);
  });
});
