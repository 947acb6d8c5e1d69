import { AppError } from '../runtime/errors.ts';
import { OnnxGraph, renameConstant, renameValue } from './onnx-graph.ts';
import type { GraphNode } from './onnx-graph.ts';

/**
 * One network of two: what comes out of the first at `output` goes into the second's only input. The second's tensors get a name
 * of their own, so both may have been made by the same builder.
 *
 * @returns the network and the name of its only output
 * @throws AppError `ONNX_UNREADABLE`, `ONNX_NOT_JOINABLE`
 */
export function joinOnnx(
  first: Uint8Array,
  second: Uint8Array,
  { output }: { output: string },
): { onnx: Buffer; output: string } {
  const graph = new OnnxGraph(first);
  const behind = new OnnxGraph(second);
  const inputs = behind.inputs.filter(({ name }) => !behind.constants.has(name));
  const result = behind.outputs[0];
  if (inputs.length !== 1 || behind.outputs.length !== 1 || !result || graph.opset !== behind.opset) {
    throw new AppError(
      'ONNX_NOT_JOINABLE',
      `Networks are joined where the second has one input and one output and both name the same operators; found ` +
        `${inputs.length} and ${behind.outputs.length}, versions ${graph.opset} and ${behind.opset}.`,
    );
  }
  const nameOf = (tensor: string): string =>
    tensor === '' ? '' : tensor === inputs[0]?.name ? output : `joined/${tensor}`;
  const renamed = (node: GraphNode): GraphNode => ({
    ...node,
    name: node.name && `joined/${node.name}`,
    inputs: node.inputs.map(nameOf),
    outputs: node.outputs.map(nameOf),
  });
  graph.nodes = [...graph.nodes, ...behind.nodes.map(renamed)];
  for (const constant of behind.constants.values()) {
    const moved = renameConstant(constant, nameOf(constant.name));
    graph.constants.set(moved.name, moved);
  }
  const name = nameOf(result.name);
  graph.outputs = [renameValue(result, name)];
  return { onnx: graph.write(), output: name };
}
