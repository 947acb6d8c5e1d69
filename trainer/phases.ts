import type { TrainingImages } from './images.ts';
import type { LossTerms } from './losses/loss.ts';
import { losses } from './losses/losses.ts';
import { runAfter } from './progress.ts';
import type { Progress } from './progress.ts';
import { baseOf } from './sampling/eq2.ts';
import { ClassQueues, samplesByClass } from './sampling/queues.ts';
import type { SamplingPlan } from './sampling/sampler.ts';
import { samplers } from './sampling/samplers.ts';
import type { Phase } from './schedule.ts';
import type { LevelSettings, Optimiser } from './settings.ts';
import { learningRateAt } from './settings.ts';

/** The phase that the model under way is in. */
export const phaseOf = ({ model, schedule }: Progress): Phase => schedule.phases[model.run][model.phase] as Phase;

/** Batch size and optimiser of the phase, and what the next step takes. */
export function rateOf(progress: Progress): {
  batch: number;
  optimiser: Optimiser;
  learningRate: number;
  momentum: number;
  clipNorm: number;
} {
  const { model, request } = progress;
  const { level, steps } = phaseOf(progress);
  const { batch, optimiser, levelTwo } = request.settings;
  const own: Omit<LevelSettings, 'passes'> = level === 2 && levelTwo ? levelTwo : { batch, optimiser };
  const learningRate = learningRateAt(own.optimiser, model.steps + model.step, steps);
  const { momentum, clipNorm } = own.optimiser;
  return { batch: own.batch, optimiser: own.optimiser, learningRate, momentum, clipNorm };
}

/** Eq. 2 waits for the last level: before it M1 samples all classes alike. */
const steersByF1 = ({ model, schedule }: Progress): boolean =>
  (schedule.phases[model.run].at(-1) as Phase).level === schedule.phases[model.run][model.phase]?.level;

/** Sizes of this iteration's samples: for M1 by Eq. 2 from the F1 of the last evaluation. */
export function planOf(progress: Progress, images: TrainingImages): SamplingPlan {
  const { model, request } = progress;
  const { sampler, eq2 } = request.settings.sampling[model.run];
  const { trains, passes } = phaseOf(progress);
  const trainingCounts = images.counts.training;
  return samplers[trains === 'classifier' ? 'balanced-batches' : sampler].plan({
    iteration: model.iteration - model.firstIteration + 1,
    iterations: passes,
    trainingCounts,
    referenceCounts: images.counts.reference,
    f1: steersByF1(progress) ? model.f1 : null,
    base: baseOf(trainingCounts),
    eq2: { ...eq2, cap: eq2.cap ?? Infinity },
  });
}

/** What the loss needs of this iteration; a classifier that is trained again on balanced samples takes plain cross-entropy. */
export function lossOf(progress: Progress, images: TrainingImages, sizes: readonly number[]): LossTerms {
  const { model, request } = progress;
  const { loss, tau, beta } = request.settings.losses[model.run];
  const reference = model.hits && { truePositives: model.hits, images: images.counts.reference };
  return losses[phaseOf(progress).trains === 'classifier' ? 'ce' : loss].terms({ sizes, reference, tau, beta });
}

/** The queues of the iteration under way, as they were before it. */
export function queuesOf(progress: Progress, images: TrainingImages): ClassQueues {
  const labels = images.labels('training');
  const queues = new ClassQueues(seedOf(progress), samplesByClass(labels, images.classes.length));
  if (progress.model.queues) queues.restore(progress.model.queues);
  return queues;
}

/** Seconds that are left: this phase as fast as its last iteration, later ones as measured before the start, else likewise. */
export function etaOf({ model, schedule, request, iterations }: Progress, seconds: number, steps: number): number {
  if (steps === 0) return 0;
  const phases = schedule.phases[model.run];
  const stepSeconds = (level: number): number => {
    const last = iterations.findLast((entry) => entry.level === level && entry.seconds > 0);
    const isHere = phases[model.phase]?.level === level;
    if (isHere) return seconds / steps;
    const measured = schedule.seconds[level]?.step;
    if (measured) return measured;
    const pass = phases.find((phase) => phase.level === level);
    return last && pass ? last.seconds / (pass.steps / pass.passes) : seconds / steps;
  };
  const here = (phases[model.phase] as Phase).steps - model.steps;
  const cost = (list: readonly Phase[]): number => list.reduce((sum, phase) => sum + phase.steps * stepSeconds(phase.level), 0); // prettier-ignore
  const next = runAfter(model.run);
  const rest =
    here * stepSeconds((phases[model.phase] as Phase).level) +
    cost(phases.slice(model.phase + 1)) +
    (next ? cost(schedule.phases[next]) : 0);
  if (!needsFolds(request.settings)) return rest;
  const { folds } = request.settings;
  return rest + (folds - 1) * (cost(schedule.phases.m0) + cost(schedule.phases.m1));
}

/** Whether both models are trained again without each fold. */
export const needsFolds = ({ fusion, finish }: Progress['request']['settings']): boolean =>
  fusion === 'modern' || finish.tau === 'search';

/** Both orders differ, also where M1's sample sizes happen to be M0's. */
export function seedOf({ model, request }: Progress): number {
  return seedsOf(request.seed)[model.run];
}

export const seedsOf = (seed: number): { m0: number; m1: number } => ({ m0: seed, m1: seed + 1_000_003 });
