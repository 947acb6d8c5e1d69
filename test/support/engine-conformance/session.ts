import { describe, expect, test } from 'vitest';
import { basicCnn } from '../../../trainer/backbone/basic-cnn.ts';
import type { Batch, TrainSession, TrainState } from '../../../trainer/engine/engine.ts';
import { initialParameters } from '../../../trainer/engine/initialise.ts';
import { referenceForward } from '../reference-network.ts';
import { doubles, drawnBatch } from '../tiny-networks.ts';
import { ORDINARY, dataOf, largest, largestDifference } from './bench.ts';
import type { Bench } from './bench.ts';

export function sessionTests(bench: Bench): void {
  const expectSame = (a: TrainState, b: TrainState): void => {
    for (const part of ['parameters', 'momenta'] as const) {
      for (const [key, { data }] of a[part] ?? []) {
        const other = dataOf(b[part], key);
        if (bench.bitwise) expect(Buffer.compare(bytesOf(data), bytesOf(other)), `${part} ${key}`).toBe(0);
        else expect(largestDifference(data, other), `${part} ${key}`).toBeLessThan(bench.tolerance * 10);
      }
    }
  };

  describe('a session', () => {
    const network = basicCnn({ classes: 4, size: 16, widths: [5, 7] });
    const parameters = initialParameters(network, { seed: 3 });
    const batches = [8, 5, 8, 1, 8, 6].map((images, i) => drawnBatch(network, images, `batch ${i}`));
    const train = async (session: TrainSession, some: Batch[]) => {
      for (const batch of some) await session.step(batch, ORDINARY);
      return session.state();
    };

    test('repeats itself: equal parameters, batches and threads give equal weights', async () => {
      const twice = [];
      for (let i = 0; i < 2; i++) {
        const session = await bench.open(network, parameters, { threads: 2 });
        twice.push(await train(session, batches));
      }
      expectSame(twice[0] as TrainState, twice[1] as TrainState);
    });

    test('goes on from its state as if it had never stopped', async () => {
      const whole = await train(await bench.open(network, parameters), batches);
      const first = await bench.open(network, parameters);
      const saved = await train(first, batches.slice(0, 3));
      await train(first, batches.slice(3));
      const second = await bench.open(network, initialParameters(network, { seed: 'other' }));
      await train(second, batches.slice(0, 1));
      await second.restore(saved);
      expectSame(await train(second, batches.slice(3)), whole);
      await first.restore(saved);
      expectSame(await first.state(), saved);
    });

    test('starts with momentum 0 where a state has none', async () => {
      const session = await bench.open(network, parameters);
      await train(session, batches.slice(0, 2));
      await session.restore({ parameters });
      expectSame(await train(session, batches), await train(await bench.open(network, parameters), batches));
    });

    test('takes over frozen parameters of a state too', async () => {
      const [images, other] = [batches[0] as Batch, initialParameters(network, { seed: 'other' })];
      const session = await bench.open(network, parameters, { frozen: ['conv1'] });
      await train(session, batches.slice(0, 1));
      await session.restore({ parameters: other });
      const logits = await session.forward(images.inputs, 8);
      const expected = await (await bench.open(network, other)).forward(images.inputs, 8);
      expect(largestDifference(logits, expected)).toBeLessThan(bench.tolerance * largest(expected));
    });

    test('gives copies: neither a step nor the caller changes what was handed over', async () => {
      const session = await bench.open(network, parameters);
      const before = await session.state();
      const kept = dataOf(before.parameters, 'conv1/kernel').slice();
      await train(session, batches);
      expect(before.parameters.get('conv1/kernel')?.data).toEqual(kept);
      expect(parameters.get('conv1/kernel')?.data).toEqual(kept);
    });

    test('computes logits of any number of images with the parameters of the last step', async () => {
      const session = await bench.open(network, parameters);
      const { parameters: now } = await train(session, batches);
      const { inputs } = drawnBatch(network, 70, 'forward');
      const logits = await session.forward(inputs, 70);
      const expected = Float32Array.from(referenceForward(network, doubles(now), inputs, 70).flat());
      expect(largestDifference(logits, expected)).toBeLessThan(bench.tolerance * largest(expected));
    });

    test('refuses what does not fit, and says what would', async () => {
      const session = await bench.open(network, parameters);
      const batch = batches[0] as Batch;
      const refuses = async (change: Partial<Batch>, message: RegExp) => {
        const refusal = session.step({ ...batch, ...change }, ORDINARY);
        await expect(refusal).rejects.toMatchObject({
          code: 'BATCH_INVALID',
          message: expect.stringMatching(message) as string,
        });
      };
      await refuses({ labels: Int32Array.of(0, 1, 2, 3, 4, 0, 0, 0) }, /Label 4 is none of 0 to 3/);
      await refuses({ labels: Int32Array.of(0, 1) }, /2 images needs 1536 input numbers, not 6144/);
      await refuses({ weights: new Float32Array(3) }, /8 weights, not 3/);
      await refuses({ logPriors: new Float32Array(3) }, /4 log-priors, not 3/);
      await refuses({ inputs: new Float32Array(0), labels: new Int32Array(0) }, /at least one image/);
      await expect(bench.engine().open(network, { parameters, frozen: ['conv9'], threads: 1 })).rejects.toMatchObject({
        code: 'NETWORK_INVALID',
      });
      await expect(bench.engine().open(network, { parameters: new Map(), threads: 1 })).rejects.toMatchObject({
        code: 'PARAMETERS_INVALID',
      });
    });
  });
}

function bytesOf(data: Float32Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
