import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { decide } from '../../agent/classify/gate.ts';
import { Cleaner } from '../../agent/clean/clean.ts';
import type { GateMemory } from '../../common/domain/fragment.ts';
import type { CleanMemory } from '../../common/domain/frame.ts';
import type { ModelManifest } from '../../common/domain/model.ts';
import { buildResize } from '../../common/inference/graphs.ts';
import { decodeRgb } from '../../common/inference/decode.ts';
import type { RgbImage } from '../../common/inference/decode.ts';
import { ModelRunner } from '../../common/inference/model-runner.ts';
import { ELEMENT, buildOnnx } from '../../common/inference/onnx-format.ts';
import { sha256 } from '../../common/storage/digest.ts';
import { compareInt8 } from './classify/int8.ts';
import { benchOptions, machine, pairedRatio, median, printResult, takeTurns } from './report.ts';

const USAGE = `bench:classify: images a second of one head, two heads on one trunk (fused), and two whole models, at batch 1 and 8;
and of a stationary camera's day with and without the gate (each picture of oneday five times with equal bytes, a minute apart: a
camera that changes every five minutes). Trunk: MobileNetV2 of ../shared/weights. Then the 8-bit trunk
against the fp32 one, of InceptionV3 of ../shared/weights or of --backbone; without either there is no such ratio.

  --backbone DIR an imported backbone: fp32, or made by "camfleet backbone quantise" and beside the fp32 one`;

const SHARED = resolve(process.env['CAMFLEET_SHARED'] ?? '../shared');
const TRUNK = join(SHARED, 'weights/mobilenetv2_imagenet.onnx');
const CLASSES = 19;
const FEATURES = 1280;

/** The head of design: Dense 1024 ReLU, Dense |C| softmax. Weights do not matter for cost; these are small and fixed. */
function denseHead(seed: number): Buffer {
  let state = seed;
  const weights = (rows: number, columns: number) => ({
    type: ELEMENT.float,
    dims: [rows, columns],
    data: Float32Array.from(
      { length: rows * columns },
      () => (state = (state * 48_271) % 2_147_483_647) / 2 ** 31 / 32 - 1 / 64,
    ),
  });
  return buildOnnx({
    name: 'head',
    inputs: [{ name: 'features', type: ELEMENT.float, shape: ['N', FEATURES] }],
    outputs: [{ name: 'scores', type: ELEMENT.float, shape: ['N', CLASSES] }],
    constants: { w1: weights(FEATURES, 1024), w2: weights(1024, CLASSES) },
    nodes: [
      { op: 'MatMul', inputs: ['features', 'w1'], outputs: ['h'] },
      { op: 'Relu', inputs: ['h'], outputs: ['r'] },
      { op: 'MatMul', inputs: ['r', 'w2'], outputs: ['logits'] },
      { op: 'Softmax', inputs: ['logits'], outputs: ['scores'], attributes: { axis: -1 } },
    ],
  });
}

async function loadRunner(root: string, name: string, heads: 1 | 2, threads: number): Promise<ModelRunner> {
  const input = { width: 224, height: 224, layout: 'nchw' as const, scale: 1 / 127.5, offset: -1 };
  const folder = await mkdtemp(join(root, name));
  const files = new Map<string, Buffer>([
    ['resize.onnx', buildResize(input)],
    ['trunk.onnx', await readFile(TRUNK)],
    ['head-m0.onnx', denseHead(1)],
    ...(heads === 2 ? ([['head-m1.onnx', denseHead(2)]] as const) : []),
  ]);
  for (const [file, bytes] of files) await writeFile(join(folder, file), bytes);
  const entry = (bytes: Buffer) => ({ digest: sha256(bytes), bytes: bytes.length });
  const manifest: ModelManifest = {
    format: 1,
    name,
    createdAt: new Date().toISOString(),
    labels: Array.from({ length: CLASSES }, (_, j) => `class ${j}`),
    input,
    trunk: { input: 'input', output: 'gap' },
    files: Object.fromEntries([...files].map(([file, bytes]) => [file, entry(bytes)])) as ModelManifest['files'],
    origin: 'benchmark',
    golden: [{ jpeg: '', m0: [] }],
    tolerance: 0.01,
    ...(heads === 2 && { fusion: { ratios: Array.from({ length: CLASSES }, (_, j) => j / CLASSES), threshold: 0.3 } }),
  };
  return ModelRunner.load(folder, manifest, { threads });
}

