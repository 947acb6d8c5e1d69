import protobuf from 'protobufjs';
import { AppError, messageOf } from '../runtime/errors.ts';
import { readFields, varintOf, writeField, writeText } from './wire.ts';
import type { WireField } from './wire.ts';

/** One operation. `rest` holds its attributes and everything else as they were in the file. */
export interface GraphNode {
  op: string;
  domain: string;
  name: string;
  inputs: string[];
  outputs: string[];
  /** Tensors from outside that graphs in its attributes (If, Loop) use. */
  captured: readonly string[];
  rest: Buffer;
}

/** A constant of the graph, as it was in the file. */
export interface GraphConstant {
  name: string;
  bytes: Buffer;
}

/** An input, an output or a noted intermediate value, as it was in the file. */
export interface GraphValue {
  name: string;
  bytes: Buffer;
}

// Numbers of fields in onnx.proto.
const MODEL = { graph: 7, opset: 8, functions: 25 } as const;
const GRAPH = { node: 1, constant: 5, input: 11, output: 12, noted: 13 } as const;
const NODE = { input: 1, output: 2, name: 3, op: 4, attribute: 5, domain: 7 } as const;
const ATTRIBUTE = { graph: 6, graphs: 11 } as const;
const VALUE_NAME = 1;
const TENSOR = { dims: 1, type: 2, floats: 4, name: 8, raw: 9, location: 14 } as const;

/**
 * An ONNX network opened for changes. Nodes, constants, inputs and outputs can be rearranged; every byte that is not understood
 * here (attributes, metadata, functions, training info) is written again as it was read.
 */
export class OnnxGraph {
  nodes: GraphNode[];
  constants: Map<string, GraphConstant>;
  inputs: GraphValue[];
  outputs: GraphValue[];
  /** Intermediate values whose type and shape the exporter noted. */
  readonly noted: ReadonlyMap<string, GraphValue>;
  readonly #model: WireField[];
  readonly #rest: WireField[];

  /** @throws AppError `ONNX_UNREADABLE` */
  constructor(bytes: Uint8Array) {
    try {
      this.#model = readFields(bytes);
      const graph = this.#model.find(({ number }) => number === MODEL.graph);
      if (!graph) throw new Error('it has no graph');
      const fields = readFields(graph.value);
      const of = (number: number) => fields.filter((field) => field.number === number).map(({ value }) => value);
      this.nodes = of(GRAPH.node).map(nodeOf);
      this.constants = new Map(of(GRAPH.constant).map((value) => [nameOf(value, TENSOR.name), constantOf(value)]));
      this.inputs = of(GRAPH.input).map(valueOf);
      this.outputs = of(GRAPH.output).map(valueOf);
      this.noted = new Map(of(GRAPH.noted).map((value) => [nameOf(value, 1), valueOf(value)]));
      const understood: readonly number[] = [GRAPH.node, GRAPH.constant, GRAPH.input, GRAPH.output];
      this.#rest = fields.filter(({ number }) => !understood.includes(number));
    } catch (error) {
      throw new AppError('ONNX_UNREADABLE', `This is no ONNX network: ${messageOf(error)}.`, { cause: error });
    }
  }

  /** Version of the standard operators; 0 where the file names none. */
  get opset(): number {
    for (const { number, value } of this.#model) {
      if (number !== MODEL.opset) continue;
      const fields = readFields(value);
      if ((fields.find((field) => field.number === 1)?.value.toString() ?? '') === '')
        return varintOf(fields.find((field) => field.number === 2));
    }
    return 0;
  }

  /** The node that makes a tensor; nothing for inputs and constants. */
  producerOf(tensor: string): GraphNode | undefined {
    return this.nodes.find(({ outputs }) => outputs.includes(tensor));
  }

