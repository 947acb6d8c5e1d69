import type { Batch, StepSettings, TrainEngine, TrainSession } from '../../../trainer/engine/engine.ts';
import type { Network, Parameters } from '../../../trainer/engine/network.ts';
import { expect } from 'vitest';

/** Settings under which the momenta after one step are the negative gradient, at full precision. */
export const SHOW_GRADIENT: StepSettings = { learningRate: 1, momentum: 0, clipNorm: Infinity };
export const ORDINARY: StepSettings = { learningRate: 0.05, momentum: 0.9, clipNorm: 2 };

/** The engine under test and how near it must come. */
export interface Bench {
  engine(): TrainEngine;
  /** Opens a session that is closed after the tests. */
  open(
    network: Network,
    parameters: Parameters,
    options?: { frozen?: string[]; threads?: number },
  ): Promise<TrainSession>;
  tolerance: number;
  bitwise: boolean;
}

/** Loss, norm and gradients of one step. */
export async function gradientsOf(bench: Bench, network: Network, parameters: Parameters, batch: Batch) {
  const session = await bench.open(network, parameters);
  const result = await session.step(batch, SHOW_GRADIENT);
  const { momenta } = await session.state();
  return { ...result, gradients: negated(momenta as Parameters) };
}

export function negated(values: Parameters): Parameters {
  return new Map([...values].map(([name, { dims, data }]) => [name, { dims, data: data.map((value) => -value) }]));
}

export function dataOf(values: Parameters | undefined, name: string): Float32Array {
  return values?.get(name)?.data ?? new Float32Array(0);
}

export function largest(data: Float32Array): number {
  return data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

export function largestOf(values: Parameters): number {
  return Math.max(...[...values.values()].map(({ data }) => largest(data)));
}

export function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
}
