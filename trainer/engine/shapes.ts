import { AppError, unhandled } from '../../common/runtime/errors.ts';
import type { ConvLayer, Layer, Network, Parameters, PoolLayer, TensorValue } from './network.ts';

/** Of one image: [channels, height, width] or [features]. */
export type Shape = readonly number[];

/** One parameter or constant of a network, in the order of its layers. */
export interface ParameterSpec {
  name: string;
  dims: readonly number[];
  /** A constant never trains: mean and variance of a frozen norm. */
  constant: boolean;
  /** How it starts. */
  role: 'conv-kernel' | 'dense-kernel' | 'bias' | 'beta' | 'mean' | 'variance';
  /** Of dense kernels: a ReLU follows. */
  beforeRelu: boolean;
}

/** One axis of a sliding window; padding is split as TensorFlow does, the odd element at the end. */
export interface Window {
  out: number;
  before: number;
  after: number;
}

export function windowOf(size: number, kernel: number, stride: number, padding: 'same' | 'valid'): Window {
  if (padding === 'valid') return { out: Math.floor((size - kernel) / stride) + 1, before: 0, after: 0 };
  const out = Math.ceil(size / stride);
  const total = Math.max(0, (out - 1) * stride + kernel - size);
  const before = Math.floor(total / 2);
  return { out, before, after: total - before };
}

/** @throws AppError `NETWORK_INVALID` naming the layer and the shape that it cannot take */
export function outputShape(layer: Layer, input: Shape): Shape {
  switch (layer.kind) {
    case 'conv':
      return convShape(layer, input);
    case 'max-pool':
    case 'average-pool':
      return poolShape(layer, input);
    case 'frozen-norm':
      requirePositive(layer, 'epsilon', layer.epsilon);
      return requireMap(layer, input);
    case 'relu':
      return input;
    case 'global-average-pool':
      return [requireMap(layer, input)[0]];
    case 'dense':
      requireWhole(layer, 'units', layer.units);
      if (input.length !== 1) refuse(layer, `needs [features] and gets ${text(input)}; pool globally before it`);
      return [layer.units];
    case 'concat':
      return concatShape(layer, input);
    default:
      return unhandled(layer);
  }
}

/** Shape after the whole list. */
export function shapeAfter(layers: readonly Layer[], input: Shape): Shape {
  return layers.reduce<Shape>((shape, layer) => outputShape(layer, shape), input);
}

/**
 * Every parameter and constant, in the order of the layers.
 *
 * @throws AppError `NETWORK_INVALID` where shapes do not fit, a name is used twice or the end is not one logit a class
 */
export function parameterSpecs(network: Network): ParameterSpec[] {
  const specs: ParameterSpec[] = [];
  const end = collect(network.layers, network.input, specs);
  if (network.layers.at(-1)?.kind !== 'dense' || end[0] !== network.classes) {
    throw invalid(`"${network.name}" must end in a dense layer of ${network.classes} units, one a class.`);
  }
  const names = new Set<string>();
  for (const { name } of specs) {
    if (names.has(name)) throw invalid(`Two layers own the parameter "${name}"; give each layer a name of its own.`);
    names.add(name);
  }
  return specs;
}

/** Parameters that one layer owns, without those of layers inside it. */
export function ownParameters(layer: Layer, input: Shape, next?: Layer): ParameterSpec[] {
  const spec = (own: string, dims: number[], role: ParameterSpec['role']): ParameterSpec => ({
    name: `${'name' in layer ? layer.name : ''}/${own}`,
    dims,
    role,
    constant: role === 'mean' || role === 'variance',
    beforeRelu: next?.kind === 'relu',
  });
  const channels = input[0] as number;
  if (layer.kind === 'conv') {
    const kernel = spec('kernel', [layer.filters, channels, ...layer.kernel], 'conv-kernel');
    return layer.bias ? [kernel, spec('bias', [layer.filters], 'bias')] : [kernel];
  }
  if (layer.kind === 'frozen-norm')
    return (['beta', 'mean', 'variance'] as const).map((role) => spec(role, [channels], role));
  if (layer.kind === 'dense') {
    return [spec('kernel', [channels, layer.units], 'dense-kernel'), spec('bias', [layer.units], 'bias')];
  }
  return [];
}

/**
 * Names of the parameters that train. An entry of `frozen` is a parameter's name or a path above it: `conv1` freezes
 * `conv1/kernel` and `conv1/bias`, not `conv10/kernel`.
 *
 * @throws AppError `NETWORK_INVALID` where an entry freezes nothing or nothing is left to train
 */
