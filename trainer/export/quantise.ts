import { ELEMENT, encodeAttributes, encodeConstant } from '../../common/inference/onnx-format.ts';
import { OnnxGraph, dimsOf, floatsOf } from '../../common/inference/onnx-graph.ts';
import type { GraphConstant, GraphNode } from '../../common/inference/onnx-graph.ts';
import { AppError } from '../../common/runtime/errors.ts';
import type { Range } from './calibrate.ts';

/**
 * Largest weight after scaling: 7 bits and a sign. The 8-bit kernels of CPUs without VNNI add two products of a byte and a
 * weight in 16 bits, and 2 · 255 · 64 still fits there.
 */
const WEIGHT_LIMIT = 64;
/** QuantizeLinear by channel came with this version of the standard operators. */
const LEAST_OPSET = 13;

/** Operations that ONNX Runtime runs on bytes when their inputs and outputs are quantised. */
const ON_BYTES = new Set(['Conv', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'Concat', 'Add']);
/** These move values without changing them: input and output share one scale. */
const MOVING = new Set(['MaxPool']);

/** Tensors whose ranges `quantise` needs. @throws AppError `QUANTISE_OPSET` */
export function tensorsToCalibrate(onnx: Uint8Array): string[] {
  return [...new Plan(new OnnxGraph(onnx)).quantised];
}

/**
 * Static 8-bit quantisation: activations as unsigned bytes, weights of convolutions as signed bytes of 7 bits by channel,
 * biases as 32-bit integers, all written as pairs of QuantizeLinear and DequantizeLinear, which ONNX Runtime fuses into integer
 * kernels. Input and output stay float32.
 *
 * @param ranges of every tensor that `tensorsToCalibrate` names
 * @throws AppError `QUANTISE_OPSET`, `QUANTISE_RANGE_MISSING`
 */
export function quantise(onnx: Uint8Array, ranges: ReadonlyMap<string, Range>): Buffer {
  const graph = new OnnxGraph(onnx);
  const plan = new Plan(graph);
  return new Quantiser(graph, plan, ranges).write();
}

/** What is quantised and which activations go into the convolution before them. */
class Plan {
  readonly graph: OnnxGraph;
  readonly quantised = new Set<string>();
  /** ReLU or clip → the convolution or pooling whose output saturates for it. */
  readonly absorbed = new Map<GraphNode, GraphNode>();

  constructor(graph: OnnxGraph) {
    this.graph = graph;
    if (graph.opset < LEAST_OPSET) {
      throw new AppError(
        'QUANTISE_OPSET',
        `The network uses version ${graph.opset} of the ONNX operators; quantising needs ${LEAST_OPSET} or later. Export it anew.`,
      );
    }
    const consumers = consumersOf(graph);
    for (const node of graph.nodes) {
      const [before] = node.inputs;
      const producer = before === undefined ? undefined : graph.producerOf(before);
      const isLast = graph.outputs.some(({ name }) => name === before);
      const canSaturate = producer !== undefined && ['Conv', 'AveragePool'].includes(producer.op);
      if (canSaturate && !isLast && consumers.get(before as string) === 1 && this.#saturates(node))
        this.absorbed.set(node, producer);
    }
    for (const node of graph.nodes) {
      if (!this.isOnBytes(node)) continue;
      for (const input of this.activationsOf(node)) this.quantised.add(input);
      for (const output of node.outputs.slice(0, 1)) this.quantised.add(output);
    }
    for (const [activation, before] of this.absorbed) {
      this.quantised.delete(before.outputs[0] as string);
      this.quantised.add(activation.outputs[0] as string);
    }
  }

  isOnBytes(node: GraphNode): boolean {
    if (!ON_BYTES.has(node.op) || node.domain !== '') return false;
    if (node.op === 'Conv') return this.weightOf(node) !== undefined;
    return this.activationsOf(node).length === node.inputs.length;
  }

  weightOf({ inputs }: GraphNode): Float32Array | undefined {
    const constant = this.graph.constants.get(inputs[1] ?? '');
    return constant && floatsOf(constant);
  }

  activationsOf({ inputs }: GraphNode): string[] {
    return inputs.filter((input) => input !== '' && !this.graph.constants.has(input));
  }

  /** ReLU, or a clip from 0: what its output's range cuts off is what it cuts off. */
  #saturates({ op, inputs }: GraphNode): boolean {
    if (op === 'Relu') return true;
    const low = this.graph.constants.get(inputs[1] ?? '');
    return op === 'Clip' && low !== undefined && floatsOf(low)?.[0] === 0;
  }
}

