import { OnnxGraph, dimsOf } from '../../common/inference/onnx-graph.ts';
import type { GraphNode } from '../../common/inference/onnx-graph.ts';
import { readFields } from '../../common/inference/wire.ts';

/** Fields of NodeProto and AttributeProto in onnx.proto. */
const NODE_ATTRIBUTE = 5;
const ATTRIBUTE = { name: 1, int: 3, ints: 8 } as const;

/**
 * Average pooling before a 1×1 convolution changes places with it: both are linear and every window's weights sum to 1, so the
 * result is the same, and the pooling has the convolution's few channels to go through. In fp32 that gains little; the 8-bit
 * pooling of ONNX Runtime runs on one thread and takes a sixth of InceptionV3's 8-bit trunk otherwise.
 */
export function poolLast(onnx: Uint8Array): Buffer {
  const graph = new OnnxGraph(onnx);
  for (const [pool, conv] of pairsOf(graph)) {
    const [before, pooled] = [pool.inputs[0] as string, pool.outputs[0] as string];
    const convolved = conv.outputs[0] as string;
    const [input, ...weights] = conv.inputs;
    if (input !== pooled) continue;
    // The names stay with their places: `convolved` is still what comes out of both.
    conv.inputs = [before, ...weights];
    conv.outputs = [pooled];
    pool.inputs = [pooled];
    pool.outputs = [convolved];
    const at = graph.nodes.indexOf(pool);
    graph.nodes.splice(at, 1);
    graph.nodes.splice(graph.nodes.indexOf(conv) + 1, 0, pool);
  }
  return graph.write();
}

function pairsOf(graph: OnnxGraph): [pool: GraphNode, conv: GraphNode][] {
  const readers = new Map<string, GraphNode[]>();
  for (const node of graph.nodes)
    for (const input of [...node.inputs, ...node.captured]) readers.set(input, [...(readers.get(input) ?? []), node]);
  const leaves = new Set(graph.outputs.map(({ name }) => name));
  return graph.nodes.flatMap((pool) => {
    const [pooled = ''] = pool.outputs;
    const [conv, ...others] = readers.get(pooled) ?? [];
    const isPair = conv && others.length === 0 && !leaves.has(pooled) && averages(pool) && isPointwise(conv, graph);
    return isPair ? [[pool, conv]] : [];
  });
}

/** Whether what comes out is a mean of inputs alone: padding that counts as zeros would take from the bias, too. */
function averages(node: GraphNode): boolean {
  if (node.op !== 'AveragePool' || node.domain !== '') return false;
  const { ints, int } = attributesOf(node);
  return (ints.get('pads') ?? []).every((pad) => pad === 0) || (int.get('count_include_pad') ?? 0) === 0;
}

function isPointwise(node: GraphNode, graph: OnnxGraph): boolean {
  const weights = graph.constants.get(node.inputs[1] ?? '');
  if (node.op !== 'Conv' || node.domain !== '' || !weights) return false;
  const [, , height, width] = dimsOf(weights);
  const { ints, int } = attributesOf(node);
  const isEach = (name: string, value: number): boolean => (ints.get(name) ?? []).every((found) => found === value);
  return height === 1 && width === 1 && isEach('strides', 1) && isEach('pads', 0) && (int.get('group') ?? 1) === 1;
}

function attributesOf({ rest }: GraphNode): { ints: Map<string, number[]>; int: Map<string, number> } {
  const found = { ints: new Map<string, number[]>(), int: new Map<string, number>() };
  for (const { number, value } of readFields(rest)) {
    if (number !== NODE_ATTRIBUTE) continue;
    const fields = readFields(value);
    const name = fields.find((field) => field.number === ATTRIBUTE.name)?.value.toString() ?? '';
    const numbers = (which: number): number[] =>
      fields.filter((field) => field.number === which).flatMap(({ packed }) => packed());
    found.ints.set(name, numbers(ATTRIBUTE.ints));
    const [one] = numbers(ATTRIBUTE.int);
    if (one !== undefined) found.int.set(name, one);
  }
  return found;
}
