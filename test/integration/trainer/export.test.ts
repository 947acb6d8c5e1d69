import { readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { readArtifact } from '../../../common/inference/artifact.ts';
import { ModelRunner } from '../../../common/inference/model-runner.ts';
import { basicCnn } from '../../../trainer/backbone/basic-cnn.ts';
import { initialParameters } from '../../../trainer/engine/initialise.ts';
import { OrtEngine } from '../../../trainer/engine/onnxruntime/engine.ts';
import { rowsOf, softmax } from '../../../trainer/evaluate/probabilities.ts';
import { exportArtifact } from '../../../trainer/export/artifact.ts';
import type { ArtifactRequest } from '../../../trainer/export/artifact.ts';
import { trainerKey } from '../../../trainer/export/key.ts';
import { buildHead, scratchParts } from '../../../trainer/export/parts.ts';
import { ImagePreparer } from '../../../trainer/dataset/loader/preparer.ts';
import { sha256 } from '../../../common/storage/digest.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { writeTinyDataset } from '../../support/tiny-dataset.ts';

vi.setConfig({ testTimeout: 120_000 });

let folder: string;
beforeEach(async () => {
  folder = await makeTestFolder('export');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const INPUT = { width: 16, height: 16, scale: 1 / 127.5, offset: -1 };
const NETWORK = basicCnn({ classes: 3, size: 16, widths: [4, 8] });
const PARAMETERS = { m0: initialParameters(NETWORK, { seed: 1 }), m1: initialParameters(NETWORK, { seed: 2 }) };

/** Scores as the trainer computes them: its own preparation, its engine's forward pass. */
async function trainerScores(files: readonly string[], which: 'm0' | 'm1'): Promise<Float64Array[]> {
  const preparer = await ImagePreparer.load(INPUT);
  const session = await new OrtEngine().open(NETWORK, { parameters: PARAMETERS[which], threads: 1 });
  const inputs = new Float32Array(files.length * preparer.size);
  for (const [i, file] of files.entries()) {
    const resized = await preparer.resized(file, sha256(await readFile(file)));
    preparer.view(resized, inputs.subarray(i * preparer.size, (i + 1) * preparer.size), null);
  }
  const logits = await session.forward(inputs, files.length);
  await session.close();
  await preparer.close();
  return rowsOf(logits, 3).map(softmax);
}

async function requestFor(files: readonly string[]): Promise<ArtifactRequest> {
  const pictures = await Promise.all(files.map((file) => readFile(file)));
  return {
    name: 'tiny',
    labels: ['grass', 'road', 'water'],
    parts: scratchParts(INPUT, NETWORK),
    heads: { m0: buildHead(NETWORK, PARAMETERS.m0), m1: buildHead(NETWORK, PARAMETERS.m1) },
    fusion: { rule: 'eq3', ratios: [0.5, 0.5, 0.5], threshold: 0.3 },
    metrics: { macroF1: 0.5 },
    origin: 'a test',
    golden: pictures.slice(0, 2),
    check: { pictures, m0: await trainerScores(files, 'm0'), m1: await trainerScores(files, 'm1') },
    key: await trainerKey(join(folder, 'keys/trainer.pem')),
  };
}

async function picturesOfManyKinds(): Promise<string[]> {
  await writeTinyDataset(join(folder, 'data'), { cameras: { train: 1, reference: 0, test: 0 } });
  const jpegs = ['grass', 'road', 'water'].map((label) => join(folder, `data/${label}/train-0.jpg`));
  const png = join(folder, 'data/grey.png');
  await writeFile(png, await sharp(jpegs[0]).greyscale().png().toBuffer());
  return [...jpegs, png];
}

test('trainer and agent give the same scores for the same bytes, JPEG and others', async () => {
  const files = await picturesOfManyKinds();
  const request = await requestFor(files);
  const { manifest } = await exportArtifact(join(folder, 'artifact'), request);
  const runner = await ModelRunner.load(join(folder, 'artifact'), manifest, { threads: 1 });
  const served = await runner.classify(request.check.pictures);
  await runner.close();
  served.forEach(({ m0, m1 }, i) => {
    for (const [ours, theirs] of [
      [request.check.m0[i], m0],
      [request.check.m1[i], m1],
    ] as const)
      // prettier-ignore
      Array.from(ours as ArrayLike<number>).forEach((value, j) => expect(theirs?.[j]).toBeCloseTo(value, 5));
  });
});

test('an artifact that would decide otherwise than the trainer is not written', async () => {
  const request = await requestFor(await picturesOfManyKinds());
  for (const wrong of [
    { ...request, parts: scratchParts({ ...INPUT, offset: 0 }, NETWORK) },
    { ...request, heads: { m0: request.heads.m1, m1: request.heads.m0 } },
  ]) {
    await expect(exportArtifact(join(folder, 'artifact'), wrong)).rejects.toMatchObject({ code: 'EXPORT_DIFFERS' });
  }
  expect(await readdir(folder)).not.toContain('artifact');
});

test('the artifact is signed by the key of this trainer, which only its account may read', async () => {
  await exportArtifact(join(folder, 'artifact'), await requestFor(await picturesOfManyKinds()));
  const file = join(folder, 'keys/trainer.pem');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const { publicKey } = await trainerKey(file);
  expect((await readArtifact(join(folder, 'artifact'), publicKey)).manifest.golden).toHaveLength(2);
  const other = await trainerKey(join(folder, 'keys/other.pem'));
  await expect(readArtifact(join(folder, 'artifact'), other.publicKey)).rejects.toMatchObject({
    code: 'MODEL_UNSIGNED',
  });
});

test('two trainers that start at once have one key, and one that cannot be read is said to be so', async () => {
  const file = join(folder, 'keys/trainer.pem');
  const keys = await Promise.all(Array.from({ length: 4 }, () => trainerKey(file)));
  expect(new Set(keys.map(({ publicKey }) => publicKey)).size).toBe(1);
  await writeFile(file, 'no key');
  await expect(trainerKey(file)).rejects.toMatchObject({ code: 'TRAINER_KEY_UNREADABLE' });
});
