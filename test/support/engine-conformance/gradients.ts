import { describe, expect, test } from 'vitest';
import type { Batch } from '../../../trainer/engine/engine.ts';
import { initialParameters } from '../../../trainer/engine/initialise.ts';
import type { Network, Parameters } from '../../../trainer/engine/network.ts';
import { referenceLoss } from '../reference-network.ts';
import {
  CLASSES,
  above,
  conv,
  doubles,
  drawnBatch,
  drawnParameters,
  layerCases,
  relu,
  tiny,
} from '../tiny-networks.ts';
import { gradientsOf, largestOf } from './bench.ts';
import type { Bench } from './bench.ts';

/** Entries of a network that are compared with differences: each costs two passes of the slow reference. */
const PROBES = 80;

export function gradientTests(bench: Bench): void {
  describe('gradients agree with differences of a loss computed in double precision', () => {
    test.each(Object.keys(layerCases))('%s', async (key) => {
      const network = layerCases[key] as Network;
      const [parameters, batch] = [drawnParameters(network, key), drawnBatch(network, 5, key)];
      await expectGradients(network, parameters, batch);
    });

    const network = tiny(above(relu, conv('c', 4, [3, 3])));
    const [parameters, batch] = [drawnParameters(network, 'loss'), drawnBatch(network, 6, 'loss')];

    test('with a weight for each image, one of them 0', async () => {
      await expectGradients(network, parameters, { ...batch, weights: Float32Array.of(1, 2, 0.5, 0, 3, 1) });
    });

    test('with log-priors', async () => {
      await expectGradients(network, parameters, { ...batch, logPriors: Float32Array.of(0.2, -3, 1.5) });
    });

    test('of logits far apart, where a plain softmax would overflow', async () => {
      const steep = new Map(parameters).set('predictions/bias', { dims: [3], data: Float32Array.of(200, -200, 90) });
      await expectGradients(network, steep, batch);
    });

    async function expectGradients(network: Network, parameters: Parameters, batch: Batch): Promise<void> {
      const { loss, gradients } = await gradientsOf(bench, network, parameters, batch);
      const exact = doubles(parameters);
      const expected = referenceLoss(network, exact, batch);
      expect(Math.abs(loss - expected)).toBeLessThan(bench.tolerance * Math.max(1, expected));
      const bound = bench.tolerance * largestOf(gradients);
      for (const [key, { data }] of gradients) {
        const values = exact.get(key) as Float64Array;
        const stride = Math.ceil(data.length / Math.max(2, PROBES / gradients.size));
        for (let i = 0; i < data.length; i += stride) {
          const difference = slope(values, i, () => referenceLoss(network, exact, batch));
          expect(Math.abs((data[i] as number) - difference), `${key}[${i}]`).toBeLessThan(bound);
        }
      }
    }
  });

  describe('max-pool gives the gradient of equal elements to the first of them, row by row', () => {
    // Two channels whose sum is 8 everywhere: all sums tie, and the kernel's gradient tells which place was taken.
    const tied = (size: number, stride: number): Network => ({
      name: 'ties',
      input: [2, 5, 5],
      classes: CLASSES,
      layers: [
        conv('c', 1, [1, 1]),
        { kind: 'max-pool', size, stride, padding: 'valid' },
        { kind: 'global-average-pool' },
        { kind: 'dense', name: 'predictions', units: CLASSES },
      ],
    });
    const rising = Float32Array.from({ length: 50 }, (_, i) => (i < 25 ? i : 8 - (i - 25)));

    test.each([
      ['windows apart', 2, 2, (0 + 2 + 10 + 12) / 4],
      ['overlapping windows', 3, 2, (0 + 2 + 10 + 12) / 4],
      ['windows at every place', 2, 1, 9],
    ])('%s', async (_, size, stride, mean) => {
      const network = tied(size, stride);
      const parameters = new Map(initialParameters(network, { seed: 'ties' }));
      parameters.set('c/kernel', { dims: [1, 2, 1, 1], data: Float32Array.of(1, 1) });
      const { gradients } = await gradientsOf(bench, network, parameters, { inputs: rising, labels: Int32Array.of(1) });
      const [byFirst] = (gradients.get('c/kernel') as { data: Float32Array }).data;
      const [byBias] = (gradients.get('c/bias') as { data: Float32Array }).data;
      expect((byFirst as number) / (byBias as number)).toBeCloseTo(mean, 4);
    });
  });
}

/** Central difference of `f` by one entry of `values`. */
function slope(values: Float64Array, i: number, f: () => number): number {
  const value = values[i] as number;
  const step = 1e-5;
  values[i] = value + step;
  const above = f();
  values[i] = value - step;
  const below = f();
  values[i] = value;
  return (above - below) / (2 * step);
}
