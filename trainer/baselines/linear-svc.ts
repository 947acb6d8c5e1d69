import { AppError } from '../../common/runtime/errors.ts';
import { createRandom, shuffle } from '../sampling/random.ts';

/** scikit-learn's LinearSVC as it comes: squared hinge loss, l2 penalty, one class against the rest. */
export interface SvcSettings {
  /** Cost of an error beside ½·|w|². */
  C: number;
  /** Ends when the projected gradients of a pass lie within this. */
  tolerance: number;
  /** Passes over the images, for each class. */
  maxPasses: number;
  seed: number | string;
}

export const svcDefaults: SvcSettings = { C: 1, tolerance: 1e-4, maxPasses: 1000, seed: 0 };

export interface LinearSvc {
  /** One vector a class. */
  weights: Float64Array[];
  /** −Infinity for a class without training images, so that it never wins. */
  intercepts: number[];
  /** Classes whose solver ran out of passes: their decisions are inexact, as scikit-learn warns too. */
  unconverged: number[];
}

type Features = readonly Float32Array[];

/**
 * Minimises ½·|w|² + C·Σ max(0, 1 − y·(w·x + b))² for each class against the rest, b being the weight of a constant feature 1 and
 * so penalised too. Nothing is standardised.
 *
 * @param features one row an image
 * @throws AppError `SVC_INPUT` where rows differ in length or fewer than two classes have images
 */
export function trainLinearSvc(
  features: Features,
  labels: ArrayLike<number>,
  classes: number,
  settings: Partial<SvcSettings> = {},
): LinearSvc {
  const options = { ...svcDefaults, ...settings };
  check(features, labels, classes);
  const squares = features.map((row) => dot(row, row) + 1);
  const present = new Set(Array.from(labels));
  const model: LinearSvc = { weights: [], intercepts: [], unconverged: [] };
  for (let j = 0; j < classes; j++) {
    if (!present.has(j)) {
      model.weights.push(new Float64Array(features[0]?.length ?? 0));
      model.intercepts.push(-Infinity);
      continue;
    }
    const signs = Float64Array.from(labels, (label) => (label === j ? 1 : -1));
    const solved = solve(features, signs, squares, { ...options, seed: `${options.seed}/${j}` });
    model.weights.push(solved.weights);
    model.intercepts.push(solved.intercept);
    if (!solved.converged) model.unconverged.push(j);
  }
  return model;
}

/** Decision values, one a class; the largest wins. */
export function svcDecisions(model: LinearSvc, features: Features): Float64Array[] {
  return features.map((row) =>
    Float64Array.from(model.weights, (weights, j) => dot(row, weights) + (model.intercepts[j] as number)),
  );
}

interface Solution {
  weights: Float64Array;
  intercept: number;
  converged: boolean;
}

/**
 * Dual coordinate descent (Hsieh et al., ICML 2008): α ≥ 0 one an image, w = Σ α·y·x, one α at a time to its optimum. Images whose
 * α stays 0 for sure are set aside; before the end all of them are looked at again.
 */
function solve(features: Features, signs: Float64Array, squares: readonly number[], options: SvcSettings): Solution {
  const ridge = 1 / (2 * options.C);
  const alpha = new Float64Array(features.length);
  const solution: Solution = { weights: new Float64Array(features[0]?.length ?? 0), intercept: 0, converged: false };
  const random = createRandom('svc', options.seed);
  const all = Array.from(features, (_, i) => i);
  let active = all;
  let sureAbove = Infinity;
  for (let pass = 0; pass < options.maxPasses; pass++) {
    let largest = -Infinity;
    let smallest = Infinity;
    const kept: number[] = [];
    for (const i of shuffle([...active], random)) {
      const row = features[i] as Float32Array;
      const sign = signs[i] as number;
      const before = alpha[i] as number;
      const gradient = sign * (dot(row, solution.weights) + solution.intercept) - 1 + before * ridge;
      if (before === 0 && gradient > sureAbove) continue;
      kept.push(i);
      const projected = before === 0 ? Math.min(0, gradient) : gradient;
      largest = Math.max(largest, projected);
      smallest = Math.min(smallest, projected);
      if (Math.abs(projected) < 1e-12) continue;
      const after = Math.max(0, before - gradient / ((squares[i] as number) + ridge));
      alpha[i] = after;
      addScaled(solution.weights, row, (after - before) * sign);
      solution.intercept += (after - before) * sign;
    }
    // With nothing kept the range is negative: every image was set aside.
    if (largest - smallest <= options.tolerance) {
      if (active.length === all.length && kept.length === all.length) return { ...solution, converged: true };
      active = all;
      sureAbove = Infinity;
    } else {
      active = kept;
      sureAbove = largest > 0 ? largest : Infinity;
    }
  }
  return solution;
}

/** Four sums side by side: the processor need not wait for one addition before the next. */
function dot(a: Float32Array, b: Float32Array | Float64Array): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  const whole = a.length - (a.length % 4);
  for (let k = 0; k < whole; k += 4) {
    s0 += (a[k] as number) * (b[k] as number);
    s1 += (a[k + 1] as number) * (b[k + 1] as number);
    s2 += (a[k + 2] as number) * (b[k + 2] as number);
    s3 += (a[k + 3] as number) * (b[k + 3] as number);
  }
  for (let k = whole; k < a.length; k++) s0 += (a[k] as number) * (b[k] as number);
  return s0 + s1 + s2 + s3;
}

function addScaled(target: Float64Array, row: Float32Array, factor: number): void {
  for (let k = 0; k < row.length; k++) target[k] = (target[k] as number) + factor * (row[k] as number);
}

function check(features: Features, labels: ArrayLike<number>, classes: number): void {
  const complain = (what: string): never => {
    throw new AppError('SVC_INPUT', `The linear SVM cannot be trained: ${what}.`);
  };
  if (features.length !== labels.length) complain(`${features.length} feature rows for ${labels.length} labels`);
  const torn = features.findIndex((row) => row.length !== features[0]?.length);
  if (torn >= 0) complain(`row ${torn} has ${features[torn]?.length} features, row 0 has ${features[0]?.length}`);
  const strange = Array.from(labels).find((label) => !(label >= 0 && label < classes));
  if (strange !== undefined) complain(`label ${strange} is not one of the ${classes} classes`);
  if (new Set(Array.from(labels)).size < 2) complain('at least two classes must have images');
}
