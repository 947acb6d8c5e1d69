import type { Clock } from '../common/runtime/clock.ts';
import type { TrainingImages } from './images.ts';
import type { Model } from './model.ts';
import type { TrainRequest } from './request.ts';
import { batchesOf } from './sampling/draw.ts';
import { scheduleOf, TIMED_STEPS } from './schedule.ts';
import type { Schedule, StepSeconds } from './schedule.ts';
import type { LevelSettings } from './settings.ts';

/** The first step builds the graph and warms the caches: it would count twenty times. */
const WARM_UP_STEPS = 2;

export interface Measurement {
  request: TrainRequest;
  images: TrainingImages;
  model: Model;
  clock: Clock;
}

/** How long both models will train. Steps are timed on a network that is thrown away, so they change nothing. */
export async function measureSchedule(measurement: Measurement): Promise<Schedule> {
  const { request, images } = measurement;
  const { settings, budgetSeconds, passes } = request;
  // With a budget and one level the number of its passes does not matter.
  const one: LevelSettings = { ...settings, passes: passes ?? settings.passes ?? 1 };
  const levels: (LevelSettings & StepSeconds)[] = [];
  for (const [i, level] of (settings.levelTwo ? [one, settings.levelTwo] : [one]).entries()) {
    const seconds = passes === null ? await timeSteps(measurement, i + 1, level) : { step: 0, evaluation: 0 };
    levels.push({ ...level, ...seconds });
  }
  return scheduleOf({
    trainingImages: images.labels('training').length,
    levels,
    budgetSeconds: passes === null ? budgetSeconds : undefined,
    classifierPasses: settings.finish.classifierPasses,
  });
}

async function timeSteps(
  { images, model, clock }: Measurement,
  level: number,
  { batch, optimiser }: LevelSettings,
): Promise<StepSeconds> {
  const trainingImages = images.labels('training').length;
  const draws = Array.from({ length: (WARM_UP_STEPS + TIMED_STEPS) * batch }, (_, i) => ({
    sample: i % trainingImages,
    repetition: Math.floor(i / trainingImages),
  }));
  const session = await model.open(level, model.lift(level, model.start));
  try {
    let taken = 0;
    let startedAt = clock.monotonic();
    for await (const one of images.training(batchesOf(draws, batch), level)) {
      await session.step(one, { ...optimiser, learningRate: 0 });
      if (++taken === WARM_UP_STEPS) startedAt = clock.monotonic();
    }
    const step = (clock.monotonic() - startedAt) / 1000 / TIMED_STEPS;
    // Whatever has to be computed once is not part of an evaluation.
    await images.logits('reference', session, level, 1);
    startedAt = clock.monotonic();
    await images.logits('reference', session, level);
    return { step, evaluation: (clock.monotonic() - startedAt) / 1000 };
  } finally {
    await session.close();
  }
}
