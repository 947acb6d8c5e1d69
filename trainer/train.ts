import type { IterationReport } from '../common/domain/training.ts';
import { AppError } from '../common/runtime/errors.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { TrainSession } from './engine/engine.ts';
import type { Parameters } from './engine/network.ts';
import { evaluate } from './evaluate/metrics.ts';
import { predictions, rowsOf } from './evaluate/probabilities.ts';
import type { Images } from './images.ts';
import { learningRateAt } from './settings.ts';
import { begin, runAfter, save } from './progress.ts';
import type { Progress, Weights } from './progress.ts';
import { drawIteration } from './sampling/draw.ts';
import type { Draw } from './sampling/queues.ts';
import { ClassQueues, samplesByClass } from './sampling/queues.ts';
import { baseOf } from './sampling/eq2.ts';
import { explainSizes } from './sampling/explain.ts';
import type { SamplingPlan } from './sampling/sampler.ts';
import { samplers } from './sampling/samplers.ts';
import { referenceF1, smoothF1 } from './sampling/smoothing.ts';

/** What the loop works on; `progress` and `weights` change as it goes, and are what a checkpoint keeps. */
export interface Training {
  folder: string;
  images: Images;
  /** M_S: both models start from these. */
  start: Parameters;
  open(parameters: Parameters): Promise<TrainSession>;
  progress: Progress;
  weights: Weights;
  clock: Clock;
  signal: AbortSignal;
  onIteration(report: IterationReport): void;
}

/**
 * Trains M0 plainly, then M1 by Algorithm 1, from wherever `progress` stands.
 *
 * @returns the weights of both
 * @throws AppError `TRAINING_INTERRUPTED`, `TRAINING_DIVERGED`, `CHECKPOINT_UNWRITABLE`
 */
export async function trainBoth(training: Training): Promise<{ m0: Parameters; m1: Parameters }> {
  const { progress, weights, start } = training;
  for (;;) {
    if (!progress.model.finished) await trainModel(training);
    const trained = weights.best ?? weights.current.parameters;
    const next = runAfter(progress.model.run);
    if (next === undefined) return { m0: weights.m0 as Parameters, m1: trained };
    // M1 starts from M_S, never from M0, with a momentum of its own.
    Object.assign(weights, { m0: trained, best: null, current: { parameters: start } });
    progress.model = begin(next);
  }
}

/** One model from where it stands to its last step. */
async function trainModel(training: Training): Promise<void> {
  const { progress, weights } = training;
  const session = await training.open(weights.current.parameters);
  try {
    await session.restore(weights.current);
    const queues = queuesOf(training);
    while (!progress.model.finished) await runIteration(training, session, queues);
  } finally {
    await session.close();
  }
}

/** Sample, step through the batches, judge on the reference part, checkpoint. */
async function runIteration(training: Training, session: TrainSession, queues: ClassQueues): Promise<void> {
  const { progress, clock, images } = training;
  const { model, schedule } = progress;
  const startedAt = clock.monotonic();
  model.queues = queues.state();
  const plan = planIteration(training);
  const batches = drawIteration({
    plan,
    queues,
    seed: seedOf(progress),
    iteration: model.iteration,
    batchSize: progress.request.settings.batch,
  }).slice(0, schedule.steps - model.steps);

  await stepThrough(training, session, batches);
  const logits = await images.logits('reference', session);
  // A last step may have spoilt the weights without showing in its own loss.
  if (!logits.every(Number.isFinite)) throw diverged(training, NaN);
  finishIteration(training, plan, batches, logits, (clock.monotonic() - startedAt) / 1000);
  model.queues = queues.state();
  training.weights.current = await session.state();
  keepBest(training);
  await checkpoint(training);
  training.onIteration(progress.iterations.at(-1) as IterationReport);
}

async function stepThrough(training: Training, session: TrainSession, batches: readonly Draw[][]): Promise<void> {
  const { model, schedule, request } = training.progress;
  const { optimiser } = request.settings;
  const ahead = training.images.training(batches.slice(model.step));
  for await (const batch of ahead) {
    if (training.signal.aborted) await interrupt(training, session);
    const learningRate = learningRateAt(optimiser, model.steps + model.step, schedule.steps);
    const { momentum, clipNorm } = optimiser;
    const { loss, gradientNorm } = await session.step(batch, { learningRate, momentum, clipNorm });
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) throw diverged(training, loss);
    model.step++;
    model.lossSum += loss;
  }
}

