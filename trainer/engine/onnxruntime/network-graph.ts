import { AppError } from '../../../common/runtime/errors.ts';
import type { Network, Parameters, TensorValue } from '../network.ts';
import { checkParameters } from '../shapes.ts';
import { GraphBuilder } from './graph-builder.ts';
import { traceLayers } from './layers.ts';
import type { Gradient, Tape, Traced } from './tape.ts';

/** Names of a network's inputs and outputs; parameters go in under their own names. */
export const PORT = {
  features: 'features',
  scores: 'scores',
  /** 1 at the class of each image, [N, classes]. */
  targets: 'targets',
  /** Weight of each image divided by n, [N, 1]. */
  weights: 'weights',
  logPriors: 'log-priors',
  learningRate: 'learning-rate',
  momentum: 'momentum',
  clipNorm: 'clip-norm',
  loss: 'loss',
  gradientNorm: 'gradient-norm',
} as const;

export interface OpenNetwork {
  tape: Tape;
  traced: Traced;
}

/** Writes a network with `trainable` parameters as inputs of the graph and all others as constants in it. */
export function openNetwork(network: Network, parameters: Parameters, trainable: ReadonlySet<string>): OpenNetwork {
  checkParameters(network, parameters);
  const graph = new GraphBuilder();
  const features = graph.input(PORT.features, ['N', ...network.input]);
  const written = new Map<string, string>();
  for (const [name, { dims }] of parameters) if (trainable.has(name)) written.set(name, graph.input(name, dims));
  const fixed = (name: string) => parameters.get(name) as TensorValue;
  const tape: Tape = {
    graph,
    parameter: (name) => {
      const known = written.get(name) ?? graph.floats(fixed(name).dims, fixed(name).data);
      written.set(name, known);
      return known;
    },
    constant: (name) => (trainable.has(name) ? undefined : fixed(name)),
    trains: (name) => trainable.has(name),
    gradients: new Map(),
  };
  return { tape, traced: traceLayers(tape, network.layers, { name: features, shape: network.input }, false) };
}

/**
 * The network as an inference graph: `features` [N, …] → `scores` [N, classes]. With all parameters inside, it is the head of
 * an artifact.
 *
 * @param softmax probabilities, else logits
 * @param open parameters that stay inputs of the graph; default none
 * @throws AppError `NETWORK_INVALID`, `PARAMETERS_INVALID`
 */
export function buildForward(
  network: Network,
  parameters: Parameters,
  { softmax, open = new Set() }: { softmax: boolean; open?: ReadonlySet<string> },
): Buffer {
  const { tape, traced } = openNetwork(network, parameters, open);
  const shape = ['N', network.classes];
  const logits = traced.output.name;
  if (softmax) tape.graph.result(PORT.scores, shape, 'Softmax', [logits], { axis: -1 });
  else tape.graph.result(PORT.scores, shape, 'Identity', [logits]);
  return tape.graph.build(network.name);
}

/**
 * One training step as one graph of standard operators: forward, loss, backward, clipping and momentum. Parameters and momenta
 * go in under their names and come out under {@link nextName}.
 */
export function buildStep(network: Network, parameters: Parameters, trainable: ReadonlySet<string>): Buffer {
  const { tape, traced } = openNetwork(network, parameters, trainable);
  if (!traced.backward) throw new AppError('NETWORK_INVALID', `Nothing in "${network.name}" is left to train.`);
  traced.backward(writeLoss(tape.graph, traced.output.name, network.classes));
  writeUpdate(tape, parameters);
  return tape.graph.build(`${network.name}-step`);
}

/** Output of a step that replaces the input of that name. */
export function nextName(name: string): string {
  return `next/${name}`;
}

export function momentumName(name: string): string {
  return `momentum/${name}`;
}

/** @returns the gradient of the loss by the logits, (softmax − target) · weight */
function writeLoss(graph: GraphBuilder, logits: string, classes: number): string {
  const targets = graph.input(PORT.targets, ['N', classes]);
  const weights = graph.input(PORT.weights, ['N', 1]);
  const logPriors = graph.input(PORT.logPriors, [classes]);
  const logScores = graph.op('LogSoftmax', [graph.op('Add', [logits, logPriors])], { axis: -1 });
  const weighted = graph.op('Mul', [graph.op('Mul', [logScores, targets]), weights]);
  graph.result(PORT.loss, [], 'Neg', [graph.sum(weighted, [0, 1])]);
  return graph.op('Mul', [graph.op('Sub', [graph.op('Exp', [logScores]), targets]), weights]);
}

/** Clips by the norm over all gradients, then v ← μ·v − lr·g and p ← p + v. */
function writeUpdate({ graph, gradients }: Tape, parameters: Parameters): void {
  const rate = graph.input(PORT.learningRate, []);
  const momentum = graph.input(PORT.momentum, []);
  const clip = graph.input(PORT.clipNorm, []);
  const squares = [...gradients.values()].map((gradient) => squareSum(graph, gradient));
  const norm = graph.result(PORT.gradientNorm, [], 'Sqrt', [graph.op('Sum', squares)]);
  // clip / 0 is infinite, so a gradient of 0 is scaled by 1 as well.
  const scale = graph.op('Min', [graph.op('Div', [clip, norm]), graph.scalar(1)]);
  const pace = graph.op('Mul', [scale, rate]);
  for (const [name, { value, filterScale }] of gradients) {
    const { dims } = parameters.get(name) as TensorValue;
    const column = filterScale && graph.floats([filterScale.length, ...dims.slice(1).map(() => 1)], filterScale);
    const factor = column ? graph.op('Mul', [column, pace]) : pace;
    const kept = graph.op('Mul', [graph.input(momentumName(name), dims), momentum]);
    const next = graph.op('Mul', [value, factor]);
    const velocity = graph.result(nextName(momentumName(name)), [...dims], 'Sub', [kept, next]);
    graph.result(nextName(name), [...dims], 'Add', [name, velocity]);
  }
}

function squareSum(graph: GraphBuilder, { value, filterScale }: Gradient): string {
  if (!filterScale) return graph.op('ReduceSumSquare', [value], { keepdims: 0 });
  const flat = graph.reshape(value, [filterScale.length, -1]);
  const byFilter = graph.op('ReduceSumSquare', [flat, graph.ints([1])], { keepdims: 0 });
  const squared = graph.floats(
    [filterScale.length],
    filterScale.map((factor) => factor ** 2),
  );
  return graph.sum(graph.op('Mul', [byFilter, squared]), [0]);
}
