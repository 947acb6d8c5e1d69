import { seededRandom } from '../../common/domain/random.ts';
import { basicCnn } from '../../trainer/backbone/basic-cnn.ts';
import { headNetwork, inceptionTop } from '../../trainer/backbone/inception-v3.ts';
import type { Batch, StepSettings, TrainSession } from '../../trainer/engine/engine.ts';
import { initialParameters } from '../../trainer/engine/initialise.ts';
import type { Network } from '../../trainer/engine/network.ts';
import { OrtEngine } from '../../trainer/engine/onnxruntime/engine.ts';
import { benchOptions, machine, median, pairedRatio, printResult, takeTurns } from './report.ts';
import { openPyTorch } from './train/pytorch.ts';

const USAGE = `bench:train: a training step of InceptionV3's mixed9, mixed10 and head at batch 32, with random weights, on 2 threads;
beside it the same step in PyTorch where CAMFLEET_PYTHON (default python3) has it; and a step of the Basic CNN at 64×64.

  --steps N      then N further steps (1000 is the design's number), and resident memory after the first fifth of
                 them and at the end`;

const THREADS = 2;
const CLASSES = 19;
const IMAGES = 32;
const SETTINGS: StepSettings = { learningRate: 1e-4, momentum: 0.9, clipNorm: 5 };

/** Runs one step on the same batch every time: its content does not matter for its cost. */
async function openStep(network: Network): Promise<{ session: TrainSession; step: () => Promise<number> }> {
  const parameters = initialParameters(network, { seed: 1 });
  const session = await new OrtEngine().open(network, { parameters, threads: THREADS });
  const size = network.input.reduce((product, dim) => product * dim, 1);
  const batch: Batch = {
    inputs: Float32Array.from({ length: IMAGES * size }, seededRandom('inputs')),
    labels: Int32Array.from({ length: IMAGES }, (_, i) => i % CLASSES),
  };
  const step = async () => {
    const { loss } = await session.step(batch, SETTINGS);
    if (!Number.isFinite(loss)) throw new Error(`The loss became ${loss}; the figures would mean nothing.`);
    return IMAGES;
  };
  return { session, step };
}

/** Resident memory in MB after the first fifth, in which buffers find their size, and at the end. */
async function memoryOver(steps: number, step: () => Promise<number>): Promise<Record<string, number>> {
  const settled = Math.ceil(steps / 5);
  let before = process.memoryUsage.rss();
  for (let i = 0; i < steps; i++) {
    if (i === settled) before = process.memoryUsage.rss();
    await step();
    if (i % 100 === 99) console.error(`step ${i + 1}: ${(process.memoryUsage.rss() / 1e6).toFixed(0)} MB`);
  }
  const after = process.memoryUsage.rss();
  return { steps, rssWarmMb: before / 1e6, rssEndMb: after / 1e6, rssGrowthMb: (after - before) / 1e6 };
}

const { json, seconds, flags } = benchOptions(USAGE, { seconds: 24, flags: { steps: 'string' } });
const steps = Number(flags['steps'] || 0);
if (!Number.isInteger(steps) || steps < 0) {
  console.error(`--steps must be a whole number, not ${String(flags['steps'])}.`);
  process.exit(2);
}
const python = process.env['CAMFLEET_PYTHON'] ?? 'python3';
const pytorch = await openPyTorch(python, { threads: THREADS, classes: CLASSES, images: IMAGES });
if (!pytorch) console.error(`${python} has no PyTorch: no ratio. Set CAMFLEET_PYTHON to a Python that has it.`);
try {
  const top = await openStep(headNetwork('top', [1280, 8, 8], inceptionTop('mixed8'), CLASSES));
  const rates = await takeTurns(
    { camfleet: top.step, ...(pytorch && { pytorch: () => pytorch.step().then(() => IMAGES) }) },
    { seconds },
  );
  const basic = await openStep(basicCnn({ classes: CLASSES }));
  const basicRates = await takeTurns({ basic: basic.step }, { seconds: seconds / 4 });
  await basic.session.close();
  const memory = steps > 0 ? await memoryOver(steps, top.step) : {};
  await top.session.close();
  printResult(
    {
      bench: 'train',
      ratios: pytorch ? { vsPyTorch: pairedRatio(rates, 'camfleet', 'pytorch') } : {},
      figures: {
        msPerImage: 1_000 / median(rates['camfleet'] ?? []),
        ...(pytorch && { msPerImagePyTorch: 1_000 / median(rates['pytorch'] ?? []) }),
        basicCnnMsPerStep: (1_000 * IMAGES) / median(basicRates['basic'] ?? []),
        ...memory,
      },
      machine: machine(),
    },
    json,
  );
} finally {
  await pytorch?.close();
}
