import { AppError } from '../runtime/errors.ts';
import { ELEMENT, unshapedValue } from './onnx-format.ts';
import { dimsOf } from './onnx-graph.ts';
import type { GraphNode, OnnxGraph } from './onnx-graph.ts';

/** Operations that change a classifier's scores but hold no weights of it. */
const BEHIND_CLASSIFIER = new Set([
  'Softmax',
  'LogSoftmax',
  'Sigmoid',
  'Identity',
  'Cast',
  'Squeeze',
  'Flatten',
  'Reshape',
  'Dropout',
  'Add',
]);
const CLASSIFIER = new Set(['Gemm', 'MatMul', 'Conv', 'FusedMatMul', 'FusedGemm']);
/** Operations that only pass an image's features on. */
const POOLED = new Set(['GlobalAveragePool', 'ReduceMean']);

/**
 * The tensor before the classifier: from the deepest output back over softmax, bias and reshaping to the last dense layer (or
 * convolution of 1 × 1), whose input it is. A network that ends in pooled features has no classifier: its own output.
 *
 * @throws AppError `ONNX_FEATURES_UNCLEAR`
 */
export function featuresOf(graph: OnnxGraph): string {
  const start = deepestOutput(graph);
  let tensor = start;
  for (;;) {
    const node = graph.producerOf(tensor);
    if (node && POOLED.has(node.op)) return start;
    const next = node?.inputs.find((input) => input !== '' && !graph.constants.has(input));
    if (node && next !== undefined && CLASSIFIER.has(node.op) && isClassifier(graph, node)) return next;
    if (!node || next === undefined || !isBehindClassifier(graph, node)) throw unclear(graph, start, node);
    tensor = next;
  }
}

/** An addition counts where it adds a constant: a bias; of two tensors it is a shortcut. */
const isBehindClassifier = (graph: OnnxGraph, { op, inputs }: GraphNode): boolean =>
  BEHIND_CLASSIFIER.has(op) && (op !== 'Add' || inputs.some((input) => graph.constants.has(input)));

function isClassifier(graph: OnnxGraph, node: GraphNode): boolean {
  if (node.op !== 'Conv') return true;
  const kernel = graph.constants.get(node.inputs[1] ?? '');
  return (
    kernel !== undefined &&
    dimsOf(kernel)
      .slice(2)
      .every((size) => size === 1)
  );
}

function deepestOutput(graph: OnnxGraph): string {
  const depths = graph.outputs.map(({ name }) => ({ name, depth: neededBy(graph, [name]).size }));
  const deepest = depths.sort((a, b) => b.depth - a.depth)[0];
  if (!deepest) throw new AppError('ONNX_FEATURES_UNCLEAR', 'This network has no output.');
  return deepest.name;
}

function unclear(graph: OnnxGraph, output: string, node: GraphNode | undefined): AppError {
  const last = graph.nodes.slice(-6).flatMap(({ outputs }) => outputs);
  return new AppError(
    'ONNX_FEATURES_UNCLEAR',
    `No classifier was recognised before the output "${output}" (found ${node?.op ?? 'an input'}). Name the tensor to cut at with ` +
      `--output; the last ones of this network are ${last.join(', ')}.`,
  );
}

/** Nodes that are needed to compute `tensors`. */
function neededBy(graph: OnnxGraph, tensors: readonly string[]): Set<GraphNode> {
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const needed = new Set<GraphNode>();
  const open = [...tensors];
  for (let tensor = open.pop(); tensor !== undefined; tensor = open.pop()) {
    const node = producers.get(tensor);
    if (!node || needed.has(node)) continue;
    needed.add(node);
    open.push(...node.inputs, ...node.captured);
  }
  return needed;
}

/**
 * The network up to one of its tensors, which becomes its only output; what only later parts need is dropped, the rest stays
 * byte for byte.
 *
 * @throws AppError `ONNX_TENSOR_UNKNOWN`
 */
export function cutOnnx(graph: OnnxGraph, output: string): Buffer {
  if (!graph.producerOf(output)) {
    throw new AppError(
      'ONNX_TENSOR_UNKNOWN',
      `The network has no tensor "${output}" to cut at; its outputs are ${graph.outputs.map(({ name }) => name).join(', ')}.`,
    );
  }
  const needed = neededBy(graph, [output]);
  graph.nodes = graph.nodes.filter((node) => needed.has(node));
  const used = new Set(graph.nodes.flatMap((node) => [...node.inputs, ...node.captured]));
  graph.constants = new Map([...graph.constants].filter(([name]) => used.has(name)));
  graph.inputs = graph.inputs.filter(({ name }) => used.has(name));
  const known = graph.outputs.find(({ name }) => name === output) ?? graph.noted.get(output);
  graph.outputs = [known ?? { name: output, bytes: unshapedValue(output, ELEMENT.float) }];
  return graph.write();
}