/** A day of a real camera, a frame about every 10 minutes, each delivered `repeats` times with equal bytes. */
async function day(repeats: number): Promise<Buffer[]> {
  const folder = join(SHARED, 'cameras/oneday');
  const names = (await readdir(folder)).toSorted();
  const frames = await Promise.all(names.map((name) => readFile(join(folder, name))));
  return frames.filter((bytes) => bytes[0] === 0xff).flatMap((bytes) => Array.from({ length: repeats }, () => bytes));
}

function gatedReplay(runner: ModelRunner, frames: readonly Buffer[], gate: boolean): () => Promise<number> {
  const cleaner = new Cleaner();
  let memory: CleanMemory = {};
  let last: GateMemory | undefined;
  let next = 0;
  let now = 0;
  return async () => {
    const bytes = frames[next++ % frames.length] as Buffer;
    now += 60_000;
    const cleaned = await cleaner.clean(
      { bytes, notModified: false, fetchedAt: now, transferBytes: bytes.length },
      memory,
    );
    memory = cleaned.memory;
    const decision = decide(
      { cameraId: 1, now, thumbnail: cleaned.thumbnail, memory: last, modelVersion: 'a', random: (next % 100) / 100 },
      { threshold: 4, maxAgeMs: 600_000, auditShare: 0.02 },
    );
    if (gate && decision.action === 'inherit') return 1;
    await runner.classify([bytes]);
    const thumbnail = cleaned.thumbnail ? Buffer.from(cleaned.thumbnail).toString('base64') : (last?.thumbnail ?? '');
    last = { thumbnail, classifiedAt: now, label: 'a', modelVersion: 'a', scores: { fused: [], m0: [] } };
    return 1;
  };
}

const { json, seconds, flags } = benchOptions(USAGE, { flags: { backbone: 'string' } });
if (!existsSync(TRUNK)) {
  console.error(`bench:classify needs ${TRUNK}; set CAMFLEET_SHARED to the folder that holds weights/ and cameras/.`);
  process.exit(2);
}
const root = await mkdtemp(join(tmpdir(), 'camfleet-bench-'));
try {
  const threads = cpus().length;
  const one = await loadRunner(root, 'one', 1, threads);
  const fused = await loadRunner(root, 'fused', 2, threads);
  const other = await loadRunner(root, 'other', 1, threads);
  const frames = await day(1);
  const images: RgbImage[] = await Promise.all(frames.slice(0, 8).map(decodeRgb));
  const variants = (count: number): Record<string, () => Promise<number>> => {
    const batch = images.slice(0, count);
    const run = async (...runners: ModelRunner[]) => {
      for (const runner of runners) await runner.classifyImages(batch);
      return count;
    };
    return { one: () => run(one), fused: () => run(fused), two: () => run(one, other) };
  };
  const single = await takeTurns(variants(1), { seconds });
  const eight = await takeTurns(variants(8), { seconds });
  const stationary = await day(5);
  const gate = await takeTurns(
    { gated: gatedReplay(one, stationary, true), plain: gatedReplay(one, stationary, false) },
    { seconds },
  );
  const int8 = await compareInt8({
    backbone: String(flags['backbone']),
    weights: join(SHARED, 'weights/inceptionv3_imagenet_notop.h5'),
    ...{ scratch: join(root, 'backbones'), threads, seconds: 2 * seconds },
  });
  if (!int8) console.error('No InceptionV3 in ../shared/weights and no --backbone: the 8-bit trunk is not measured.');
  printResult(
    {
      bench: 'classify',
      ratios: {
        fusedVsOne: pairedRatio(single, 'fused', 'one'),
        fusedVsOneBatch8: pairedRatio(eight, 'fused', 'one'),
        fusedVsTwo: pairedRatio(single, 'fused', 'two'),
        fusedVsTwoBatch8: pairedRatio(eight, 'fused', 'two'),
        gate: pairedRatio(gate, 'gated', 'plain'),
        ...int8?.ratios,
      },
      figures: {
        oneHeadPerSecond: median(single['one'] ?? []),
        fusedPerSecond: median(single['fused'] ?? []),
        twoModelsPerSecond: median(single['two'] ?? []),
        oneHeadPerSecondBatch8: median(eight['one'] ?? []),
        fusedPerSecondBatch8: median(eight['fused'] ?? []),
        gatedFramesPerSecond: median(gate['gated'] ?? []),
        ...int8?.figures,
      },
      machine: machine(),
    },
    json,
  );
  for (const runner of [one, fused, other]) await runner.close();
} finally {
  await rm(root, { recursive: true, force: true });
}
