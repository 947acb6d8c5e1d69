import { outputShape, ownParameters } from '../engine/shapes.ts';
import type { ParameterSpec, Shape } from '../engine/shapes.ts';
import type { Layer, Parameters, TensorValue } from '../engine/network.ts';

export interface LayerShapes {
  parameters: ParameterSpec[];
  /** Of one image: [C, H, W] or [C]. */
  output: Shape;
}

/**
 * Every parameter and constant that a piece of a network needs on an input of `input` (of one image), in order, and what comes
 * out of it. Unlike `parameterSpecs` it asks for no classifier at the end.
 */
export function shapesOf(layers: readonly Layer[], input: Shape): LayerShapes {
  let output = input;
  const parameters: ParameterSpec[] = [];
  layers.forEach((layer, i) => {
    if (layer.kind === 'concat')
      parameters.push(...layer.branches.flatMap((branch) => shapesOf(branch, output).parameters));
    else parameters.push(...ownParameters(layer, output, layers[i + 1]));
    output = outputShape(layer, output);
  });
  return { parameters, output };
}

/** Those of `parameters` that `specs` name, in that order. */
export function pick(parameters: Parameters, specs: readonly ParameterSpec[]): Map<string, TensorValue> {
  return new Map(specs.map(({ name }) => [name, parameters.get(name) as TensorValue]));
}
