import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { parts, ratiosOf } from '../../common/domain/dataset.ts';
import type { Dataset, Sample } from '../../common/domain/dataset.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { sha256 } from '../../common/storage/digest.ts';
import { writeDurably } from '../../common/storage/object-store.ts';
import { CONCEPT_NAMES } from '../camera-farm/scenes/index.ts';
import { demoCameras } from './cameras.ts';
import type { DemoCamera } from './cameras.ts';
import { renderPicture } from './picture.ts';

type DemoSample = Sample & { file: string };

/**
 * Renders the pictures of one seed into `folder`, in the form of a pulled snapshot: the demo goes the way of a fleet's labels.
 *
 * @throws AppError `TRAINING_INTERRUPTED`
 */
export async function writeDemoDataset(
  folder: string,
  seed: number,
  hooks: { onProgress?: (done: number, all: number) => void; signal?: AbortSignal } = {},
): Promise<void> {
  const cameras = demoCameras(seed);
  const samples: DemoSample[] = [];
  for (const [done, camera] of cameras.entries()) {
    if (hooks.signal?.aborted) {
      throw new AppError('TRAINING_INTERRUPTED', 'Stopped while the cameras were drawn; nothing was trained yet.');
    }
    for (const time of camera.times) samples.push(await writePicture(folder, camera, time));
    hooks.onProgress?.(done + 1, cameras.length);
    // Ctrl-C must get its turn between pictures.
    await setImmediate();
  }
  const document = { ...describe(seed, cameras, samples), samples };
  await writeDurably(join(folder, 'dataset.json'), Buffer.from(JSON.stringify(document)));
}

async function writePicture(folder: string, camera: DemoCamera, time: number): Promise<DemoSample> {
  const bytes = renderPicture(camera, time);
  const digest = sha256(bytes);
  const file = `${camera.concept}/${digest}.jpg`;
  // Not synced one by one, which takes longer than drawing: dataset.json comes last, and lists every digest.
  await mkdir(dirname(join(folder, file)), { recursive: true });
  await writeFile(join(folder, file), bytes);
  return {
    file,
    digest,
    bytes: bytes.length,
    label: camera.concept,
    part: camera.part,
    cameraId: camera.id,
    fetchedAt: time,
    labelledBy: 'farm',
    labelledAt: time,
    modelVersion: null,
    scores: null,
  };
}

function describe(seed: number, cameras: readonly DemoCamera[], samples: readonly Sample[]): Omit<Dataset, 'samples'> {
  const countOf = (label: string, part: string) =>
    samples.filter((sample) => sample.label === label && sample.part === part).length;
  const ratios = ratiosOf(CONCEPT_NAMES.map((label) => countOf(label, 'training')));
  return {
    name: `demo-${seed}`,
    createdAt: new Date().toISOString(),
    digest: sha256(samples.map(({ digest, label, part }) => `${digest} ${label} ${part}\n`).join('')),
    perCamera: Math.max(...cameras.map(({ times }) => times.length)),
    classes: CONCEPT_NAMES.map((label, j) => ({
      label,
      split: 'camera',
      counts: Object.fromEntries(
        parts.map((part) => [part, countOf(label, part)]),
      ) as Dataset['classes'][number]['counts'],
      cameras: cameras.filter(({ concept }) => concept === label).length,
      ratio: ratios[j] as number,
    })),
    cameras: cameras.length,
    bytes: samples.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
