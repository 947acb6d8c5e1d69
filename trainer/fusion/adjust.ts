import { AppError } from '../../common/runtime/errors.ts';
import type { Network, Parameters, TensorValue } from '../engine/network.ts';
import type { Rows } from '../evaluate/probabilities.ts';
import type { FinishSettings } from '../settings.ts';
import { calibration, commonPrior, fitTemperature, logitAdjustment, searchTau, transformed } from './calibration.ts';
import type { LogitTransform } from './calibration.ts';

/** Images that a model did not learn (or the reference part), with the model's logits for them. */
export interface Evidence {
  logits: Rows;
  truth: readonly number[];
}

/** What is done to one model's logits, and why. */
export interface Adjustment {
  /** 1 where none was fitted. */
  temperature: number;
  /** Strength of the logit adjustment, or τ of the common prior; `null`: none. */
  tau: number | null;
  /** For a model that expects this mixture of classes; folds expect others than the whole. */
  transform(prior: readonly number[]): LogitTransform;
}

/**
 * @param natural effective prior of the training part
 * @param prior the mixture that the model learned to expect
 * @param evidence of this model; of M0 for the τ of a common prior
 */
export function adjustmentOf(
  { calibration: kind, tau: wanted }: FinishSettings,
  {
    natural,
    prior,
    evidence,
    m0,
  }: { natural: readonly number[]; prior: readonly number[]; evidence: Evidence; m0: Evidence },
): Adjustment {
  const temperature = kind === 'none' ? 1 : fitTemperature(evidence.logits, evidence.truth);
  if (kind === 'common-prior') {
    const tau = wanted === 'search' ? searchTau(m0.logits, m0.truth, natural).tau : (wanted ?? 0);
    const common = commonPrior(natural, tau);
    return { temperature, tau, transform: (own) => calibration(temperature, own, common) };
  }
  const plain = { scale: 1 / temperature, offset: prior.map(() => 0) };
  if (wanted === null) return { temperature, tau: null, transform: () => plain };
  const scaled = transformed(evidence.logits, plain);
  const tau = wanted === 'search' ? searchTau(scaled, evidence.truth, prior).tau : wanted;
  return { temperature, tau, transform: (own) => ({ ...logitAdjustment(own, tau), scale: 1 / temperature }) };
}

/** The same network with a transform inside its last layer, so that agents need not know of it. */
export function withTransform(
  { layers, name }: Network,
  parameters: Parameters,
  transform: LogitTransform,
): Parameters {
  const last = layers.at(-1);
  if (last?.kind !== 'dense') throw new AppError('NETWORK_INVALID', `"${name}" does not end in a dense layer.`);
  const { scale, offset } = transform;
  const kernel = parameters.get(`${last.name}/kernel`) as TensorValue;
  const bias = parameters.get(`${last.name}/bias`) as TensorValue;
  const changed = new Map(parameters);
  changed.set(`${last.name}/kernel`, { ...kernel, data: kernel.data.map((value) => value * scale) });
  changed.set(`${last.name}/bias`, {
    ...bias,
    data: bias.data.map((value, j) => value * scale + (offset[j] as number)),
  });
  return changed;
}