  write(): Buffer {
    const graph = new protobuf.Writer();
    for (const node of this.nodes) writeField(graph, GRAPH.node, nodeBytes(node));
    for (const { bytes } of this.constants.values()) writeField(graph, GRAPH.constant, bytes);
    for (const { bytes } of this.inputs) writeField(graph, GRAPH.input, bytes);
    for (const { bytes } of this.outputs) writeField(graph, GRAPH.output, bytes);
    const rest = Buffer.concat(this.#rest.map(({ whole }) => whole));
    const model = new protobuf.Writer();
    writeField(model, MODEL.graph, Buffer.concat([graph.finish(), rest]));
    const others = this.#model.filter(({ number }) => number !== MODEL.graph).map(({ whole }) => whole);
    return Buffer.concat([...others, model.finish()]);
  }
}

function nodeOf(bytes: Buffer): GraphNode {
  const fields = readFields(bytes);
  const texts = (number: number) =>
    fields.filter((field) => field.number === number).map(({ value }) => value.toString());
  const own: readonly number[] = [NODE.input, NODE.output, NODE.name, NODE.op];
  return {
    op: texts(NODE.op)[0] ?? '',
    domain: texts(NODE.domain)[0] ?? '',
    name: texts(NODE.name)[0] ?? '',
    inputs: texts(NODE.input),
    outputs: texts(NODE.output),
    captured: fields.filter(({ number }) => number === NODE.attribute).flatMap(({ value }) => capturedBy(value)),
    rest: Buffer.concat(fields.filter(({ number }) => !own.includes(number)).map(({ whole }) => whole)),
  };
}

/** Every tensor that a graph inside an attribute reads; names of its own among them do no harm. */
function capturedBy(attribute: Buffer): string[] {
  const graphs = readFields(attribute).filter(
    ({ number }) => number === ATTRIBUTE.graph || number === ATTRIBUTE.graphs,
  );
  return graphs.flatMap(({ value }) =>
    readFields(value).flatMap(({ number, value: part }) => {
      if (number === GRAPH.output) return [nameOf(part, 1)];
      if (number !== GRAPH.node) return [];
      const node = nodeOf(part);
      return [...node.inputs, ...node.captured];
    }),
  );
}

function nodeBytes({ op, name, inputs, outputs, rest }: GraphNode): Buffer {
  const writer = new protobuf.Writer();
  for (const input of inputs) writeText(writer, NODE.input, input);
  for (const output of outputs) writeText(writer, NODE.output, output);
  if (name !== '') writeText(writer, NODE.name, name);
  writeText(writer, NODE.op, op);
  return Buffer.concat([writer.finish(), rest]);
}

const nameOf = (bytes: Buffer, number: number): string =>
  readFields(bytes)
    .find((field) => field.number === number)
    ?.value.toString() ?? '';

const valueOf = (bytes: Buffer): GraphValue => ({ name: nameOf(bytes, 1), bytes });

function constantOf(bytes: Buffer): GraphConstant {
  const fields = readFields(bytes);
  if (varintOf(fields.find(({ number }) => number === TENSOR.location)) === 1) {
    throw new Error('its weights lie in another file; save it as one file (onnx.save without external data)');
  }
  return { name: nameOf(bytes, TENSOR.name), bytes };
}

/** The same constant under another name. */
export const renameConstant = (constant: GraphConstant, name: string): GraphConstant => ({
  name,
  bytes: withText(constant.bytes, TENSOR.name, name),
});

/** The same input or output under another name. */
export const renameValue = (value: GraphValue, name: string): GraphValue => ({
  name,
  bytes: withText(value.bytes, VALUE_NAME, name),
});

function withText(bytes: Buffer, number: number, text: string): Buffer {
  const others = readFields(bytes).filter((field) => field.number !== number);
  const writer = new protobuf.Writer();
  writeText(writer, number, text);
  return Buffer.concat([...others.map(({ whole }) => whole), writer.finish()]);
}

/** Dimensions of a constant. */
export function dimsOf({ bytes }: GraphConstant): number[] {
  return readFields(bytes)
    .filter(({ number }) => number === TENSOR.dims)
    .flatMap(({ packed }) => packed());
}

/** Values of a float constant; nothing where it holds other things. */
export function floatsOf({ bytes }: GraphConstant): Float32Array | undefined {
  const fields = readFields(bytes);
  if (varintOf(fields.find(({ number }) => number === TENSOR.type)) !== 1) return undefined;
  const raw = fields.find(({ number }) => number === TENSOR.raw)?.value;
  const listed = fields.filter(({ number }) => number === TENSOR.floats).map(({ value }) => value);
  // Copied: floats must begin at a multiple of 4.
  const data = Uint8Array.from(raw ?? Buffer.concat(listed));
  return new Float32Array(data.buffer);
}
