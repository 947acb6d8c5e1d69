import { expect, test } from 'vitest';
import { TensorRunner } from '../../../../common/inference/tensor-runner.ts';
import { foldNorms } from '../../../../trainer/backbone/fold.ts';
import {
  INCEPTION_INPUT,
  headNetwork,
  inceptionCuts,
  inceptionStages,
  inceptionTop,
  inceptionTrunk,
} from '../../../../trainer/backbone/inception-v3.ts';
import { buildInference } from '../../../../trainer/backbone/inference-graph.ts';
import { hasRepeatedRows, warnOfRepeatedRows } from '../../../../trainer/backbone/kernel-check.ts';
import { shapesOf } from '../../../../trainer/backbone/parameters.ts';
import type { Layer, Parameters } from '../../../../trainer/engine/network.ts';
import { parameterSpecs } from '../../../../trainer/engine/shapes.ts';
import { drawnParameters, miniInception } from './networks.ts';
import { referenceForward } from './reference-forward.ts';

const sizeOf = (specs: readonly { dims: readonly number[] }[]): number =>
  specs.reduce((sum, { dims }) => sum + dims.reduce((product, dim) => product * dim, 1), 0);

test('InceptionV3 has the convolutions, parameters and shapes of Keras', () => {
  const all = shapesOf(
    inceptionStages().flatMap(({ layers }) => layers),
    INCEPTION_INPUT,
  );
  expect(all.parameters.filter(({ role }) => role === 'conv-kernel')).toHaveLength(94);
  expect(sizeOf(all.parameters)).toBe(21_802_784);
  expect(sizeOf(all.parameters.filter(({ constant }) => constant))).toBe(34_432);
  const channels = [256, 288, 288, 768, 768, 768, 768, 768, 1280, 2048, 2048];
  const sides = [35, 35, 35, 17, 17, 17, 17, 17, 8, 8, 8];
  inceptionCuts.forEach((cut, i) => {
    expect(shapesOf(inceptionTrunk(cut), INCEPTION_INPUT).output).toEqual([channels[i], sides[i], sides[i]]);
  });
});

test('convolutions are numbered as Keras numbers them', () => {
  const kernels = new Map(
    shapesOf(
      inceptionStages().flatMap(({ layers }) => layers),
      INCEPTION_INPUT,
    ).parameters.map(({ name, dims }) => [name, dims]),
  );
  expect(kernels.get('conv2d_5/kernel')).toEqual([192, 80, 3, 3]);
  expect(kernels.get('conv2d_8/kernel')).toEqual([64, 48, 5, 5]);
  expect(kernels.get('conv2d_27/kernel')).toEqual([384, 288, 3, 3]);
  expect(kernels.get('conv2d_39/kernel')).toEqual([192, 128, 1, 7]);
  expect(kernels.get('conv2d_82/kernel')).toEqual([384, 448, 3, 3]);
  expect(kernels.get('conv2d_94/kernel')).toEqual([192, 2048, 1, 1]);
});

test('behind mixed8 with a head for 19 classes 13,232,531 parameters train', () => {
  const top = headNetwork('top', [1280, 8, 8], inceptionTop('mixed8'), 19);
  expect(sizeOf(parameterSpecs(top).filter(({ constant }) => !constant))).toBe(13_232_531);
});

test('an unknown cut is refused with those that exist', () => {
  expect(() => inceptionTrunk('mixed11')).toThrow(/"mixed11".*mixed0, mixed1/);
});

test('folding normalisations leaves none behind and changes no output', async () => {
  const network = miniInception();
  const parameters = drawnParameters(network);
  const folded = foldNorms(network.layers, parameters);
  expect(kindsOf(folded.layers)).not.toContain('frozen-norm');
  expect([...folded.parameters.keys()].some((name) => name.endsWith('/variance'))).toBe(false);
  expect(parameters.has('batch_normalization_1/variance')).toBe(true);

  const pictures = Float32Array.from({ length: 2 * 3 * 17 * 17 }, (_, i) => Math.sin(i * 0.7));
  const runner = await TensorRunner.load(buildInference({ ...network, parameters }), { threads: 1 });
  const found = await runner.run(pictures, 2);
  await runner.close();
  const expected = [0, 1].flatMap((image) => [
    ...referenceForward(network, parameters, pictures.subarray(image * 867, (image + 1) * 867)),
  ]);
  expect(expected.some((value) => Math.abs(value) > 0.01)).toBe(true);
  expected.forEach((value, i) => expect(found[i]).toBeCloseTo(value, 4));
});

test('a normalisation that follows no convolution is kept', async () => {
  const layers: Layer[] = [{ kind: 'relu' }, { kind: 'frozen-norm', name: 'norm', epsilon: 1 }];
  const vector = (...data: number[]) => ({ dims: [2], data: Float32Array.from(data) });
  const parameters: Parameters = new Map([
    ['norm/beta', vector(1, 2)],
    ['norm/mean', vector(3, 4)],
    ['norm/variance', vector(3, 15)],
  ]);
  const runner = await TensorRunner.load(buildInference({ name: 'norm', input: [2, 1, 1], layers, parameters }), {
    threads: 1,
  });
  expect([...(await runner.run(Float32Array.of(5, -1), 1))]).toEqual([2, 1]);
  await runner.close();
});

test('kernels with repeated rows are named with the block they stand in', () => {
  const stages = inceptionStages();
  const kernel = (repeated: boolean) => ({
    dims: [2, 2, 3, 3],
    data: Float32Array.from({ length: 36 }, (_, i) => (repeated && i % 9 > 5 ? Math.sin(i - 3) : Math.sin(i))),
  });
  expect(hasRepeatedRows(kernel(true))).toBe(true);
  expect(hasRepeatedRows(kernel(false))).toBe(false);
  expect(hasRepeatedRows({ dims: [1, 1, 3, 1], data: new Float32Array(3) })).toBe(false);
  const warnings = (...repeated: string[]) =>
    warnOfRepeatedRows(stages, INCEPTION_INPUT, new Map(repeated.map((name) => [`${name}/kernel`, kernel(true)])));
  expect(warnings()).toEqual([]);
  expect(warnings('conv2d_82', 'conv2d_91')[0]).toMatch(
    /^two kernels partly filled \(mixed9, mixed10\): kernel of conv2d_82 has repeated rows, .*level 2 may include repairing/,
  );
});

const kindsOf = (layers: readonly Layer[]): string[] =>
  layers.flatMap((layer) => (layer.kind === 'concat' ? layer.branches.flatMap(kindsOf) : [layer.kind]));
