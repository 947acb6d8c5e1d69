import protobuf from 'protobufjs';

/**
 * The part of onnx.proto (IR version 10) that building and reading small graphs needs. Fields that are not named here are
 * skipped when reading; a network that is only passed on is never written again.
 */
const schema = protobuf.parse(
  `
syntax = "proto3";
message Dim { int64 dim_value = 1; string dim_param = 2; }
message Shape { repeated Dim dim = 1; }
message TensorType { int32 elem_type = 1; Shape shape = 2; }
message TypeProto { TensorType tensor_type = 1; }
message ValueInfo { string name = 1; TypeProto type = 2; }
message Tensor { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
message Attribute {
  string name = 1; float f = 2; int64 i = 3; bytes s = 4; Tensor t = 5; repeated float floats = 7; repeated int64 ints = 8; int32 type = 20;
}
message Node { repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4; repeated Attribute attribute = 5; string domain = 7; }
message Graph { repeated Node node = 1; string name = 2; repeated Tensor initializer = 5; repeated ValueInfo input = 11; repeated ValueInfo output = 12; }
message Opset { string domain = 1; int64 version = 2; }
message Property { string key = 1; string value = 2; }
message Model { int64 ir_version = 1; repeated Opset opset_import = 8; string producer_name = 2; Graph graph = 7; repeated Property metadata_props = 14; }
`,
  { keepCase: true },
).root;

const Model = schema.lookupType('Model');

/** Element types of onnx.proto's TensorProto.DataType. */
export const ELEMENT = { float: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const;

export interface NodeSpec {
  op: string;
  inputs: string[];
  outputs: string[];
  attributes?: Record<string, number | string | number[]>;
}

export interface ValueSpec {
  name: string;
  type: number;
  /** A number is a fixed dimension, a text the name of a free one. */
  shape: (number | string)[];
}

export interface GraphSpec {
  name: string;
  inputs: ValueSpec[];
  outputs: ValueSpec[];
  nodes: NodeSpec[];
  constants: Record<string, { type: number; dims: number[]; data: Float32Array | BigInt64Array }>;
}

const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, ints: 7 } as const;

function attributeOf([name, value]: [string, number | string | number[]]): Record<string, unknown> {
  if (Array.isArray(value)) return { name, ints: value, type: ATTRIBUTE_TYPE.ints };
  if (typeof value === 'string') return { name, s: Buffer.from(value), type: ATTRIBUTE_TYPE.string };
  return Number.isInteger(value)
    ? { name, i: value, type: ATTRIBUTE_TYPE.int }
    : { name, f: value, type: ATTRIBUTE_TYPE.float };
}

function valueOf({ name, type, shape }: ValueSpec): Record<string, unknown> {
  const dim = shape.map((size) => (typeof size === 'number' ? { dim_value: size } : { dim_param: size }));
  return { name, type: { tensor_type: { elem_type: type, shape: { dim } } } };
}

/** Bytes of an ONNX model of standard operators, opset 18. */
export function buildOnnx(graph: GraphSpec): Buffer {
  const message = Model.fromObject({
    ir_version: 9,
    producer_name: 'camfleet',
    opset_import: [{ domain: '', version: 18 }],
    graph: {
      name: graph.name,
      input: graph.inputs.map(valueOf),
      output: graph.outputs.map(valueOf),
      initializer: Object.entries(graph.constants).map(([name, { type, dims, data }]) => ({
        name,
        dims,
        data_type: type,
        raw_data: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
      })),
      node: graph.nodes.map(({ op, inputs, outputs, attributes }) => ({
        op_type: op,
        name: outputs[0],
        input: inputs,
        output: outputs,
        attribute: Object.entries(attributes ?? {}).map(attributeOf),
      })),
    },
  });
  return Buffer.from(Model.encode(message).finish());
}

/** A constant as it stands in a graph. */
export function encodeConstant(
  name: string,
  { type, dims, data }: { type: number; dims: readonly number[]; data: NodeJS.ArrayBufferView },
): Buffer {
  const raw_data = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return encode('Tensor', { name, dims, data_type: type, raw_data });
}

/** The attributes of a node, as they stand in it. */
export const encodeAttributes = (attributes: NonNullable<NodeSpec['attributes']>): Buffer =>
  encode('Node', { attribute: Object.entries(attributes).map(attributeOf) });

function encode(type: string, fields: Record<string, unknown>): Buffer {
  const message = schema.lookupType(type);
  return Buffer.from(message.encode(message.fromObject(fields)).finish());
}

/** A ValueInfo of a type without a shape, which ONNX Runtime infers. */
export function unshapedValue(name: string, type: number): Buffer {
  return encode('ValueInfo', { name, type: { tensor_type: { elem_type: type } } });
}

/** Key-value metadata that an exporter left in a model, e.g. its preprocessing. */
export function readOnnxMetadata(bytes: Uint8Array): Record<string, string> {
  const model = Model.decode(bytes) as unknown as { metadata_props: { key: string; value: string }[] };
  return Object.fromEntries(model.metadata_props.map(({ key, value }) => [key, value]));
}
