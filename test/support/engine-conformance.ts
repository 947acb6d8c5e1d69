import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { basicCnn } from '../../trainer/backbone/basic-cnn.ts';
import type { Batch, StepSettings, TrainEngine, TrainSession, TrainState } from '../../trainer/engine/engine.ts';
import { initialParameters } from '../../trainer/engine/initialise.ts';
import type { Network, Parameters } from '../../trainer/engine/network.ts';
import { parityCases } from './engine-parity.ts';
import { referenceForward, referenceLoss } from './reference-network.ts';
import { CLASSES, above, conv, doubles, drawnBatch, drawnParameters, layerCases, relu, tiny } from './tiny-networks.ts';

export interface ConformanceOptions {
  /** Largest error of a gradient, relative to the largest gradient of the network. Default 1e-5, for float32. */
  tolerance?: number;
  /** Equal starts give equal bits. Default true; `false` compares within the tolerance. */
  bitwise?: boolean;
}

/** Settings under which the momenta after one step are the negative gradient, at full precision. */
const SHOW_GRADIENT: StepSettings = { learningRate: 1, momentum: 0, clipNorm: Infinity };
const ORDINARY: StepSettings = { learningRate: 0.05, momentum: 0.9, clipNorm: 2 };
/** Entries of each parameter that are compared with differences: each costs two passes of the slow reference. */
const PROBES = 10;

/**
 * What every training engine must do, as one suite: call it in the engine's test file.
 *
 * @param name of the engine, for the titles
 * @param openEngine called once, before the tests
 */
