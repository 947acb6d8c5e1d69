import { expect, test } from 'vitest';
import { cutOnnx, featuresOf } from '../../../common/inference/onnx-cut.ts';
import { ELEMENT, buildOnnx } from '../../../common/inference/onnx-format.ts';
import { OnnxGraph, dimsOf, floatsOf } from '../../../common/inference/onnx-graph.ts';
import { TensorRunner } from '../../../common/inference/tensor-runner.ts';

const constant = (dims: number[], value: (i: number) => number) => ({
  type: ELEMENT.float,
  dims,
  data: Float32Array.from({ length: dims.reduce((product, dim) => product * dim, 1) }, (_, i) => value(i)),
});

/** A small classifier: convolution, ReLU, pooling, a dense layer with its bias added apart, softmax. */
function classifier(batch: string | number = 'N'): Buffer {
  return buildOnnx({
    name: 'small',
    inputs: [{ name: 'picture', type: ELEMENT.float, shape: [batch, 3, 6, 6] }],
    outputs: [{ name: 'scores', type: ELEMENT.float, shape: [batch, 2] }],
    constants: {
      kernel: constant([4, 3, 3, 3], (i) => Math.sin(i)),
      dense: constant([4, 2], (i) => Math.cos(i)),
      bias: constant([2], (i) => i),
    },
    nodes: [
      { op: 'Conv', inputs: ['picture', 'kernel'], outputs: ['conv'], attributes: { strides: [1, 1] } },
      { op: 'Relu', inputs: ['conv'], outputs: ['relu'] },
      { op: 'GlobalAveragePool', inputs: ['relu'], outputs: ['pooled'] },
      { op: 'Flatten', inputs: ['pooled'], outputs: ['flat'] },
      { op: 'MatMul', inputs: ['flat', 'dense'], outputs: ['product'] },
      { op: 'Add', inputs: ['product', 'bias'], outputs: ['logits'] },
      { op: 'Softmax', inputs: ['logits'], outputs: ['scores'], attributes: { axis: -1 } },
    ],
  });
}

const pictures = Float32Array.from({ length: 2 * 108 }, (_, i) => Math.sin(i / 7));

async function run(onnx: Buffer, output?: string): Promise<number[]> {
  const runner = await TensorRunner.load(onnx, { threads: 1, ...(output !== undefined && { output }) });
  try {
    return [...(await runner.run(pictures, 2))];
  } finally {
    await runner.close();
  }
}

test('a network that is opened and written again gives the same scores', async () => {
  const onnx = classifier();
  expect(await run(new OnnxGraph(onnx).write())).toEqual(await run(onnx));
});

test('constants keep their dimensions and values', () => {
  const bias = new OnnxGraph(classifier()).constants.get('bias');
  expect(bias && dimsOf(bias)).toEqual([2]);
  expect(bias && [...(floatsOf(bias) ?? [])]).toEqual([0, 1]);
});

test('the tensor before the classifier is found behind softmax and bias', () => {
  expect(featuresOf(new OnnxGraph(classifier()))).toBe('flat');
});

test('a network cut at a tensor gives that tensor and carries nothing that is not needed', async () => {
  const cut = cutOnnx(new OnnxGraph(classifier()), 'flat');
  const graph = new OnnxGraph(cut);
  expect([...graph.constants.keys()]).toEqual(['kernel']);
  expect(graph.nodes.map(({ op }) => op)).toEqual(['Conv', 'Relu', 'GlobalAveragePool', 'Flatten']);
  const features = await run(cut);
  expect(features).toHaveLength(8);
  // The cut network with the rest behind it is the whole network.
  const dense = Float32Array.from({ length: 8 }, (_, i) => Math.cos(i));
  const logits = [0, 1].map((image) =>
    [0, 1].map((j) => features.slice(image * 4, image * 4 + 4).reduce((sum, f, k) => sum + f * dense[k * 2 + j]!, j)),
  );
  const scores = await run(classifier());
  logits.forEach(([a = 0, b = 0], image) => expect(scores[image * 2]).toBeCloseTo(1 / (1 + Math.exp(b - a)), 5));
});

test('a network that ends in features is taken as it is', () => {
  const features = cutOnnx(new OnnxGraph(classifier()), 'pooled');
  expect(featuresOf(new OnnxGraph(features))).toBe('pooled');
});

test('where no classifier is recognised the error names tensors to choose from', () => {
  const graph = new OnnxGraph(cutOnnx(new OnnxGraph(classifier()), 'relu'));
  expect(() => featuresOf(graph)).toThrow(/--output; the last ones of this network are conv, relu/);
});

test('an unknown tensor and bytes that are no network are refused in words', () => {
  expect(() => cutOnnx(new OnnxGraph(classifier()), 'nowhere')).toThrow(/no tensor "nowhere".*scores/);
  expect(() => new OnnxGraph(Buffer.from('this is no network'))).toThrow(/no ONNX network/);
});

test('a network for one picture a run takes a batch one by one', async () => {
  const [one, many] = [await run(classifier(1)), await run(classifier())];
  one.forEach((score, i) => expect(score).toBeCloseTo(many[i] ?? Number.NaN, 6));
});

test('a batch of the wrong size is refused with both sizes', async () => {
  const runner = await TensorRunner.load(classifier(), { threads: 1 });
  await expect(runner.run(pictures, 3)).rejects.toThrow(/324 numbers, found 216/);
  await runner.close();
});