export function trainableNames(network: Network, frozen: readonly string[] = []): Set<string> {
  const parameters = parameterSpecs(network).filter(({ constant }) => !constant);
  const covers = (entry: string, name: string) => name === entry || name.startsWith(`${entry}/`);
  for (const entry of frozen) {
    if (parameters.some(({ name }) => covers(entry, name))) continue;
    throw invalid(`"${entry}" freezes nothing in "${network.name}"; name a parameter or a layer.`);
  }
  const names = parameters.map(({ name }) => name).filter((name) => !frozen.some((entry) => covers(entry, name)));
  if (names.length === 0) throw invalid(`Every parameter of "${network.name}" is frozen; leave one to train.`);
  return new Set(names);
}

/**
 * Every parameter is there with its dimensions and nothing else is; momenta, where given, belong to parameters.
 *
 * @throws AppError `PARAMETERS_INVALID` naming the first one that does not fit
 */
export function checkParameters(network: Network, parameters: Parameters, momenta: Parameters = new Map()): void {
  const dims = new Map(parameterSpecs(network).map((spec) => [spec.name, spec.dims]));
  for (const [name, expected] of dims) requireDims(network, name, parameters.get(name), expected);
  for (const name of parameters.keys()) {
    if (!dims.has(name)) throw new AppError('PARAMETERS_INVALID', `"${network.name}" has no parameter "${name}".`);
  }
  for (const [name, momentum] of momenta) requireDims(network, `momentum of ${name}`, momentum, dims.get(name));
}

function requireDims(
  network: Network,
  name: string,
  given: TensorValue | undefined,
  expected: readonly number[] = [],
): void {
  const size = expected.reduce((product, dim) => product * dim, 1);
  if (given && text(given.dims) === text(expected) && given.data.length === size) return;
  const found = given ? `${text(given.dims)} with ${given.data.length} numbers` : 'nothing';
  throw new AppError('PARAMETERS_INVALID', `"${network.name}" needs "${name}" as ${text(expected)} and gets ${found}.`);
}

function collect(layers: readonly Layer[], input: Shape, into: ParameterSpec[]): Shape {
  let shape = input;
  layers.forEach((layer, i) => {
    const next = outputShape(layer, shape);
    if (layer.kind === 'concat') for (const branch of layer.branches) collect(branch, shape, into);
    else into.push(...ownParameters(layer, shape, layers[i + 1]));
    shape = next;
  });
  return shape;
}

function convShape(layer: ConvLayer, input: Shape): Shape {
  requireWhole(layer, 'filters', layer.filters);
  return [layer.filters, ...slide(layer, input, layer.kernel, layer.stride)];
}

function poolShape(layer: PoolLayer, input: Shape): Shape {
  return [input[0] as number, ...slide(layer, input, [layer.size, layer.size], layer.stride)];
}

function slide(layer: ConvLayer | PoolLayer, input: Shape, kernel: readonly number[], stride: number): number[] {
  const [, ...plane] = requireMap(layer, input);
  requireWhole(layer, 'stride', stride);
  return plane.map((size, axis) => {
    const extent = kernel[axis] as number;
    requireWhole(layer, 'kernel', extent);
    const { out } = windowOf(size, extent, stride, layer.padding);
    if (out < 1) refuse(layer, `of ${text(kernel)} does not fit into ${text(input)}`);
    return out;
  });
}

function concatShape(layer: Extract<Layer, { kind: 'concat' }>, input: Shape): Shape {
  requireMap(layer, input);
  if (layer.branches.length === 0) refuse(layer, 'has no branches');
  const shapes = layer.branches.map((branch) => shapeAfter(branch, input));
  const [first] = shapes as [Shape];
  const plane = (shape: Shape) => text(shape.slice(1));
  const odd = shapes.findIndex((shape) => shape.length !== 3 || plane(shape) !== plane(first));
  if (odd >= 0) refuse(layer, `joins ${text(first)} with ${text(shapes[odd] as Shape)}; only channels may differ`);
  return [shapes.reduce((sum, shape) => sum + (shape[0] as number), 0), ...first.slice(1)];
}

function requireMap(layer: Layer, input: Shape): [number, number, number] {
  if (input.length !== 3) refuse(layer, `needs [channels, height, width] and gets ${text(input)}`);
  return input as unknown as [number, number, number];
}

function requireWhole(layer: Layer, what: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) refuse(layer, `has ${what} ${value}; it must be a whole number above 0`);
}

function requirePositive(layer: Layer, what: string, value: number): void {
  if (!(value > 0)) refuse(layer, `has ${what} ${value}; it must be above 0`);
}

function refuse(layer: Layer, why: string): never {
  throw invalid(`Layer ${layer.kind}${'name' in layer ? ` "${layer.name}"` : ''} ${why}.`);
}

function invalid(message: string): AppError {
  return new AppError('NETWORK_INVALID', message);
}

function text(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}
