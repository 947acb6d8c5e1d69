import { ELEMENT, buildOnnx } from '../../../common/inference/onnx-format.ts';
import type { GraphSpec, NodeSpec, ValueSpec } from '../../../common/inference/onnx-format.ts';

type Attributes = NonNullable<NodeSpec['attributes']>;

/** Collects the nodes of one ONNX graph. Values are known by the names that it gives them. */
export class GraphBuilder {
  readonly #nodes: NodeSpec[] = [];
  readonly #inputs: ValueSpec[] = [];
  readonly #outputs: ValueSpec[] = [];
  readonly #constants: GraphSpec['constants'] = {};
  readonly #ints = new Map<string, string>();
  #count = 0;

  /** Adds an operator of one result and returns that result. */
  op(op: string, inputs: string[], attributes: Attributes = {}): string {
    return this.ops(op, inputs, 1, attributes)[0] as string;
  }

  /** Adds an operator of several results. */
  ops(op: string, inputs: string[], results: number, attributes: Attributes = {}): string[] {
    const outputs = Array.from({ length: results }, () => this.#name());
    this.#nodes.push({ op, inputs, outputs, attributes });
    return outputs;
  }

  /** Adds an operator whose result leaves the graph under a name of its own. */
  result(name: string, shape: (number | string)[], op: string, inputs: string[], attributes: Attributes = {}): string {
    this.#nodes.push({ op, inputs, outputs: [name], attributes });
    this.#outputs.push({ name, type: ELEMENT.float, shape });
    return name;
  }

  /** A float input of the graph; a text in `shape` is a free dimension. */
  input(name: string, shape: readonly (number | string)[]): string {
    this.#inputs.push({ name, type: ELEMENT.float, shape: [...shape] });
    return name;
  }

  /** Whole numbers, for shapes, axes and pads. */
  ints(values: readonly number[]): string {
    const key = values.join(',');
    const known = this.#ints.get(key);
    if (known) return known;
    const name = this.#name();
    this.#constants[name] = {
      type: ELEMENT.int64,
      dims: [values.length],
      data: BigInt64Array.from(values, (value) => BigInt(value)),
    };
    this.#ints.set(key, name);
    return name;
  }

  floats(dims: readonly number[], data: Float32Array): string {
    const name = this.#name();
    this.#constants[name] = { type: ELEMENT.float, dims: [...dims], data };
    return name;
  }

  scalar(value: number): string {
    return this.floats([], Float32Array.of(value));
  }

  reshape(value: string, shape: readonly number[]): string {
    return this.op('Reshape', [value, this.ints(shape)]);
  }

  transpose(value: string, perm: number[]): string {
    return this.op('Transpose', [value], { perm });
  }

  /** The sum over the axes, which fall away. */
  sum(value: string, axes: readonly number[]): string {
    return this.op('ReduceSum', [value, this.ints(axes)], { keepdims: 0 });
  }

  build(name: string): Buffer {
    return buildOnnx({
      name,
      inputs: this.#inputs,
      outputs: this.#outputs,
      nodes: this.#nodes,
      constants: this.#constants,
    });
  }

  #name(): string {
    return `v${this.#count++}`;
  }
}
