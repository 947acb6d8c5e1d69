import { basicCnn } from '../backbone/basic-cnn.ts';
import type { TrainSession } from '../engine/engine.ts';
import { Images } from '../images.ts';
import { settingsOf } from '../presets.ts';
import type { SplitContext } from './context.ts';
import type { ModelResult } from './results.ts';
import { trainHead } from './train-head.ts';
import type { Trained, TrainingTask } from './train-head.ts';

/** The row "Basic CNN": the small network of `camfleet train`, from scratch on augmented pictures, as many passes as the heads. */
export async function trainBasicCnn(
  context: SplitContext,
): Promise<{ trained: Omit<Trained, 'session'>; logits: ModelResult['logits'] }> {
  const { dataset, balanced, seed, settings } = context;
  const preset = settingsOf(settings.basicCnn.preset);
  const images = new Images(dataset, preset, seed);
  const further = balanced && new Images(balanced, preset, seed);
  try {
    const { session, ...trained } = await trainHead({
      ...taskOf(context, images),
      network: basicCnn({ classes: dataset.classes.length, size: preset.input.width }),
      batch: preset.batch,
      optimiser: preset.optimiser,
    });
    try {
      return { trained, logits: await judge(session, images, further) };
    } finally {
      await session.close();
    }
  } finally {
    await images.close();
    await further?.close();
  }
}

async function judge(
  session: TrainSession,
  images: Images,
  further: Images | undefined,
): Promise<ModelResult['logits']> {
  return {
    reference: await images.logits('reference', session),
    test: await images.logits('test', session),
    balanced: further ? await further.logits('test', session) : new Float32Array(0),
  };
}

function taskOf(context: SplitContext, images: Images): Omit<TrainingTask, 'network' | 'batch' | 'optimiser'> {
  const { seed, settings, engine, threads, signal, dataset } = context;
  return {
    name: 'basic-cnn',
    recipe: {
      views: 'pool',
      seedShift: 0,
      stages: [{ passes: settings.passes, sampler: 'instance', loss: 'ce', eq2: 'paper' }],
    },
    data: {
      classes: dataset.classes.length,
      labels: images.labels('training'),
      referenceLabels: images.labels('reference'),
      batches: (draws) => images.training(draws),
      referenceLogits: (session) => images.logits('reference', session),
    },
    ...{ engine, threads, seed, settings, signal },
    // Counted apart from the heads' steps, which take another time.
    onSteps: () => undefined,
  };
}
