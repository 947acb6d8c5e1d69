import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ELEMENT, buildOnnx } from '../../../../common/inference/onnx-format.ts';
import { OnnxGraph } from '../../../../common/inference/onnx-graph.ts';
import { TensorRunner } from '../../../../common/inference/tensor-runner.ts';
import { openTrunk } from '../../../../trainer/backbone/backbone.ts';
import { importBackbone } from '../../../../trainer/backbone/import.ts';
import { buildInference } from '../../../../trainer/backbone/inference-graph.ts';
import { calibrate } from '../../../../trainer/export/calibrate.ts';
import { stratified } from '../../../../trainer/export/calibration-pictures.ts';
import { poolLast } from '../../../../trainer/export/pool-last.ts';
import { quantiseBackbone } from '../../../../trainer/export/quantise-backbone.ts';
import { correctBias, quantise, quantiseWeights, tensorsToCalibrate } from '../../../../trainer/export/quantise.ts';
import type { Dataset } from '../../../../trainer/dataset/dataset.ts';
import { drawnParameters, miniInception } from '../backbone/networks.ts';

const network = miniInception();
const INPUT = [3, 17, 17];
/** The mini network up to its last concat, where a trunk is cut. */
const trunk = buildInference({ ...network, layers: network.layers.slice(0, -2), parameters: drawnParameters(network) });
const pictures = Array.from({ length: 6 }, (_, n) =>
  Float32Array.from({ length: 867 }, (__, i) => Math.sin(i * 0.13 * (n + 1)) * Math.cos(i / 40)),
);
const options = { threads: 1, inputDims: INPUT, percentile: 100 };

async function run(onnx: Buffer, picture: Float32Array): Promise<Float32Array> {
  const runner = await TensorRunner.load(onnx, { threads: 1 });
  try {
    return await runner.run(picture, 1);
  } finally {
    await runner.close();
  }
}

function relativeError(found: Float32Array, expected: Float32Array): number {
  const square = (values: Float32Array) => values.reduce((sum, value) => sum + value ** 2, 0);
  return Math.sqrt(square(expected.map((value, i) => value - (found[i] ?? Number.NaN))) / square(expected));
}

test('the 8-bit trunk gives the features of the fp32 trunk but for rounding', async () => {
  const ranges = await calibrate(trunk, tensorsToCalibrate(trunk), pictures, options);
  const small = quantise(trunk, ranges);
  for (const picture of pictures) {
    const error = relativeError(await run(small, picture), await run(trunk, picture));
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(0.04);
  }
});

test('every convolution runs on bytes, and ReLU goes into the saturation of its convolution', async () => {
  const graph = new OnnxGraph(quantise(trunk, await calibrate(trunk, tensorsToCalibrate(trunk), pictures, options)));
  expect(graph.nodes.some(({ op }) => op === 'Relu')).toBe(false);
  for (const { inputs } of graph.nodes.filter(({ op }) => op === 'Conv')) {
    expect(inputs.map((input) => graph.producerOf(input)?.op)).toEqual(Array(3).fill('DequantizeLinear'));
  }
});

test('average pooling comes after the 1×1 convolution behind it, saturates for its ReLU, and changes nothing', async () => {
  const moved = poolLast(trunk);
  for (const picture of pictures)
    expect(relativeError(await run(moved, picture), await run(trunk, picture))).toBeLessThan(1e-6);
  const before = (onnx: Buffer) => {
    const graph = new OnnxGraph(onnx);
    const pools = graph.nodes.filter(({ op }) => op === 'AveragePool');
    return pools.map(({ inputs }) => graph.producerOf(inputs[0] ?? '')?.op);
  };
  expect(before(trunk)).toEqual(['Relu']);
  expect(before(moved)).toEqual(['Conv']);
  const small = quantise(moved, await calibrate(moved, tensorsToCalibrate(moved), pictures, options));
  expect(new OnnxGraph(small).nodes.map(({ op }) => op)).not.toContain('Relu');
  expect(relativeError(await run(small, pictures[0]!), await run(trunk, pictures[0]!))).toBeLessThan(0.04);
});

