import { describe, expect, test } from 'vitest';
import type { Network, Parameters } from '../../../../trainer/engine/network.ts';
import { adjustmentOf, withTransform } from '../../../../trainer/fusion/adjust.ts';
import { transformed } from '../../../../trainer/fusion/calibration.ts';

const evidence = {
  logits: [[2, 0, 0], [1, 1.5, 0], [0, 3, 0], [1, 0, 0.5], [0, 0, 1], [2, 0, 1]], // prettier-ignore
  truth: [0, 1, 1, 0, 2, 2],
};
const natural = [0.6, 0.3, 0.1];
const given = { natural, prior: natural, evidence, m0: evidence };

describe('what is done to a model’s logits', () => {
  test('is nothing but a temperature where only that is asked for', () => {
    const { temperature, tau, transform } = adjustmentOf(
      { calibration: 'temperature', tau: null, classifierPasses: 0 },
      given,
    );
    expect(tau).toBeNull();
    expect(temperature).toBeGreaterThan(0);
    expect(transform(natural)).toEqual({ scale: 1 / temperature, offset: [0, 0, 0] });
  });

  test('takes τ times the logarithm of the model’s own prior off, for a logit adjustment', () => {
    const { transform } = adjustmentOf({ calibration: 'none', tau: 0.5, classifierPasses: 0 }, given);
    const { scale, offset } = transform([0.5, 0.25, 0.25]);
    expect(scale).toBe(1);
    offset.forEach((value, j) => expect(value).toBeCloseTo(-0.5 * Math.log([0.5, 0.25, 0.25][j] as number), 12));
  });

  test('brings models of different priors to one: where the own prior is the common one, nothing is added', () => {
    const { transform, tau } = adjustmentOf({ calibration: 'common-prior', tau: 0, classifierPasses: 0 }, given);
    expect(tau).toBe(0);
    transform(natural).offset.forEach((value) => expect(value).toBeCloseTo(0, 12));
    const uniform = transform([1 / 3, 1 / 3, 1 / 3]).offset;
    uniform.forEach((value, j) => expect(value).toBeCloseTo(Math.log(3 * (natural[j] as number)), 12));
  });

  test('searches τ where it is asked to', () => {
    const { tau } = adjustmentOf({ calibration: 'none', tau: 'search', classifierPasses: 0 }, given);
    expect(tau).toBeGreaterThanOrEqual(0);
    expect(tau).toBeLessThanOrEqual(2);
  });
});

test('a transform goes into the last layer, and the network then gives the transformed logits', () => {
  const network: Network = { name: 'one', input: [2], layers: [{ kind: 'dense', name: 'out', units: 3 }], classes: 3 };
  const parameters: Parameters = new Map([
    ['out/kernel', { dims: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
    ['out/bias', { dims: [3], data: Float32Array.of(0.5, 0, -0.5) }],
  ]);
  const logitsOf = (of: Parameters, x: number[]) =>
    [0, 1, 2].map((j) => x.reduce((sum, value, i) => sum + value * (of.get('out/kernel')?.data[i * 3 + j] as number), of.get('out/bias')?.data[j] as number)); // prettier-ignore
  const transform = { scale: 0.5, offset: [1, 0, -1] };
  const changed = withTransform(network, parameters, transform);
  const [expected] = transformed([logitsOf(parameters, [2, -1])], transform);
  logitsOf(changed, [2, -1]).forEach((value, j) => expect(value).toBeCloseTo(expected?.[j] as number, 6));
  expect(parameters.get('out/bias')?.data).toEqual(Float32Array.of(0.5, 0, -0.5));
});