function consumersOf(graph: OnnxGraph): Map<string, number> {
  const counts = new Map<string, number>();
  for (const node of graph.nodes)
    for (const input of [...node.inputs, ...node.captured]) counts.set(input, (counts.get(input) ?? 0) + 1);
  return counts;
}

class Quantiser {
  readonly #graph: OnnxGraph;
  readonly #plan: Plan;
  readonly #ranges: ReadonlyMap<string, Range>;
  readonly #nodes: GraphNode[] = [];
  readonly #scales = new Map<string, number>();
  /** Tensors that graphs inside of nodes read by name. */
  readonly #captured: ReadonlySet<string>;

  constructor(graph: OnnxGraph, plan: Plan, ranges: ReadonlyMap<string, Range>) {
    this.#graph = graph;
    this.#plan = plan;
    this.#ranges = ranges;
    this.#captured = new Set(graph.nodes.flatMap(({ captured }) => captured));
  }

  write(): Buffer {
    const inputs = this.#graph.inputs.map(({ name }) => name).filter((name) => this.#plan.quantised.has(name));
    for (const input of inputs) this.#pair(input, input, input);
    for (const node of this.#graph.nodes) this.#rewrite(node);
    const used = new Set(this.#nodes.flatMap((node) => [...node.inputs, ...node.captured]));
    this.#graph.nodes = this.#nodes;
    this.#graph.constants = new Map([...this.#graph.constants].filter(([name]) => used.has(name)));
    return this.#graph.write();
  }

  #rewrite(node: GraphNode): void {
    // What comes before it gives its output already.
    if (this.#plan.absorbed.has(node)) return;
    const onBytes = this.#plan.isOnBytes(node);
    const inputs = node.inputs.map((input) => (this.#scales.has(input) ? dequantised(input) : input));
    if (onBytes && node.op === 'Conv') this.#quantiseConv(node, inputs);
    const activation = [...this.#plan.absorbed].find(([, before]) => before === node)?.[0];
    const outputs = [activation?.outputs[0] ?? (node.outputs[0] as string), ...node.outputs.slice(1)];
    const [output = ''] = outputs;
    if (!this.#plan.quantised.has(output)) return void this.#nodes.push({ ...node, inputs, outputs });
    const keepsName = this.#graph.outputs.some(({ name }) => name === output) || this.#captured.has(output);
    const raw = `${output}/float`;
    this.#nodes.push({ ...node, inputs, outputs: [raw, ...outputs.slice(1)] });
    this.#pair(raw, output, MOVING.has(node.op) ? (node.inputs[0] as string) : output);
    if (keepsName) this.#nodes.push(plainNode('Identity', [dequantised(output)], output));
  }

  /** QuantizeLinear and DequantizeLinear behind the tensor `raw`, with the range of `like`. */
  #pair(raw: string, tensor: string, like: string): void {
    const { scale, zero } = this.#scaleOf(like);
    this.#scales.set(tensor, scale);
    const names = [`${tensor}/scale`, `${tensor}/zero`] as const;
    this.#constant(names[0], ELEMENT.float, [], Float32Array.of(scale));
    this.#constant(names[1], ELEMENT.uint8, [], Uint8Array.of(zero));
    this.#nodes.push(plainNode('QuantizeLinear', [raw, ...names], `${tensor}/bytes`));
    this.#nodes.push(plainNode('DequantizeLinear', [`${tensor}/bytes`, ...names], dequantised(tensor)));
  }

  #scaleOf(tensor: string): { scale: number; zero: number } {
    const producer = this.#graph.producerOf(tensor);
    if (producer && MOVING.has(producer.op)) return this.#scaleOf(producer.inputs[0] as string);
    const range = this.#ranges.get(tensor);
    if (!range) throw new AppError('QUANTISE_RANGE_MISSING', `There is no calibrated range of the tensor ${tensor}.`);
    // 0 must be exact: it is the padding.
    const [least, most] = [Math.min(0, range.least), Math.max(0, range.most)];
    const scale = Math.fround((most - least) / 255) || 1;
    return { scale, zero: Math.round(-least / scale) };
  }

  /** Weights and bias become constants of few bits; replaces their names in `inputs`. */
  #quantiseConv(node: GraphNode, inputs: string[]): void {
    const [input = '', weightName = ''] = node.inputs;
    const dims = dimsOf(this.#graph.constants.get(weightName) as GraphConstant);
    const channels = dims[0] as number;
    const weights = this.#plan.weightOf(node) as Float32Array;
    const biasConstant = this.#graph.constants.get(node.inputs[2] ?? '');
    const bias = Float32Array.from((biasConstant && floatsOf(biasConstant)) ?? new Float32Array(channels));
    const inputScale = this.#scales.get(input) as number;
    const { values, scales } = quantiseWeights(weights, channels, inputScale, bias);
    correctBias(bias, weights, { values, scales }, dims, this.#ranges.get(input)?.means ?? []);
    const name = `${node.outputs[0]}/int8`;
    this.#constant(`${name}/weight/values`, ELEMENT.int8, dims, values);
    this.#constant(`${name}/weight/zero`, ELEMENT.int8, [channels], new Int8Array(channels));
    this.#byChannel(`${name}/weight`, scales);
    const biasScales = scales.map((scale) => scale * inputScale);
    const steps = Int32Array.from(bias, (value, channel) => Math.round(value / (biasScales[channel] as number)));
    this.#constant(`${name}/bias/values`, ELEMENT.int32, [channels], steps);
    this.#constant(`${name}/bias/zero`, ELEMENT.int32, [channels], new Int32Array(channels));
    this.#byChannel(`${name}/bias`, biasScales);
    inputs.splice(1, 2, `${name}/weight`, `${name}/bias`);
  }

  #byChannel(name: string, scales: Float32Array): void {
    this.#constant(`${name}/scale`, ELEMENT.float, [scales.length], scales);
    const parts = [`${name}/values`, `${name}/scale`, `${name}/zero`];
    this.#nodes.push(plainNode('DequantizeLinear', parts, name, encodeAttributes({ axis: 0 })));
  }

  #constant(name: string, type: number, dims: readonly number[], data: NodeJS.ArrayBufferView): void {
    this.#graph.constants.set(name, { name, bytes: encodeConstant(name, { type, dims, data }) });
  }
}

/** A weight w is `scales[channel] · value`, value in −64…64. */
export function quantiseWeights(
  weights: Float32Array,
  channels: number,
  inputScale: number,
  bias?: Float32Array,
): { values: Int8Array; scales: Float32Array } {
  const size = weights.length / channels;
  const values = new Int8Array(weights.length);
  const scales = new Float32Array(channels);
  for (let channel = 0; channel < channels; channel++) {
    const own = weights.subarray(channel * size, (channel + 1) * size);
    const largest = own.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
    // Where a channel is all but dead its bias would overflow 32 bits: a coarser scale costs nothing there.
    const least = Math.abs(bias?.[channel] ?? 0) / (inputScale * 2 ** 30);
    const scale = Math.fround(Math.max(largest / WEIGHT_LIMIT, least)) || 1;
    scales[channel] = scale;
    own.forEach((weight, i) => (values[channel * size + i] = Math.round(weight / scale)));
  }
  return { values, scales };
}

/**
 * Rounded weights shift the mean of a convolution's output, and shifts add up over the layers: with means of the inputs from
 * calibration the bias takes them back. On InceptionV3 behind mixed8 that leaves a third of the error of 7-bit weights.
 *
 * @param bias is changed
 * @param means of the input's channels; nothing is done where they are unknown
 */
export function correctBias(
  bias: Float32Array,
  weights: Float32Array,
  { values, scales }: { values: Int8Array; scales: Float32Array },
  dims: readonly number[],
  means: readonly number[],
): void {
  const [filters = 0, perGroup = 0, height = 1, width = 1] = dims;
  if (means.length === 0 || means.length % perGroup !== 0) return;
  const area = height * width;
  const filtersOfGroup = filters / (means.length / perGroup);
  for (let filter = 0; filter < filters; filter++) {
    const first = Math.floor(filter / filtersOfGroup) * perGroup;
    let shift = 0;
    for (let i = 0; i < perGroup * area; i++) {
      const at = filter * perGroup * area + i;
      const lost = (weights[at] as number) - (values[at] as number) * (scales[filter] as number);
      shift += lost * (means[first + Math.floor(i / area)] as number);
    }
    bias[filter] = (bias[filter] as number) + shift;
  }
}

const dequantised = (tensor: string): string => `${tensor}/dequantised`;

const plainNode = (op: string, inputs: string[], output: string, rest: Buffer = Buffer.alloc(0)): GraphNode => ({
  op,
  domain: '',
  name: `${output}/${op}`,
  inputs,
  outputs: [output],
  captured: [],
  rest,
});
