import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { File, ready } from 'h5wasm/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readKerasWeights } from '../../../../trainer/backbone/keras-weights.ts';
import { parameterSpecs } from '../../../../trainer/engine/shapes.ts';
import { drawnParameters, miniInception, writeKerasFile } from './networks.ts';
import type { KerasFileOptions } from './networks.ts';

const network = miniInception();
const parameters = drawnParameters(network);
const specs = parameterSpecs(network);
let folder: string;
let count = 0;

beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'camfleet-h5-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

async function written(options: KerasFileOptions = {}): Promise<string> {
  const path = join(folder, `${(count += 1)}.h5`);
  await writeKerasFile(path, network, parameters, options);
  return path;
}

test.each([
  ['Keras 2, which counts from 1', { first: 1 }, 'Keras 2 names'],
  ['Keras 3, which counts from 0', { first: 0 }, 'Keras 3 names'],
  ['a whole model', { first: 1, inside: 'model_weights' }, 'Keras 2 names'],
] as const)('weights are found by name in a file of %s', async (_, options, naming) => {
  const found = await readKerasWeights(await written(options), specs);
  expect(found.naming).toContain(naming);
  for (const { name, dims } of specs) {
    expect(found.parameters.get(name)?.dims).toEqual(dims);
    expect(found.parameters.get(name)?.data).toEqual(parameters.get(name)?.data);
  }
});

test('a missing layer is named', async () => {
  const path = await written({ change: (layers) => void layers.delete('conv2d_4') });
  await expect(readKerasWeights(path, specs)).rejects.toThrow(/lacks conv2d_4\/kernel.*Keras 2 names/);
});

test('a wrong shape is told with what was expected and what was found', async () => {
  const path = await written({
    change: (layers) => layers.get('conv2d_4')?.set('kernel', { dims: [5, 3, 7, 1], data: new Float32Array(105) }),
  });
  await expect(readKerasWeights(path, specs)).rejects.toMatchObject({
    code: 'WEIGHTS_SHAPE_WRONG',
    message: expect.stringMatching(
      /conv2d_4\/kernel should have the shape \[7, 1, 2, 3\], found \[7, 1, 3, 5\]/,
    ) as string,
  });
});

test('weights that are no numbers are refused', async () => {
  const path = await written({
    change: (layers) =>
      layers.get('conv2d_1')?.set('kernel', { dims: [4, 3, 3, 3], data: new Float32Array(108).fill(NaN) }),
  });
  await expect(readKerasWeights(path, specs)).rejects.toThrow(/conv2d_1\/kernel contains NaN/);
});

test('a negative variance is refused', async () => {
  const path = await written({
    change: (layers) =>
      layers.get('batch_normalization_1')?.set('moving_variance', { dims: [4], data: Float32Array.of(1, -1, 1, 1) }),
  });
  await expect(readKerasWeights(path, specs)).rejects.toThrow(/batch_normalization_1\/variance contains -1/);
});

test('a file that was cut off says how long it should be', async () => {
  const path = await written();
  const { length } = await readFile(path);
  await truncate(path, 3_000);
  await expect(readKerasWeights(path, specs)).rejects.toThrow(`has 3000 bytes, but its header says ${length}`);
});

test('damage inside is told in one line, not by a stack of the library', async () => {
  const path = await written();
  const bytes = await readFile(path);
  await writeFile(path, bytes.fill(0xee, 96, 2_000));
  const error: unknown = await readKerasWeights(path, specs).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'WEIGHTS_DAMAGED' });
  expect((error as Error).message).not.toContain('\n');
});

test('what is no HDF5 file, and no file, is told apart', async () => {
  const path = join(folder, 'text.h5');
  await writeFile(path, 'not found');
  await expect(readKerasWeights(path, specs)).rejects.toMatchObject({ code: 'WEIGHTS_NOT_HDF5' });
  await expect(readKerasWeights(join(folder, 'absent.h5'), specs)).rejects.toThrow(/there is no such file/);
});

test("Keras 3's layout that counts layers is refused with the way out", async () => {
  await ready;
  const path = join(folder, 'counted.weights.h5');
  const file = new File(path, 'w');
  file.create_group('layers');
  file.close();
  await expect(readKerasWeights(path, specs)).rejects.toThrow(/\.weights\.h5 layout.*older layout/);
});
