import { describe, expect, test } from 'vitest';
import type { Network, Parameters } from '../../../trainer/engine/network.ts';
import { above, conv, drawnBatch, drawnParameters, layerCases, relu, tiny } from '../tiny-networks.ts';
import { ORDINARY, SHOW_GRADIENT, dataOf, gradientsOf, largest, largestDifference, negated } from './bench.ts';
import type { Bench } from './bench.ts';

export function updateTests(bench: Bench): void {
  describe('the update', () => {
    const network = tiny(above(relu, conv('c', 4, [3, 3])));
    const [parameters, batch] = [drawnParameters(network, 'update'), drawnBatch(network, 6, 'update')];

    test('reports the norm before clipping and scales the gradient down to the limit', async () => {
      const whole = await gradientsOf(bench, network, parameters, batch);
      const session = await bench.open(network, parameters);
      const clipNorm = whole.gradientNorm / 4;
      const { gradientNorm } = await session.step(batch, { ...SHOW_GRADIENT, clipNorm });
      expect(gradientNorm).toBeCloseTo(whole.gradientNorm, 5);
      const clipped = negated((await session.state()).momenta as Parameters);
      expect(normOf(clipped)).toBeCloseTo(clipNorm, 5);
      expect(normOf(whole.gradients)).toBeCloseTo(gradientNorm, 5);
    });

    test('leaves a gradient below the limit as it is', async () => {
      const whole = await gradientsOf(bench, network, parameters, batch);
      const session = await bench.open(network, parameters);
      await session.step(batch, { ...SHOW_GRADIENT, clipNorm: whole.gradientNorm * 1.01 });
      const { momenta } = await session.state();
      for (const [key, { data }] of negated(momenta as Parameters)) {
        expect(largestDifference(data, dataOf(whole.gradients, key)), key).toBeLessThan(1e-6);
      }
    });

    test('survives a gradient of 0', async () => {
      const session = await bench.open(network, parameters);
      const none = { ...batch, weights: new Float32Array(6) };
      expect(await session.step(none, ORDINARY)).toEqual({ loss: 0, gradientNorm: 0 });
      const moved = (await session.state()).parameters.get('c/kernel')?.data as Float32Array;
      expect(largestDifference(moved, parameters.get('c/kernel')?.data as Float32Array)).toBe(0);
    });

    test('has the learning rate inside the momentum: a later change of it does not touch what was gathered', async () => {
      const session = await bench.open(network, parameters);
      await session.step(batch, { learningRate: 0.5, momentum: 0.9, clipNorm: Infinity });
      const before = await session.state();
      await session.step(batch, { learningRate: 0, momentum: 0.9, clipNorm: Infinity });
      const after = await session.state();
      for (const [key, { data }] of before.momenta as Parameters) {
        const kept = data.map((value) => 0.9 * value);
        expect(largestDifference(dataOf(after.momenta, key), kept), key).toBeLessThan(1e-6);
        const moved = dataOf(before.parameters, key).map((p, i) => p + (kept[i] as number));
        expect(largestDifference(dataOf(after.parameters, key), moved), key).toBeLessThan(1e-6);
      }
    });

    test('moves no frozen parameter and gives the others the same gradients', async () => {
      const whole = await gradientsOf(bench, network, parameters, batch);
      const session = await bench.open(network, parameters, { frozen: ['below', 'predictions/bias'] });
      await session.step(batch, SHOW_GRADIENT);
      const { parameters: now, momenta } = await session.state();
      expect([...(momenta as Parameters).keys()].toSorted()).toEqual(['c/bias', 'c/kernel', 'predictions/kernel']);
      for (const key of ['below/kernel', 'below/bias', 'predictions/bias']) {
        expect(now.get(key)?.data, key).toEqual(parameters.get(key)?.data);
      }
      for (const [key, { data }] of negated(momenta as Parameters)) {
        const expected = dataOf(whole.gradients, key);
        expect(largestDifference(data, expected), key).toBeLessThan(bench.tolerance * largest(expected));
      }
    });

    test('leaves mean and variance of a frozen norm alone', async () => {
      const normed = layerCases['nested branches'] as Network;
      const start = drawnParameters(normed, 'norm');
      const session = await bench.open(normed, start);
      await session.step(drawnBatch(normed, 4, 'norm'), ORDINARY);
      const { parameters: now } = await session.state();
      for (const [key, { data }] of start) if (/mean|variance/.test(key)) expect(now.get(key)?.data).toEqual(data);
    });
  });
}

function normOf(values: Parameters): number {
  return Math.sqrt([...values.values()].reduce((sum, { data }) => sum + data.reduce((s, v) => s + v * v, 0), 0));
}