test('a pooling whose padding counts, or whose output somebody else reads, stays where it is', () => {
  const network = (attributes: Record<string, number | number[]>, outputs: string[]) =>
    buildOnnx({
      name: 'pooled',
      inputs: [{ name: 'input', type: ELEMENT.float, shape: ['N', 3, 17, 17] }],
      outputs: outputs.map((name) => ({ name, type: ELEMENT.float, shape: ['N', 3, 'H', 'W'] })),
      constants: { kernel: { type: ELEMENT.float, dims: [3, 3, 1, 1], data: new Float32Array(9).fill(0.5) } },
      nodes: [
        {
          op: 'AveragePool',
          inputs: ['input'],
          outputs: ['pooled'],
          attributes: { kernel_shape: [3, 3], ...attributes },
        },
        { op: 'Conv', inputs: ['pooled', 'kernel'], outputs: ['conv'] },
      ],
    });
  const order = (onnx: Buffer) => new OnnxGraph(poolLast(onnx)).nodes.map(({ op }) => op);
  expect(order(network({ pads: [1, 1, 1, 1] }, ['conv']))).toEqual(['Conv', 'AveragePool']);
  expect(order(network({ pads: [1, 1, 1, 1], count_include_pad: 1 }, ['conv']))).toEqual(['AveragePool', 'Conv']);
  expect(order(network({ count_include_pad: 1 }, ['conv']))).toEqual(['Conv', 'AveragePool']);
  expect(order(network({}, ['conv', 'pooled']))).toEqual(['AveragePool', 'Conv']);
});

test('calibration takes pictures of every class in turn, of the training part alone', () => {
  const parts = ['training', 'training', 'training', 'training', 'reference', 'test'] as const;
  const samples = Array.from({ length: 24 }, (_, i) => ({ label: i < 12 ? 0 : i < 18 ? 1 : 2, part: parts[i % 6] }));
  const dataset = { classes: ['a', 'b', 'c'], samples } as unknown as Dataset;
  const chosen = stratified(dataset, 9, 1);
  const labels = chosen.map((index) => samples[index]?.label);
  expect(labels).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2]);
  expect(new Set(chosen).size).toBe(9);
  expect(chosen.every((index) => samples[index]?.part === 'training')).toBe(true);
  expect(stratified(dataset, 9, 1)).toEqual(chosen);
  expect(stratified(dataset, 100, 1)).toHaveLength(16);
});

test('weights keep within 7 bits and are off by at most half a step', () => {
  const weights = Float32Array.from({ length: 40 }, (_, i) => Math.sin(i) * (i < 20 ? 1 : 100));
  const { values, scales } = quantiseWeights(weights, 2, 0.1);
  values.forEach((value, i) => {
    expect(Math.abs(value)).toBeLessThanOrEqual(64);
    const scale = scales[i < 20 ? 0 : 1] as number;
    expect(Math.abs(value * scale - (weights[i] as number))).toBeLessThanOrEqual(scale * 0.5001);
  });
});

test('the bias of a dead channel does not overflow', () => {
  const { scales } = quantiseWeights(new Float32Array(2).fill(1e-12), 2, 1e-3, Float32Array.of(5, 0));
  expect(5 / ((scales[0] as number) * 1e-3)).toBeLessThan(2 ** 31);
});

test('the bias takes back what rounding the weights shifts, group by group', () => {
  const weights = Float32Array.of(0.3, 0.26, 1, -0.4, 0.77, 1);
  const rounded = { values: Int8Array.of(0, 0, 1, 0, 1, 1), scales: Float32Array.of(1, 1) };
  const bias = Float32Array.of(1, 2);
  // Two filters in two groups of one channel, kernels of 1 × 3.
  correctBias(bias, weights, rounded, [2, 1, 1, 3], [2, 10]);
  expect(bias[0]).toBeCloseTo(1 + 2 * (0.3 + 0.26), 5);
  expect(bias[1]).toBeCloseTo(2 + 10 * (-0.4 - 0.23), 5);
});

