import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { basicCnn } from '../../../../trainer/backbone/basic-cnn.ts';
import { initialParameters } from '../../../../trainer/engine/initialise.ts';
import type { Layer, Network } from '../../../../trainer/engine/network.ts';
import { OrtEngine } from '../../../../trainer/engine/onnxruntime/engine.ts';
import { buildForward } from '../../../../trainer/engine/onnxruntime/network-graph.ts';
import { checkParameters, parameterSpecs, shapeAfter, trainableNames } from '../../../../trainer/engine/shapes.ts';
import { conv, doubles, drawnBatch, drawnParameters, inceptionBlock, tiny } from '../../../support/tiny-networks.ts';
import { referenceForward } from '../../../support/reference-network.ts';

describe('shapes', () => {
  test('of the Basic CNN: four stages halve the picture, and its parameters are counted', () => {
    const network = basicCnn({ classes: 19 });
    expect(shapeAfter(network.layers.slice(0, -2), network.input)).toEqual([96, 4, 4]);
    const sizes = parameterSpecs(network).map(({ dims }) => dims.reduce((product, dim) => product * dim, 1));
    const convs = 16 * 3 * 9 + 16 + 32 * 16 * 9 + 32 + 64 * 32 * 9 + 64 + 96 * 64 * 9 + 96;
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(convs + 96 * 19 + 19);
  });

  test.each<[string, Layer[], RegExp]>([
    [
      'a kernel that does not fit',
      [conv('c', 2, [9, 9], { padding: 'valid' })],
      /conv "c" of \[9, 9\] does not fit into \[2, 7, 6\]/,
    ],
    [
      'a dense layer on a map',
      [{ kind: 'dense', name: 'd', units: 2 }],
      /dense "d" needs \[features\] and gets \[2, 7, 6\]/,
    ],
    [
      'branches of different size',
      [{ kind: 'concat', branches: [[], [{ kind: 'max-pool', size: 2, stride: 2, padding: 'valid' }]] }],
      /concat joins \[2, 7, 6\] with \[2, 3, 3\]; only channels may differ/,
    ],
    ['half a filter', [conv('c', 2.5, [3, 3])], /conv "c" has filters 2.5/],
    ['one name twice', [conv('c', 2, [3, 3]), conv('c', 2, [3, 3])], /Two layers own the parameter "c\/kernel"/],
  ])('refuse %s, naming layer and shapes', (_, layers, message) => {
    expect(() => parameterSpecs(tiny(layers))).toThrow(
      expect.objectContaining({ code: 'NETWORK_INVALID', message: expect.stringMatching(message) as string }) as Error,
    );
  });

  test('refuse a network that ends in another number of classes', () => {
    const network: Network = { ...tiny([]), classes: 5 };
    expect(() => parameterSpecs(network)).toThrow('must end in a dense layer of 5 units');
  });

  test('freeze by path, not by the letters of a name', () => {
    const network = tiny([conv('conv1', 2, [1, 1]), conv('conv10', 2, [1, 1])]);
    expect(trainableNames(network, ['conv1'])).not.toContain('conv1/kernel');
    expect(trainableNames(network, ['conv1'])).toContain('conv10/kernel');
    expect(() => trainableNames(network, ['conv1', 'conv10', 'predictions'])).toThrow('leave one to train');
  });

  test('refuse momenta of another network', () => {
    const network = tiny([]);
    const momenta = new Map([['predictions/bias', { dims: [4], data: new Float32Array(4) }]]);
    expect(() => checkParameters(network, drawnParameters(network, 'm'), momenta)).toThrow(
      'needs "momentum of predictions/bias" as [3] and gets [4] with 4 numbers',
    );
  });
});

describe('initial parameters', () => {
  test('depend on seed and name alone', () => {
    const shallow = initialParameters(basicCnn({ classes: 3, widths: [16, 32] }), { seed: 7 });
    const deep = initialParameters(basicCnn({ classes: 3 }), { seed: 7 });
    expect(deep.get('conv2/kernel')).toEqual(shallow.get('conv2/kernel'));
    const other = initialParameters(basicCnn({ classes: 3 }), { seed: 8 });
    expect(other.get('conv2/kernel')).not.toEqual(deep.get('conv2/kernel'));
  });

  test('have the spread of He before a ReLU and of Glorot at the end, and biases of 0', () => {
    const parameters = initialParameters(basicCnn({ classes: 19 }), { seed: 1 });
    const kernel = parameters.get('conv4/kernel')?.data as Float32Array;
    expect(deviation(kernel)).toBeCloseTo(Math.sqrt(2 / (64 * 9)), 3);
    const last = parameters.get('predictions/kernel')?.data as Float32Array;
    const limit = Math.sqrt(6 / (96 + 19));
    expect(Math.max(...last)).toBeLessThanOrEqual(limit);
    expect(deviation(last)).toBeCloseTo(limit / Math.sqrt(3), 2);
    expect(parameters.get('conv1/bias')?.data.every((value) => value === 0)).toBe(true);
  });
});

describe('the exported network', () => {
  const network = tiny([inceptionBlock('first')]);
  const parameters = drawnParameters(network, 'export');
  const { inputs } = drawnBatch(network, 3, 'export');
  const run = async (softmax: boolean) => {
    const session = await InferenceSession.create(buildForward(network, parameters, { softmax }), {
      logSeverityLevel: 3,
    });
    const { scores } = await session.run({ features: new Tensor('float32', inputs, [3, ...network.input]) });
    await session.release();
    return scores as Tensor;
  };

  test('gives the logits of plain loops in double precision', async () => {
    const { data, dims } = await run(false);
    expect(dims).toEqual([3, 3]);
    const expected = referenceForward(network, doubles(parameters), inputs, 3).flat();
    expected.forEach((logit, i) => expect(data[i]).toBeCloseTo(logit, 5));
  });

  test('gives probabilities where softmax is asked for', async () => {
    const { data } = await run(true);
    const rows = referenceForward(network, doubles(parameters), inputs, 3);
    rows.forEach((row, i) => {
      const total = row.reduce((sum, logit) => sum + Math.exp(logit), 0);
      row.forEach((logit, j) => expect(data[i * 3 + j]).toBeCloseTo(Math.exp(logit) / total, 5));
    });
  });
});

describe('a long training', () => {
  test('holds its memory over 250 steps', async () => {
    const network = basicCnn({ classes: 3, size: 32, widths: [8, 8] });
    const session = await new OrtEngine().open(network, {
      parameters: initialParameters(network, { seed: 1 }),
      threads: 1,
    });
    const batch = drawnBatch(network, 8, 'memory');
    const settings = { learningRate: 0.01, momentum: 0.9, clipNorm: 1 };
    const train = async (steps: number) => {
      for (let i = 0; i < steps; i++) await session.step(batch, settings);
      return process.memoryUsage.rss();
    };
    const settled = await train(50);
    const grown = (await train(250)) - settled;
    await session.close();
    // A step that kept its activations would add some 300 MB.
    expect(grown / 1e6).toBeLessThan(40);
  });
});

function deviation(data: Float32Array): number {
  return Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);
}
