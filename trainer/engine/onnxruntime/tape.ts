import type { TensorValue } from '../network.ts';
import type { Shape } from '../shapes.ts';
import type { GraphBuilder } from './graph-builder.ts';

/** A value of the graph: one entry of the batch has `shape`. */
export interface Value {
  name: string;
  shape: Shape;
}

/** The gradient of the loss by a parameter. */
export interface Gradient {
  value: string;
  /** Where it is still to be scaled by filter, the first axis: the update does that with its own scaling, in one pass. */
  filterScale?: Float32Array;
}

/** What a layer is while its graph is written: nodes go in, gradients come out. */
export interface Tape {
  graph: GraphBuilder;
  /** The graph's value of a parameter or constant. */
  parameter(name: string): string;
  /** Its numbers where they are the same in every run. */
  constant(name: string): TensorValue | undefined;
  trains(name: string): boolean;
  /** Gradient of the loss by each parameter that trains, as backward passes find them. */
  gradients: Map<string, Gradient>;
}

/** A layer that was written forward. */
export interface Traced {
  output: Value;
  /**
   * Writes the backward pass from the gradient by the output and gives the gradient by the input, `undefined` where it was not
   * wanted. Absent where nothing in or below the layer trains.
   */
  backward?: (gradient: string) => string | undefined;
}
