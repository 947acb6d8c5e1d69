import { describe, expect, test, vi } from 'vitest';
import { codeOf, messageOf } from '../../../common/runtime/errors.ts';
import { basicCnn } from '../../../trainer/backbone/basic-cnn.ts';
import type { TrainEngine } from '../../../trainer/engine/engine.ts';
import { initialParameters } from '../../../trainer/engine/initialise.ts';
import type { Network } from '../../../trainer/engine/network.ts';
import { OrtEngine } from '../../../trainer/engine/onnxruntime/engine.ts';
import { TfjsEngine } from '../../../trainer/engine/tfjs/tfjs-engine.ts';
import { engineConformance } from '../../support/engine-conformance.ts';
import { drawnBatch, drawnParameters, inceptionBlock, tiny } from '../../support/tiny-networks.ts';

// Each layer of each step is a call into TensorFlow: on busy cores the longest of these tests takes 20 s.
vi.setConfig({ testTimeout: 120_000 });

// Three digits of a product are otherwise lost on a GPU since Ampere, where float32 means TF32.
process.env['NVIDIA_TF32_OVERRIDE'] ??= '0';

const engine = await TfjsEngine.load({ threads: 2 }).catch((error: unknown) => {
  if (codeOf(error) !== 'TFJS_UNAVAILABLE') throw error;
  console.log(`The tests of the tfjs-node-gpu engine are skipped. ${messageOf(error)}`);
  return undefined;
});
if (engine) console.log(`The tests of the tfjs-node-gpu engine run on ${engine.describe()}`);

describe.skipIf(engine === undefined)('the tfjs-node-gpu engine (needs `npm run link-tensorflow`)', () => {
  const tfjs = engine as TfjsEngine;

  // Which thread adds first is open in TensorFlow, so equal starts agree to rounding only.
  engineConformance('tfjs-node-gpu', () => tfjs, { bitwise: false });

  test('names what it runs on', () => {
    expect(tfjs.describe()).toMatch(/^@tensorflow\/tfjs-node(-gpu)? 4\.\d+\.\d+, TensorFlow 2\.\d+\.\d+, (GPU|CPU)/);
  });

  describe('frees every tensor', () => {
    const network = tiny([inceptionBlock('first')]);
    const parameters = drawnParameters(network, 'leak');
    const batch = { ...drawnBatch(network, 4, 'leak'), weights: Float32Array.of(1, 2, 0.5, 1) };
    const settings = { learningRate: 0.05, momentum: 0.9, clipNorm: 1 };

    test('over 200 steps, forward passes, states and restores', async () => {
      const before = tfjs.tensors;
      const session = await tfjs.open(network, { parameters, frozen: ['first/a'], threads: 2 });
      const open = tfjs.tensors;
      for (let step = 0; step < 200; step++) {
        await session.step(batch, settings);
        expect(tfjs.tensors, `step ${step}`).toBe(open);
      }
      await session.forward(batch.inputs, 4);
      await session.restore(await session.state());
      expect(tfjs.tensors).toBe(open);
      await session.close();
      expect(tfjs.tensors).toBe(before);
    });

    test('when it refuses', async () => {
      const session = await tfjs.open(network, { parameters, threads: 2 });
      const open = tfjs.tensors;
      const wrong = { dims: [1], data: new Float32Array(1) };
      await expect(session.step({ ...batch, labels: Int32Array.of(9, 9, 9, 9) }, settings)).rejects.toThrow('Label 9');
      await expect(session.forward(batch.inputs, 3)).rejects.toMatchObject({ code: 'BATCH_INVALID' });
      const state = { parameters, momenta: new Map([['predictions/bias', wrong]]) };
      await expect(session.restore(state)).rejects.toMatchObject({ code: 'PARAMETERS_INVALID' });
      expect(tfjs.tensors).toBe(open);
      await session.close();
    });
  });

  test('a closed session says so', async () => {
    const network = tiny([], [3]);
    const session = await tfjs.open(network, { parameters: initialParameters(network, { seed: 1 }), threads: 2 });
    await session.close();
    await expect(session.state()).rejects.toMatchObject({ code: 'SESSION_CLOSED' });
    await expect(session.forward(new Float32Array(3), 1)).rejects.toMatchObject({ code: 'SESSION_CLOSED' });
  });

  describe('gives the loss curve of the onnxruntime engine over 50 steps', () => {
    const networks: Record<string, { network: Network; frozen: string[] }> = {
      'basic CNN': { network: basicCnn({ classes: 5, size: 32, widths: [8, 12, 16] }), frozen: [] },
      'Inception blocks, the lower one frozen': {
        network: tiny([inceptionBlock('first'), inceptionBlock('second')], [4, 9, 8]),
        frozen: ['first'],
      },
    };

    test.each(Object.keys(networks))('%s', async (name) => {
      const { network, frozen } = networks[name] as (typeof networks)[string];
      const curves = [];
      for (const each of [tfjs, new OrtEngine()]) curves.push(await lossCurve(each, network, frozen));
      const [ours, theirs] = curves as [number[], number[]];
      for (const [step, loss] of ours.entries()) {
        expect(Math.abs(loss - (theirs[step] as number)), `step ${step}`).toBeLessThan(1e-4);
      }
      expect(ours.at(-1)).toBeLessThan((ours[0] as number) * 0.8);
    });
  });
});

/** Cosine decay, clipping, image weights and log-priors: all that a real run uses. */
async function lossCurve(engine: TrainEngine, network: Network, frozen: string[]): Promise<number[]> {
  const session = await engine.open(network, { parameters: drawnParameters(network, 'curve'), frozen, threads: 2 });
  const batches = [0, 1, 2].map((i) => ({
    ...drawnBatch(network, 12, `curve ${i}`),
    weights: Float32Array.from({ length: 12 }, (_, image) => 0.5 + (image % 3) / 2),
    logPriors: Float32Array.from({ length: network.classes }, (_, j) => -j / 3),
  }));
  const losses = [];
  for (let step = 0; step < 50; step++) {
    const learningRate = 0.02 * (1 + Math.cos((Math.PI * step) / 50));
    const batch = batches[step % 3] as (typeof batches)[number];
    losses.push((await session.step(batch, { learningRate, momentum: 0.9, clipNorm: 1 })).loss);
  }
  await session.close();
  return losses;
}
