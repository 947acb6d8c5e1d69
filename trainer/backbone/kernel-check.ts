import type { Parameters, TensorValue } from '../engine/network.ts';
import { shapesOf } from './parameters.ts';
import type { Stage } from './inception-v3.ts';

const NUMBERS = ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];

/**
 * Rows of a trained kernel are never equal to the last digit, so equal rows mean that some were lost and filled from others.
 *
 * @returns one warning that says which kernels and where, or none
 */
export function warnOfRepeatedRows(
  stages: readonly Stage[],
  input: readonly number[],
  parameters: Parameters,
): string[] {
  const found: { kernel: string; stage: string }[] = [];
  let dims = input;
  for (const stage of stages) {
    const shapes = shapesOf(stage.layers, dims);
    dims = shapes.output;
    for (const { name } of shapes.parameters) {
      const value = parameters.get(name);
      if (value && hasRepeatedRows(value)) found.push({ kernel: name.replace('/kernel', ''), stage: stage.name });
    }
  }
  if (found.length === 0) return [];
  const kernels = found.map(({ kernel }) => `kernel of ${kernel} has repeated rows`).join(', ');
  return [
    `${NUMBERS[found.length] ?? found.length} kernel${found.length === 1 ? '' : 's'} partly filled ` +
      `(${[...new Set(found.map(({ stage }) => stage))].join(', ')}): ${kernels}; gains of level 2 may include repairing them`,
  ];
}

/** For a kernel [out, in, height, width]: two rows of the height are equal in all filters and inputs, and not all zero. */
export function hasRepeatedRows({ dims, data }: TensorValue): boolean {
  if (dims.length !== 4) return false;
  const [, , height, width] = dims as [number, number, number, number];
  for (let first = 0; first < height; first++)
    for (let second = first + 1; second < height; second++)
      if (equalRows(data, height, width, first, second)) return true;
  return false;
}

function equalRows(data: Float32Array, height: number, width: number, first: number, second: number): boolean {
  let isZero = true;
  for (let plane = 0; plane < data.length; plane += height * width)
    for (let column = 0; column < width; column++) {
      const value = data[plane + first * width + column] as number;
      if (value !== data[plane + second * width + column]) return false;
      if (value !== 0) isZero = false;
    }
  return !isZero;
}
