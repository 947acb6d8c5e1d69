import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TensorRunner } from '../../../../common/inference/tensor-runner.ts';
import { buildPooledFeatures, featureLayers, openTrunk } from '../../../../trainer/backbone/backbone.ts';
import type { Backbone } from '../../../../trainer/backbone/backbone.ts';
import { importBackbone } from '../../../../trainer/backbone/import.ts';
import { INCEPTION_INPUT, inceptionStages, inceptionTrunk } from '../../../../trainer/backbone/inception-v3.ts';
import { buildInference } from '../../../../trainer/backbone/inference-graph.ts';
import { readKerasWeights } from '../../../../trainer/backbone/keras-weights.ts';
import { shapesOf } from '../../../../trainer/backbone/parameters.ts';
import type { Parameters } from '../../../../trainer/engine/network.ts';

const SHARED = resolve(process.env['CAMFLEET_SHARED'] ?? '../shared');
const weights = join(SHARED, 'weights/inceptionv3_imagenet_notop.h5');
const mobileNet = join(SHARED, 'weights/mobilenetv2_imagenet.onnx');
const goldens = join(SHARED, 'goldens/inceptionv3');
const absent = [weights, mobileNet, goldens].filter((path) => !existsSync(path));
const IMAGES = 8;

describe.skipIf(absent.length > 0)(`with the ImageNet weights (absent: ${absent.join(', ') || 'nothing'})`, () => {
  let pictures: Float32Array;
  let parameters: Parameters;
  let folder: string;
  let backbone: Backbone;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'camfleet-inception-'));
    pictures = planar(await readFile(join(goldens, 'images_u8_8x299x299x3.bin')));
    const all = shapesOf(
      inceptionStages().flatMap(({ layers }) => layers),
      INCEPTION_INPUT,
    );
    ({ parameters } = await readKerasWeights(weights, all.parameters));
    backbone = await importBackbone(weights, { root: join(folder, 'backbones') });
  }, 180_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each([
    ['mixed0', 256],
    ['mixed3', 768],
    ['mixed7', 768],
  ])('%s agrees with Keras to 1e-4 of the largest value', { timeout: 120_000 }, async (cut, channels) => {
    const onnx = buildInference({
      name: cut,
      input: INCEPTION_INPUT,
      layers: [...inceptionTrunk(cut), { kind: 'global-average-pool' }],
      parameters,
    });
    const found = await run(onnx, pictures);
    expect(relativeError(found, await golden(cut, channels))).toBeLessThan(1e-4);
  });

  test(
    'the imported trunk (mixed8) and the stages behind it (mixed9, mixed10) agree, too',
    { timeout: 120_000 },
    async () => {
      expect(featureLayers(backbone)).toEqual(['mixed8', 'mixed9', 'mixed10']);
      const trunk = await openTrunk(backbone, { threads: 2 });
      const features = await trunk.run(pictures, IMAGES);
      await trunk.close();
      for (const [layer, channels] of [
        ['mixed8', 1280],
        ['mixed9', 2048],
        ['mixed10', 2048],
      ] as const) {
        const { onnx, dims } = buildPooledFeatures(backbone, layer);
        expect(dims).toEqual([channels]);
        expect(relativeError(await run(onnx, features), await golden(layer, channels))).toBeLessThan(1e-4);
      }
    },
  );

  test('what is wrong with the weights stays in the backbone and its description', () => {
    expect(backbone.warnings.join('\n')).toMatch(/not Keras' own file: MD5 3d6afbfd/);
    expect(backbone.describe()).toMatch(/cut behind mixed8; fp32; .*two kernels partly filled \(mixed9, mixed10\)/);
  });

  test(
    'MobileNetV2 becomes a trunk of 1,280 features that equal its own pooled tensor',
    { timeout: 60_000 },
    async () => {
      const mobile = await importBackbone(mobileNet, { root: join(folder, 'backbones') });
      expect(mobile).toMatchObject({ featureDims: [1280], manifest: { identity: { cut: 'gap', kind: 'onnx' } } });
      const input = Float32Array.from({ length: 2 * 3 * 224 * 224 }, (_, i) => Math.sin(i * 0.01));
      const trunk = await openTrunk(mobile, { threads: 2 });
      const whole = await TensorRunner.load(await readFile(mobileNet), { threads: 2, output: 'gap' });
      expect(await trunk.run(input, 2)).toEqual(await whole.run(input, 2));
      await trunk.close();
      await whole.close();
    },
  );
});

async function run(onnx: Buffer, inputs: Float32Array): Promise<Float32Array> {
  const runner = await TensorRunner.load(onnx, { threads: 2 });
  try {
    return await runner.run(inputs, IMAGES);
  } finally {
    await runner.close();
  }
}

/** [N, height, width, 3] bytes → [N, 3, height, width] in −1…1. */
function planar(bytes: Buffer): Float32Array {
  const area = 299 * 299;
  const out = new Float32Array(bytes.length);
  bytes.forEach((value, i) => {
    const [pixel, channel] = [Math.floor(i / 3), i % 3];
    const [image, place] = [Math.floor(pixel / area), pixel % area];
    out[(image * 3 + channel) * area + place] = value / 127.5 - 1;
  });
  return out;
}

async function golden(layer: string, channels: number): Promise<Float32Array> {
  const bytes = await readFile(join(goldens, `${layer}_gap_f32_8x${channels}.bin`));
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

function relativeError(found: Float32Array, expected: Float32Array): number {
  expect(found).toHaveLength(expected.length);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (found[i] ?? Number.NaN))), 0) / largest;
}
