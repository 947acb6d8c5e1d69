import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OnnxGraph } from '../../../../common/inference/onnx-graph.ts';
import { TensorRunner } from '../../../../common/inference/tensor-runner.ts';
import {
  buildPooledFeatures,
  featureLayers,
  levelTwoNetwork,
  loadBackbone,
  openTrunk,
  startParameters,
} from '../../../../trainer/backbone/backbone.ts';
import { findBackbone, listBackbones } from '../../../../trainer/backbone/folder.ts';
import { importBackbone } from '../../../../trainer/backbone/import.ts';
import { buildInference } from '../../../../trainer/backbone/inference-graph.ts';
import { drawnParameters, miniInception } from './networks.ts';

const network = miniInception();
const onnx = buildInference({ ...network, parameters: drawnParameters(network) });
const pictures = Float32Array.from({ length: 2 * 3 * 17 * 17 }, (_, i) => Math.sin(i));
let folder: string;
let file: string;
let root: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'camfleet-backbone-'));
  [file, root] = [join(folder, 'mini.onnx'), join(folder, 'backbones')];
  await writeFile(file, onnx);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('an ONNX network becomes a trunk up to the tensor before its classifier', async () => {
  const backbone = await importBackbone(file, { root });
  expect(backbone).toMatchObject({
    name: 'mini',
    featureDims: [16],
    warnings: [],
    input: { width: 17, layout: 'nchw' },
  });
  const trunk = await openTrunk(backbone, { threads: 1 });
  expect(await trunk.run(pictures, 2)).toHaveLength(32);
  await trunk.close();
});

test('the same file with the same options has the same digest, whatever its name and time', async () => {
  const first = await importBackbone(file, { root });
  const again = await importBackbone(file, { root, name: 'other', now: new Date(0) });
  const scaled = await importBackbone(file, { root, name: 'scaled', scaling: { scale: 1 / 255, offset: 0 } });
  expect(again.digest).toBe(first.digest);
  expect(scaled.digest).not.toBe(first.digest);
  expect((await listBackbones(root)).map(({ manifest }) => manifest.name)).toEqual(['other', 'scaled']);
});

test('a backbone is found by name and by the beginning of its digest', async () => {
  const { digest } = await importBackbone(file, { root, name: 'scaled', scaling: { scale: 1 / 255, offset: 0 } });
  expect((await findBackbone(root, 'scaled')).digest).toBe(digest);
  expect((await findBackbone(root, digest.slice(0, 8))).digest).toBe(digest);
  await expect(findBackbone(root, 'absent')).rejects.toThrow(/no backbone "absent".*known are .*scaled/);
});

test('a cut at a map keeps it, and features pooled from it feed level 1', async () => {
  const output = new OnnxGraph(onnx).nodes.findLast(({ op }) => op === 'Concat')?.outputs[0] ?? '';
  const backbone = await importBackbone(file, { root, name: 'map', output });
  expect(backbone.featureDims).toEqual([16, 3, 3]);
  expect(featureLayers(backbone)).toEqual([output]);
  const { onnx: pooling, dims } = buildPooledFeatures(backbone, output);
  expect(dims).toEqual([backbone.featureDims[0]]);
  const [trunk, pooled] = [await openTrunk(backbone, { threads: 1 }), await TensorRunner.load(pooling, { threads: 1 })];
  const vectors = await pooled.run(await trunk.run(pictures, 2), 2);
  expect(vectors).toHaveLength(2 * dims[0]);
  await trunk.close();
  await pooled.close();
  expect(() => buildPooledFeatures(backbone, 'mixed9')).toThrow(/no features at "mixed9"/);
});

test('a head starts from what level 1 trained and draws the rest by seed', async () => {
  const backbone = await importBackbone(file, { root });
  const head = levelTwoNetwork(backbone, 5);
  const bias = { dims: [5], data: Float32Array.of(1, 2, 3, 4, 5) };
  const start = startParameters(backbone, head, 7, new Map([['head_logits/bias', bias]]));
  expect(start.get('head_logits/bias')).toBe(bias);
  expect(start.get('head_hidden/kernel')).toEqual(startParameters(backbone, head, 7).get('head_hidden/kernel'));
});

test('a changed or missing file is noticed when the backbone is opened', async () => {
  const { folder: made } = await importBackbone(file, { root, name: 'damaged' });
  await appendFile(join(made, 'trunk.onnx'), 'x');
  await expect(loadBackbone(made)).rejects.toThrow(/trunk\.onnx is not the file that backbone\.json names/);
  await rm(join(made, 'trunk.onnx'));
  await expect(loadBackbone(made)).rejects.toThrow(/trunk\.onnx is missing/);
  await writeFile(join(made, 'backbone.json'), '{');
  await expect(loadBackbone(made)).rejects.toMatchObject({ code: 'BACKBONE_DAMAGED' });
  await expect(loadBackbone(folder)).rejects.toMatchObject({ code: 'BACKBONE_NOT_FOUND' });
});

test('options that do not fit the kind of file, and files of no kind, are refused', async () => {
  await expect(importBackbone(file, { root, cut: 'mixed8' })).rejects.toThrow(
    /--cut does not apply to an ONNX network/,
  );
  await writeFile(join(folder, 'weights.pt'), 'zip');
  await expect(importBackbone(join(folder, 'weights.pt'), { root })).rejects.toMatchObject({
    code: 'BACKBONE_KIND_UNKNOWN',
  });
  await expect(importBackbone(join(folder, 'absent.onnx'), { root })).rejects.toThrow(/there is no such file/);
  await writeFile(join(folder, 'text.onnx'), 'no network at all');
  await expect(importBackbone(join(folder, 'text.onnx'), { root })).rejects.toMatchObject({ code: 'ONNX_UNREADABLE' });
  expect((await readFile(file)).equals(onnx)).toBe(true);
});