test('a percentile leaves rare extremes out of a range', async () => {
  const spiked = pictures.map((picture) => picture.map((value, i) => (i === 5 ? 50 : value)));
  const tensors = tensorsToCalibrate(trunk);
  const whole = await calibrate(trunk, tensors, spiked, options);
  const most = await calibrate(trunk, tensors, spiked, { ...options, percentile: 99 });
  expect(whole.get('input')?.most).toBe(50);
  expect(most.get('input')?.most).toBeLessThan(2);
  expect(most.get('input')?.least).toBeLessThan(-0.8);
});

test('calibration without pictures, a network that is too old and a missing range are refused', async () => {
  await expect(calibrate(trunk, tensorsToCalibrate(trunk), [], options)).rejects.toMatchObject({
    code: 'CALIBRATION_EMPTY',
  });
  expect(() => quantise(trunk, new Map())).toThrow(/no calibrated range of the tensor/);
  const broken = pictures.map((picture) => picture.map(() => Number.NaN));
  await expect(calibrate(trunk, tensorsToCalibrate(trunk), broken, options)).rejects.toMatchObject({
    code: 'CALIBRATION_NOT_FINITE',
  });
});

test('shortcuts and clipped activations of MobileNet are quantised, too', async () => {
  const floats = (dims: number[], value: (i: number) => number) => ({
    type: ELEMENT.float,
    dims,
    data: Float32Array.from({ length: dims.reduce((product, dim) => product * dim, 1) }, (_, i) => value(i)),
  });
  const onnx = buildOnnx({
    name: 'shortcut',
    inputs: [{ name: 'input', type: ELEMENT.float, shape: ['N', 3, 17, 17] }],
    outputs: [{ name: 'pooled', type: ELEMENT.float, shape: ['N', 3, 1, 1] }],
    constants: {
      kernel: floats([3, 3, 1, 1], (i) => Math.sin(i + 1)),
      bias: floats([3], (i) => i / 10),
      low: floats([], () => 0),
      high: floats([], () => 6),
    },
    nodes: [
      { op: 'Conv', inputs: ['input', 'kernel', 'bias'], outputs: ['conv'] },
      { op: 'Clip', inputs: ['conv', 'low', 'high'], outputs: ['clipped'] },
      { op: 'Add', inputs: ['input', 'clipped'], outputs: ['sum'] },
      { op: 'GlobalAveragePool', inputs: ['sum'], outputs: ['pooled'] },
    ],
  });
  const small = quantise(onnx, await calibrate(onnx, tensorsToCalibrate(onnx), pictures, options));
  expect(new OnnxGraph(small).nodes.map(({ op }) => op)).not.toContain('Clip');
  expect(relativeError(await run(small, pictures[1]!), await run(onnx, pictures[1]!))).toBeLessThan(0.05);
});

test('a quantised backbone is one of its own, says how it was made and warns of few pictures', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'camfleet-int8-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'mini.onnx'), buildInference({ ...network, parameters: drawnParameters(network) }));
  const backbone = await importBackbone(join(folder, 'mini.onnx'), { root: join(folder, 'backbones') });
  const small = await quantiseBackbone(backbone, pictures, { root: join(folder, 'backbones'), threads: 1 });
  expect(small.digest).not.toBe(backbone.digest);
  expect(small.manifest).toMatchObject({
    name: 'mini-int8',
    identity: { precision: 'int8', quantised: { from: backbone.digest, images: 6 } },
  });
  expect(small.warnings[0]).toMatch(/calibrated on 6 pictures; take at least 300/);
  const [exact, rounded] = [await openTrunk(backbone, { threads: 1 }), await openTrunk(small, { threads: 1 })];
  const picture = pictures[0] as Float32Array;
  expect(relativeError(await rounded.run(picture, 1), await exact.run(picture, 1))).toBeLessThan(0.04);
  await exact.close();
  await rounded.close();
});
