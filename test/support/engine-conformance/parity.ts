import { describe, expect, test } from 'vitest';
import { parityCases } from '../engine-parity.ts';
import { dataOf, gradientsOf, largest, largestDifference, largestOf } from './bench.ts';
import type { Bench } from './bench.ts';

export function parityTests(bench: Bench): void {
  describe('agrees with stored values of PyTorch', () => {
    for (const { network, parameters, batch, expected, curve } of parityCases()) {
      test(`${network.name}: logits, loss and every gradient of one step`, async () => {
        const logits = await (await bench.open(network, parameters)).forward(batch.inputs, batch.labels.length);
        expect(largestDifference(logits, expected.logits)).toBeLessThan(bench.tolerance * largest(expected.logits));
        const { loss, gradientNorm, gradients } = await gradientsOf(bench, network, parameters, batch);
        expect(loss).toBeCloseTo(expected.loss, 5);
        expect(gradientNorm / expected.gradientNorm).toBeCloseTo(1, 5);
        expect([...gradients.keys()].toSorted()).toEqual([...expected.gradients.keys()].toSorted());
        const bound = bench.tolerance * largestOf(expected.gradients);
        for (const [key, { data }] of expected.gradients) {
          expect(largestDifference(dataOf(gradients, key), data), key).toBeLessThan(bound);
        }
      });

      test(`${network.name}: the loss over 50 steps with falling rate, momentum and clipping`, async () => {
        const session = await bench.open(network, parameters);
        const { firstRate, momentum, clipNorm, losses } = curve;
        for (const [step, loss] of losses.entries()) {
          const learningRate = firstRate * (1 - step / losses.length);
          const result = await session.step(batch, { learningRate, momentum, clipNorm });
          expect(Math.abs(result.loss - loss), `step ${step}`).toBeLessThan(bench.tolerance * 10 * Math.max(1, loss));
        }
      });
    }
  });
}