export function engineConformance(
  name: string,
  openEngine: () => TrainEngine | Promise<TrainEngine>,
  { tolerance = 1e-5, bitwise = true }: ConformanceOptions = {},
): void {
  describe(`${name} as a training engine`, () => {
    let engine: TrainEngine;
    const sessions: TrainSession[] = [];
    beforeAll(async () => {
      engine = await openEngine();
    });
    afterAll(async () => {
      for (const session of sessions) await session.close();
    });

    const open = async (network: Network, parameters: Parameters, frozen: string[] = []): Promise<TrainSession> => {
      const session = await engine.open(network, { parameters, frozen, threads: 1 });
      sessions.push(session);
      return session;
    };
    const gradientsOf = async (network: Network, parameters: Parameters, batch: Batch, frozen: string[] = []) => {
      const session = await open(network, parameters, frozen);
      const result = await session.step(batch, SHOW_GRADIENT);
      const { momenta } = await session.state();
      return { ...result, gradients: negated(momenta as Parameters) };
    };
    const expectSame = (a: TrainState, b: TrainState): void => {
      for (const part of ['parameters', 'momenta'] as const) {
        for (const [key, { data }] of a[part] ?? []) {
          const other = b[part]?.get(key)?.data as Float32Array;
          if (bitwise) expect(Buffer.compare(bytesOf(data), bytesOf(other)), `${part} ${key}`).toBe(0);
          else expect(largestDifference(data, other), `${part} ${key}`).toBeLessThan(tolerance * 10);
        }
      }
    };

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
        const { loss, gradients } = await gradientsOf(network, parameters, batch);
        const exact = doubles(parameters);
        const expected = referenceLoss(network, exact, batch);
        expect(Math.abs(loss - expected)).toBeLessThan(tolerance * Math.max(1, expected));
        const bound = tolerance * Math.max(...[...gradients.values()].map(({ data }) => largest(data)));
        for (const [key, { data }] of gradients) {
          const values = exact.get(key) as Float64Array;
          const stride = Math.ceil(data.length / PROBES);
          for (let i = 0; i < data.length; i += stride) {
            const difference = slope(values, i, () => referenceLoss(network, exact, batch));
            expect(Math.abs((data[i] as number) - difference), `${key}[${i}]`).toBeLessThan(bound);
          }
        }
      }
    });

    describe('agrees with stored values of PyTorch', () => {
      for (const { network, parameters, batch, expected, curve } of parityCases()) {
        test(`${network.name}: logits, loss and every gradient of one step`, async () => {
          const logits = await (await open(network, parameters)).forward(batch.inputs, batch.labels.length);
          expect(largestDifference(logits, expected.logits)).toBeLessThan(tolerance * largest(expected.logits));
          const { loss, gradientNorm, gradients } = await gradientsOf(network, parameters, batch);
          expect(loss).toBeCloseTo(expected.loss, 5);
          expect(gradientNorm / expected.gradientNorm).toBeCloseTo(1, 5);
          expect([...gradients.keys()].toSorted()).toEqual([...expected.gradients.keys()].toSorted());
          const bound = tolerance * Math.max(...[...expected.gradients.values()].map(({ data }) => largest(data)));
          for (const [key, { data }] of expected.gradients) {
            expect(largestDifference(gradients.get(key)?.data as Float32Array, data), key).toBeLessThan(bound);
          }
        });

        test(`${network.name}: the loss over 50 steps with falling rate, momentum and clipping`, async () => {
          const session = await open(network, parameters);
          const { firstRate, momentum, clipNorm, losses } = curve;
          for (const [step, loss] of losses.entries()) {
            const learningRate = firstRate * (1 - step / losses.length);
            const result = await session.step(batch, { learningRate, momentum, clipNorm });
            expect(Math.abs(result.loss - loss), `step ${step}`).toBeLessThan(tolerance * 10 * Math.max(1, loss));
          }
        });
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
        const { gradients } = await gradientsOf(network, parameters, { inputs: rising, labels: Int32Array.of(1) });
        const [byFirst] = (gradients.get('c/kernel') as { data: Float32Array }).data;
        const [byBias] = (gradients.get('c/bias') as { data: Float32Array }).data;
        expect((byFirst as number) / (byBias as number)).toBeCloseTo(mean, 4);
      });
    });

    describe('the update', () => {
      const network = tiny(above(relu, conv('c', 4, [3, 3])));
      const [parameters, batch] = [drawnParameters(network, 'update'), drawnBatch(network, 6, 'update')];

      test('reports the norm before clipping and scales the gradient down to the limit', async () => {
        const whole = await gradientsOf(network, parameters, batch);
        const session = await open(network, parameters);
        const clipNorm = whole.gradientNorm / 4;
        const { gradientNorm } = await session.step(batch, { ...SHOW_GRADIENT, clipNorm });
        expect(gradientNorm).toBeCloseTo(whole.gradientNorm, 5);
        const clipped = negated((await session.state()).momenta as Parameters);
        expect(normOf(clipped)).toBeCloseTo(clipNorm, 5);
        expect(normOf(whole.gradients)).toBeCloseTo(gradientNorm, 5);
      });

      test('leaves a gradient below the limit as it is', async () => {
        const whole = await gradientsOf(network, parameters, batch);
        const session = await open(network, parameters);
        await session.step(batch, { ...SHOW_GRADIENT, clipNorm: whole.gradientNorm * 1.01 });
        const { momenta } = await session.state();
        for (const [key, { data }] of negated(momenta as Parameters)) {
          expect(largestDifference(data, whole.gradients.get(key)?.data as Float32Array), key).toBeLessThan(1e-6);
        }
      });

      test('survives a gradient of 0', async () => {
        const session = await open(network, parameters);
        const none = { ...batch, weights: new Float32Array(6) };
        expect(await session.step(none, ORDINARY)).toEqual({ loss: 0, gradientNorm: 0 });
        const moved = (await session.state()).parameters.get('c/kernel')?.data as Float32Array;
        expect(largestDifference(moved, parameters.get('c/kernel')?.data as Float32Array)).toBe(0);
      });

      test('has the learning rate inside the momentum: a later change of it does not touch what was gathered', async () => {
        const session = await open(network, parameters);
        await session.step(batch, { learningRate: 0.5, momentum: 0.9, clipNorm: Infinity });
        const before = await session.state();
        await session.step(batch, { learningRate: 0, momentum: 0.9, clipNorm: Infinity });
        const after = await session.state();
        for (const [key, { data }] of before.momenta as Parameters) {
          const kept = data.map((value) => 0.9 * value);
          expect(largestDifference(after.momenta?.get(key)?.data as Float32Array, kept), key).toBeLessThan(1e-6);
          const moved = (before.parameters.get(key)?.data as Float32Array).map((p, i) => p + (kept[i] as number));
          expect(largestDifference(after.parameters.get(key)?.data as Float32Array, moved), key).toBeLessThan(1e-6);
        }
      });

      test('moves no frozen parameter and gives the others the same gradients', async () => {
        const whole = await gradientsOf(network, parameters, batch);
        const session = await open(network, parameters, ['below', 'predictions/bias']);
        await session.step(batch, SHOW_GRADIENT);
        const { parameters: now, momenta } = await session.state();
        expect([...(momenta as Parameters).keys()].toSorted()).toEqual(['c/bias', 'c/kernel', 'predictions/kernel']);
        for (const key of ['below/kernel', 'below/bias', 'predictions/bias']) {
          expect(now.get(key)?.data, key).toEqual(parameters.get(key)?.data);
        }
        for (const [key, { data }] of negated(momenta as Parameters)) {
          const expected = whole.gradients.get(key)?.data as Float32Array;
          expect(largestDifference(data, expected), key).toBeLessThan(tolerance * largest(expected));
        }
      });

      test('leaves mean and variance of a frozen norm alone', async () => {
        const normed = layerCases['nested branches'] as Network;
        const start = drawnParameters(normed, 'norm');
        const session = await open(normed, start);
        await session.step(drawnBatch(normed, 4, 'norm'), ORDINARY);
        const { parameters: now } = await session.state();
        for (const [key, { data }] of start) if (/mean|variance/.test(key)) expect(now.get(key)?.data).toEqual(data);
      });
    });

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
          const session = await engine.open(network, { parameters, threads: 2 });
          sessions.push(session);
          twice.push(await train(session, batches));
        }
        expectSame(twice[0] as TrainState, twice[1] as TrainState);
      });

      test('goes on from its state as if it had never stopped', async () => {
        const whole = await train(await open(network, parameters), batches);
        const first = await open(network, parameters);
        const saved = await train(first, batches.slice(0, 3));
        await train(first, batches.slice(3));
        const second = await open(network, initialParameters(network, { seed: 'other' }));
        await train(second, batches.slice(0, 1));
        await second.restore(saved);
        expectSame(await train(second, batches.slice(3)), whole);
        await first.restore(saved);
        expectSame(await first.state(), saved);
      });

      test('starts with momentum 0 where a state has none', async () => {
        const session = await open(network, parameters);
        await train(session, batches.slice(0, 2));
        await session.restore({ parameters });
        expectSame(await train(session, batches), await train(await open(network, parameters), batches));
      });

      test('takes over frozen parameters of a state too', async () => {
        const [images, other] = [batches[0] as Batch, initialParameters(network, { seed: 'other' })];
        const session = await open(network, parameters, ['conv1']);
        await train(session, batches.slice(0, 1));
        await session.restore({ parameters: other });
        const logits = await session.forward(images.inputs, 8);
        const expected = await (await open(network, other)).forward(images.inputs, 8);
        expect(largestDifference(logits, expected)).toBeLessThan(tolerance * largest(expected));
      });

      test('gives copies: neither a step nor the caller changes what was handed over', async () => {
        const session = await open(network, parameters);
        const before = await session.state();
        const kept = (before.parameters.get('conv1/kernel')?.data as Float32Array).slice();
        await train(session, batches);
        expect(before.parameters.get('conv1/kernel')?.data).toEqual(kept);
        expect(parameters.get('conv1/kernel')?.data).toEqual(kept);
      });

      test('computes logits of any number of images with the parameters of the last step', async () => {
        const session = await open(network, parameters);
        const { parameters: now } = await train(session, batches);
        const { inputs } = drawnBatch(network, 70, 'forward');
        const logits = await session.forward(inputs, 70);
        const expected = Float32Array.from(referenceForward(network, doubles(now), inputs, 70).flat());
        expect(largestDifference(logits, expected)).toBeLessThan(tolerance * largest(expected));
      });

      test('refuses what does not fit, and says what would', async () => {
        const session = await open(network, parameters);
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
        await expect(engine.open(network, { parameters, frozen: ['conv9'], threads: 1 })).rejects.toMatchObject({
          code: 'NETWORK_INVALID',
        });
        await expect(engine.open(network, { parameters: new Map(), threads: 1 })).rejects.toMatchObject({
          code: 'PARAMETERS_INVALID',
        });
      });
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

function negated(values: Parameters): Parameters {
  return new Map([...values].map(([name, { dims, data }]) => [name, { dims, data: data.map((value) => -value) }]));
}

function largest(data: Float32Array): number {
  return data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
}

function normOf(values: Parameters): number {
  return Math.sqrt([...values.values()].reduce((sum, { data }) => sum + data.reduce((s, v) => s + v * v, 0), 0));
}

function bytesOf(data: Float32Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
