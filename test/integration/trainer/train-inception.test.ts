import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { readArtifact } from '../../../common/inference/artifact.ts';
import { ModelRunner, selfTest } from '../../../common/inference/model-runner.ts';
import { importBackbone } from '../../../trainer/backbone/import.ts';
import { trainerKey } from '../../../trainer/export/key.ts';
import { train } from '../../../trainer/main.ts';
import type { TrainOptions } from '../../../trainer/main.ts';
import { isLong } from '../../support/long.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { writeTinyDataset } from '../../support/tiny-dataset.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 });

const SHARED = process.env['CAMFLEET_SHARED'] ?? resolve(import.meta.dirname, '../../../../shared');
const WEIGHTS = join(SHARED, 'weights/inceptionv3_imagenet_notop.h5');

let folder: string;
beforeAll(async () => {
  folder = await makeTestFolder('train-inception');
  await writeTinyDataset(join(folder, 'data'), { cameras: { train: 3, reference: 1, test: 1 } });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test.skipIf(!existsSync(WEIGHTS))(
  `InceptionV3: both levels by the paper, in the long form level 1 alone, too; agents score as the trainer does (needs ${WEIGHTS})`,
  async () => {
    const { folder: backbone } = await importBackbone(WEIGHTS, { root: join(folder, 'backbones') });
    const keyFile = join(folder, 'keys/trainer.pem');
    const shared = { dataset: join(folder, 'data'), manifest: 'parts.json', keyFile, backbone, threads: 2, passes: 1 };
    const runs: [string, Partial<TrainOptions>][] = [
      ['paper', { preset: 'paper', levelTwoPasses: 1 }],
      // The joined trunk of level 1 is proved on a small network, too.
      ...(isLong ? [['one', { preset: 'paper', levels: 1 }] as [string, Partial<TrainOptions>]] : []),
    ];
    const bytes: Record<string, number[]> = {};
    for (const [name, own] of runs) {
      const features = join(folder, 'features');
      // Before it writes an artifact the trainer compares its own scores with those of the agents' runner.
      const { report, artifact } = await train({ ...shared, ...own, features, out: join(folder, name) });
      expect(report.warnings.join('\n')).toMatch(/two kernels partly filled \(mixed9, mixed10\)/);
      expect(report.weights).toMatch(/InceptionV3 from inceptionv3_imagenet_notop.h5/);
      const { manifest } = await readArtifact(artifact, (await trainerKey(keyFile)).publicKey);
      const runner = await ModelRunner.load(artifact, manifest, { threads: 2 });
      expect((await selfTest(runner)).maxDifference).toBeLessThan(1e-3);
      await runner.close();
      bytes[name] = [manifest.files['trunk.onnx'].bytes, manifest.files['head-m0.onnx'].bytes];
    }
    // Level 2: heads of two blocks behind mixed8; level 1: everything that is frozen in the trunk, and small heads.
    expect(bytes['paper']?.[1]).toBeGreaterThan(40e6);
    const [trunk, head] = bytes['one'] ?? [Infinity, 0];
    expect(trunk).toBeGreaterThan(80e6);
    expect(head).toBeLessThan(10e6);
  },
);