/** Sizes of this iteration's samples: for M1 by Eq. 2 from the F1 of the last evaluation. */
function planIteration({ progress, images }: Training): SamplingPlan {
  const { model, schedule, request } = progress;
  const { sampler, eq2 } = request.settings.sampling[model.run];
  const trainingCounts = images.counts.training;
  return samplers[sampler].plan({
    iteration: model.iteration,
    iterations: schedule.passes,
    trainingCounts,
    referenceCounts: images.counts.reference,
    f1: model.f1,
    base: baseOf(trainingCounts),
    eq2: { ...eq2, cap: eq2.cap ?? Infinity },
  });
}

/** Moves the model to its next iteration and reports the one that ended. */
function finishIteration(
  { progress, images }: Training,
  plan: SamplingPlan,
  batches: readonly Draw[][],
  logits: Float32Array,
  seconds: number,
): void {
  const { model, schedule, request } = progress;
  const { decay, shrinkage } = request.settings.sampling[model.run];
  const judged = evaluate(
    images.classes,
    images.labels('reference'),
    predictions(rowsOf(logits, images.classes.length)),
  );
  const loss = model.lossSum / Math.max(1, batches.length);
  model.f1 = smoothF1(model.f1, referenceF1(judged.confusion, shrinkage), decay);
  model.steps += batches.length;
  progress.iterations.push({
    run: model.run,
    level: 1,
    iteration: model.iteration,
    iterations: Math.max(model.iteration, schedule.passes),
    loss,
    macroF1: judged.macroF1,
    accuracy: judged.accuracy,
    f1: judged.perClass.map((entry) => entry.f1),
    sampleSizes: images.countClasses(batches.flat()),
    seconds,
    etaSeconds: etaOf(progress, seconds, batches.length),
  });
  for (const warning of explainSizes(plan, images.classes)) {
    if (!progress.warnings.includes(warning)) progress.warnings.push(warning);
  }
  Object.assign(model, { iteration: model.iteration + 1, step: 0, lossSum: 0 });
  model.finished = model.steps >= schedule.steps || batches.length === 0;
}

function etaOf({ model, schedule }: Progress, seconds: number, steps: number): number {
  const models = runAfter(model.run) === undefined ? 0 : 1;
  const left = schedule.steps - model.steps + models * schedule.steps;
  return steps === 0 ? 0 : (seconds / steps) * left;
}

/** Where a preset stops early: the iteration with the best smoothed macro-F1 is kept, and the run ends without a better one. */
function keepBest({ progress, weights }: Training): void {
  const { model, request, iterations } = progress;
  const { stopping } = request.settings;
  if (!stopping) return;
  const scores = iterations.filter(({ run }) => run === model.run).map(({ macroF1 }) => macroF1);
  const newest = scores.slice(-stopping.window);
  const macroF1 = newest.reduce((sum, score) => sum + score, 0) / newest.length;
  const iteration = scores.length;
  if (!model.best || macroF1 > model.best.macroF1) {
    model.best = { iteration, macroF1 };
    weights.best = weights.current.parameters;
  }
  if (iteration - model.best.iteration >= stopping.patience) model.finished = true;
}

/** The queues of the iteration under way, as they were before it. */
function queuesOf({ progress, images }: Training): ClassQueues {
  const labels = images.labels('training');
  const queues = new ClassQueues(seedOf(progress), samplesByClass(labels, images.classes.length));
  if (progress.model.queues) queues.restore(progress.model.queues);
  return queues;
}

async function interrupt(training: Training, session: TrainSession): Promise<never> {
  training.weights.current = await session.state();
  await checkpoint(training);
  throw interrupted(training.folder);
}

export const interrupted = (folder: string): AppError =>
  new AppError(
    'TRAINING_INTERRUPTED',
    `Training was stopped; everything is kept. Go on with: camfleet train --resume ${folder}`,
  );

async function checkpoint({ folder, progress, weights }: Training): Promise<void> {
  await save(folder, progress, weights);
}

function diverged({ progress, folder }: Training, loss: number): AppError {
  const { model, request } = progress;
  const { learningRate: start } = request.settings.optimiser;
  return new AppError(
    'TRAINING_DIVERGED',
    `The loss of ${model.run.toUpperCase()} became ${loss} in iteration ${model.iteration}. Lower the learning rate in a new run ` +
      `(it began at ${start}; try --learning-rate ${start / 4}). The checkpoint of the last good iteration is in ${folder}.`,
  );
}

/** Both orders differ, also where M1's sample sizes happen to be M0's. */
export function seedOf({ model, request }: Progress): number {
  return seedsOf(request.seed)[model.run];
}

export const seedsOf = (seed: number): { m0: number; m1: number } => ({ m0: seed, m1: seed + 1_000_003 });
