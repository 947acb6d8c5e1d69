import { unhandled } from '../../../common/runtime/errors.ts';
import type { Layer } from '../network.ts';
import { traceConv } from './conv.ts';
import { traceNorm } from './norm.ts';
import { traceAveragePool, traceGlobalAveragePool, traceMaxPool } from './pool.ts';
import type { Tape, Traced, Value } from './tape.ts';

/**
 * Writes a list of layers forward and gives their backward pass.
 *
 * @param wanted whether something below the input trains, so that the gradient by the input is needed
 */
export function traceLayers(tape: Tape, layers: readonly Layer[], input: Value, wanted: boolean): Traced {
  const backward: NonNullable<Traced['backward']>[] = [];
  const ordered = pooledFirst(layers);
  let output = input;
  let needed = wanted;
  for (let i = 0; i < ordered.length; i++) {
    const layer = ordered[i] as Layer;
    const next = ordered[i + 1];
    const norm = layer.kind === 'conv' && next?.kind === 'frozen-norm' ? next : undefined;
    const traced =
      layer.kind === 'conv' ? traceConv(tape, layer, norm, output, needed) : traceLayer(tape, layer, output, needed);
    if (norm) i++;
    output = traced.output;
    if (traced.backward) backward.unshift(traced.backward);
    needed = traced.backward !== undefined;
  }
  if (!needed) return { output };
  const all = (gradient: string) =>
    backward.reduce<string | undefined>((by, step) => (by === undefined ? by : step(by)), gradient);
  return { output, backward: all };
}

/**
 * Max pooling before the ReLU that it follows. Both orders give the same bits forward and backward (where the ReLU would have
 * made a tie of negatives their gradient is 0), and the ReLU has a fraction of the elements to go through.
 */
function pooledFirst(layers: readonly Layer[]): Layer[] {
  const ordered = [...layers];
  for (let i = 1; i < ordered.length; i++) {
    const [before, layer] = [ordered[i - 1], ordered[i]] as [Layer, Layer];
    if (before.kind === 'relu' && layer.kind === 'max-pool') [ordered[i - 1], ordered[i]] = [layer, before];
  }
  return ordered;
}

function traceLayer(tape: Tape, layer: Exclude<Layer, { kind: 'conv' }>, input: Value, wanted: boolean): Traced {
  switch (layer.kind) {
    case 'frozen-norm':
      return traceNorm(tape, layer, input, wanted);
    case 'relu':
      return traceRelu(tape, input, wanted);
    case 'max-pool':
      return traceMaxPool(tape, layer, input, wanted);
    case 'average-pool':
      return traceAveragePool(tape, layer, input, wanted);
    case 'global-average-pool':
      return traceGlobalAveragePool(tape, input, wanted);
    case 'dense':
      return traceDense(tape, layer, input, wanted);
    case 'concat':
      return traceConcat(tape, layer, input, wanted);
    default:
      return unhandled(layer);
  }
}

function traceRelu({ graph }: Tape, input: Value, wanted: boolean): Traced {
  const name = graph.op('Relu', [input.name]);
  const traced: Traced = { output: { name, shape: input.shape } };
  // The mask is taken from the output: the input need not outlive the forward pass.
  if (wanted) traced.backward = (gradient) => graph.op('Mul', [gradient, graph.op('Sign', [name])]);
  return traced;
}

function traceDense(tape: Tape, layer: Extract<Layer, { kind: 'dense' }>, input: Value, wanted: boolean): Traced {
  const { graph } = tape;
  const [kernel, bias] = [`${layer.name}/kernel`, `${layer.name}/bias`];
  const name = graph.op('Gemm', [input.name, tape.parameter(kernel), tape.parameter(bias)]);
  const traced: Traced = { output: { name, shape: [layer.units] } };
  if (!wanted && !tape.trains(kernel) && !tape.trains(bias)) return traced;
  traced.backward = (gradient) => {
    if (tape.trains(kernel))
      tape.gradients.set(kernel, { value: graph.op('Gemm', [input.name, gradient], { transA: 1 }) });
    if (tape.trains(bias)) tape.gradients.set(bias, { value: graph.sum(gradient, [0]) });
    return wanted ? graph.op('Gemm', [gradient, tape.parameter(kernel)], { transB: 1 }) : undefined;
  };
  return traced;
}

function traceConcat(tape: Tape, layer: Extract<Layer, { kind: 'concat' }>, input: Value, wanted: boolean): Traced {
  const { graph } = tape;
  const branches = layer.branches.map((branch) => traceLayers(tape, branch, input, wanted));
  const channels = branches.map(({ output }) => output.shape[0] as number);
  const shape = [channels.reduce((sum, count) => sum + count, 0), ...(branches[0] as Traced).output.shape.slice(1)];
  const name = graph.op(
    'Concat',
    branches.map(({ output }) => output.name),
    { axis: 1 },
  );
  const traced: Traced = { output: { name, shape } };
  if (branches.every(({ backward }) => !backward)) return traced;
  traced.backward = (gradient) => {
    const parts = graph.ops('Split', [gradient, graph.ints(channels)], channels.length, { axis: 1 });
    const byInput = branches.flatMap(({ backward }, i) => backward?.(parts[i] as string) ?? []);
    if (!wanted) return undefined;
    return byInput.length === 1 ? byInput[0] : graph.op('Sum', byInput);
  };
  return traced;
}
