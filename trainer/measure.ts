import { trainedRuns } from '../common/domain/training.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { Images } from './images.ts';
import type { Model } from './model.ts';
import type { TrainRequest } from './request.ts';
import { batchesOf } from './sampling/draw.ts';
import { scheduleOf, TIMED_STEPS } from './schedule.ts';
import type { Schedule } from './schedule.ts';

/** The first step builds the graph and warms the caches: it would count twenty times. */
const WARM_UP_STEPS = 2;

export interface Measurement {
  request: TrainRequest;
  images: Images;
  model: Model;
  clock: Clock;
}

/** How long both models will train. Steps are timed on a network that is thrown away, so they change nothing. */
export async function measureSchedule({ request, images, model, clock }: Measurement): Promise<Schedule> {
  const { settings, budgetSeconds, passes } = request;
  const trainingImages = images.labels('training').length;
  const timing = passes === null ? await timeSteps({ request, images, model, clock }) : { step: 0, evaluation: 0 };
  return scheduleOf({
    trainingImages,
    batch: settings.batch,
    budgetSeconds,
    passes,
    secondsPerStep: timing.step,
    secondsPerEvaluation: timing.evaluation,
    models: trainedRuns.length,
  });
}

async function timeSteps({
  request,
  images,
  model,
  clock,
}: Measurement): Promise<{ step: number; evaluation: number }> {
  const { batch, optimiser } = request.settings;
  const trainingImages = images.labels('training').length;
  const draws = Array.from({ length: (WARM_UP_STEPS + TIMED_STEPS) * batch }, (_, i) => ({
    sample: i % trainingImages,
    repetition: Math.floor(i / trainingImages),
  }));
  const session = await model.open(model.start);
  try {
    let taken = 0;
    let startedAt = clock.monotonic();
    for await (const one of images.training(batchesOf(draws, batch))) {
      await session.step(one, { ...optimiser, learningRate: 0 });
      if (++taken === WARM_UP_STEPS) startedAt = clock.monotonic();
    }
    const step = (clock.monotonic() - startedAt) / 1000 / TIMED_STEPS;
    startedAt = clock.monotonic();
    await images.logits('reference', session);
    return { step, evaluation: (clock.monotonic() - startedAt) / 1000 };
  } finally {
    await session.close();
  }
}
