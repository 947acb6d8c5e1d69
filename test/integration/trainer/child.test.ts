import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TrainingSettings } from '../../../common/protocol/training.ts';
import { trainingSettingsSchema } from '../../../common/protocol/training.ts';
import { backbonesOf } from '../../../trainer/backbone/folder.ts';
import { importBackbone } from '../../../trainer/backbone/import.ts';
import { buildInference } from '../../../trainer/backbone/inference-graph.ts';
import { runChild } from '../../../trainer/process/child.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { writeTinyDataset } from '../../support/tiny-dataset.ts';
import { drawnParameters, miniInception } from '../../unit/trainer/backbone/networks.ts';

vi.setConfig({ testTimeout: 120_000 });

let folder: string;
beforeEach(async () => {
  folder = await makeTestFolder('train-child');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Pictures in a folder a class, with the camera of each. */
async function writePhotos(): Promise<void> {
  const entries = Object.values(await writeTinyDataset(join(folder, 'data'))).flatMap((parts) =>
    Object.values(parts).flat(),
  );
  const lines = entries.map(({ file, camera }) => `${file},${camera}`);
  await writeFile(join(folder, 'data/metadata.csv'), ['file,camera', ...lines, ''].join('\n'));
}

const run = (settings: TrainingSettings) =>
  runChild(
    {
      ...{ kind: 'train', dataset: join(folder, 'data'), folder: join(folder, 'run'), backbones: backbonesOf(folder) },
      ...{
        settings: trainingSettingsSchema.parse(settings),
        keyFile: join(folder, 'keys/trainer.pem'),
        modelName: 'photos',
      },
    },
    {},
    new AbortController().signal,
  );

test('a run of the fleet trains on the backbone that its settings name, and is refused one that is not there', async () => {
  await writePhotos();
  const network = miniInception();
  await writeFile(join(folder, 'mini.onnx'), buildInference({ ...network, parameters: drawnParameters(network) }));
  await importBackbone(join(folder, 'mini.onnx'), { root: backbonesOf(folder) });
  await expect(run({ backbone: 'none', passes: 1 })).rejects.toMatchObject({ code: 'BACKBONE_NOT_FOUND' });
  const outcome = await run({ backbone: 'mini', passes: 1, views: 4, fusion: 'mean' });
  expect(outcome).toMatchObject({
    trained: { report: { preset: 'modern', fusion: { kind: 'mean' }, settings: { views: 4 } } },
  });
});
