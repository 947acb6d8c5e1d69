import { AppError } from '../../common/runtime/errors.ts';
import { confusionMatrix, summarise } from '../evaluate/metrics.ts';
import { predictions, softmax, type Rows } from '../evaluate/probabilities.ts';

/**
 * A change of a head's scores that the exported head can carry in itself: softmax(scale · logits + offset). Temperature, prior
 * correction and logit adjustment are all of this form.
 */
export interface LogitTransform {
  scale: number;
  /** One a class. */
  offset: readonly number[];
}

export function transformed(logits: Rows, transform: LogitTransform): Float64Array[] {
  return logits.map((row) =>
    Float64Array.from(row, (logit, j) => logit * transform.scale + (transform.offset[j] as number)),
  );
}

export function transformedProbabilities(logits: Rows, transform: LogitTransform): Float64Array[] {
  return transformed(logits, transform).map(softmax);
}

/** Temperatures outside 1/20 … 20 mean that the images cannot tell, e.g. because a model has all of them right. */
const LARGEST_TEMPERATURE = 20;

/**
 * Temperature T with the smallest mean negative log-likelihood of softmax(logits / T). That is convex in 1/T, so its slope, mean
 * of Σ p_j·z_j − z_true, is bisected.
 */
export function fitTemperature(logits: Rows, truth: readonly number[]): number {
  const slope = (inverse: number): number => {
    let sum = 0;
    logits.forEach((row, i) => {
      const p = softmax(Float64Array.from(row, (logit) => logit * inverse));
      p.forEach((probability, j) => (sum += probability * (row[j] as number)));
      sum -= row[truth[i] as number] as number;
    });
    return sum;
  };
  let low = 1 / LARGEST_TEMPERATURE;
  let high = LARGEST_TEMPERATURE;
  // Sixty halvings exhaust the digits of a double.
  for (let round = 0; round < 60; round++) {
    const middle = Math.sqrt(low * high);
    if (slope(middle) < 0) low = middle;
    else high = middle;
  }
  return 1 / Math.sqrt(low * high);
}

/**
 * Makes two models comparable before Eq. 3 compares their winning scores: p^(1/T), divided by the prior that the model was
 * trained with and multiplied by a common one.
 */
export function calibration(
  temperature: number,
  ownPrior: readonly number[],
  commonPrior: readonly number[],
): LogitTransform {
  checkPrior(ownPrior);
  checkPrior(commonPrior);
  const offset = ownPrior.map((own, j) => Math.log(commonPrior[j] as number) - Math.log(own));
  return { scale: 1 / temperature, offset };
}

/** π^(1 − τ), normalised: between the natural prior (τ = 0) and the uniform one (τ = 1). */
export function commonPrior(natural: readonly number[], tau: number): number[] {
  const powers = natural.map((share) => share ** (1 - tau));
  const whole = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / whole);
}

/** Post-hoc logit adjustment: logits − τ · ln prior. */
export function logitAdjustment(prior: readonly number[], tau: number): LogitTransform {
  checkPrior(prior);
  return { scale: 1, offset: prior.map((share) => -tau * Math.log(share)) };
}

export interface TauPoint {
  tau: number;
  macroF1: number;
  accuracy: number;
}

/** τ from 0 (unchanged) to 2 in steps of .05. */
const TAUS = Array.from({ length: 41 }, (_, i) => i / 20);

/**
 * Searches τ of post-hoc logit adjustment on images that the model did not learn: largest macro F1 with an accuracy of at least
 * that at τ = 0 less `accuracyLoss`; of equal ones the larger accuracy, then the smaller τ.
 */
export function searchTau(
  logits: Rows,
  truth: readonly number[],
  prior: readonly number[],
  accuracyLoss = Infinity,
): { tau: number; curve: TauPoint[] } {
  const curve = TAUS.map((tau): TauPoint => {
    const predicted = predictions(transformed(logits, logitAdjustment(prior, tau)));
    const { macroF1, accuracy } = summarise(confusionMatrix(truth, predicted, prior.length));
    return { tau, macroF1, accuracy };
  });
  const plain = curve[0] as TauPoint;
  const best = curve
    .filter((point) => point.accuracy >= plain.accuracy - accuracyLoss - 1e-12)
    .reduce((a, b) => {
      const gain = b.macroF1 - a.macroF1;
      return gain > 1e-12 || (gain > -1e-12 && b.accuracy > a.accuracy + 1e-12) ? b : a;
    });
  return { tau: best.tau, curve };
}

function checkPrior(prior: readonly number[]): void {
  const strange = prior.findIndex((share) => !(share > 0));
  if (strange < 0) return;
  throw new AppError(
    'PRIOR_NOT_POSITIVE',
    `The prior of class ${strange} is ${prior[strange]}, but its logarithm is needed; use the effective prior, which is never 0.`,
  );
}
