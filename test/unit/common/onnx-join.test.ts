import { expect, test } from 'vitest';
import { ELEMENT, buildOnnx } from '../../../common/inference/onnx-format.ts';
import { joinOnnx } from '../../../common/inference/onnx-join.ts';
import { TensorRunner } from '../../../common/inference/tensor-runner.ts';

/** x · factor + 1, with the same names whatever the factor. */
const network = (factor: number, inputs = ['x']): Buffer =>
  buildOnnx({
    name: 'line',
    inputs: inputs.map((name) => ({ name, type: ELEMENT.float, shape: ['N', 2] })),
    outputs: [{ name: 'y', type: ELEMENT.float, shape: ['N', 2] }],
    constants: {
      factor: { type: ELEMENT.float, dims: [], data: Float32Array.of(factor) },
      one: { type: ELEMENT.float, dims: [], data: Float32Array.of(1) },
    },
    nodes: [
      { op: 'Mul', inputs: ['x', 'factor'], outputs: ['scaled'] },
      { op: 'Add', inputs: ['scaled', 'one'], outputs: ['y'] },
    ],
  });

test('what comes out of the first goes into the second, though both use the same names', async () => {
  const { onnx, output } = joinOnnx(network(2), network(10), { output: 'y' });
  const runner = await TensorRunner.load(onnx, { threads: 1, output });
  expect([...(await runner.run(Float32Array.of(1, 2, 3, 4), 2))]).toEqual([31, 51, 71, 91]);
  await runner.close();
});

test('a network with two inputs cannot stand behind another', () => {
  expect(() => joinOnnx(network(2), network(3, ['x', 'z']), { output: 'y' })).toThrow(/one input and one output/);
});
