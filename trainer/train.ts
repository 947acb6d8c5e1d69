import type { IterationReport } from '../common/domain/training.ts';
import { AppError } from '../common/runtime/errors.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { TrainSession } from './engine/engine.ts';
import type { Network, Parameters } from './engine/network.ts';
import { evaluate } from './evaluate/metrics.ts';
import { predictions, rowsOf } from './evaluate/probabilities.ts';
import type { TrainingImages } from './images.ts';
import { batchTerms } from './losses/losses.ts';
import { effectivePrior } from './losses/prior.ts';
import type { Model } from './model.ts';
import { etaOf, lossOf, phaseOf, planOf, queuesOf, rateOf, seedOf } from './phases.ts';
import { begin, runAfter, save } from './progress.ts';
import type { Progress, Weights } from './progress.ts';
import { drawIteration } from './sampling/draw.ts';
import { explainSizes } from './sampling/explain.ts';
import type { ClassQueues, Draw } from './sampling/queues.ts';
import type { SamplingPlan } from './sampling/sampler.ts';
import { referenceF1, smoothF1 } from './sampling/smoothing.ts';

/** What the loop works on; `progress` and `weights` change as it goes, and are what a checkpoint keeps. */
export interface Training {
  /** Of checkpoints. */
  folder: string;
  /** What people resume, where that is another folder: a fold belongs to a run. */
  runFolder?: string;
  images: TrainingImages;
  model: Pick<Model, 'networks' | 'start' | 'open' | 'lift'>;
  progress: Progress;
  weights: Weights;
  clock: Clock;
  signal: AbortSignal;
  onIteration(report: IterationReport): void;
}

/** Both models as they came out of their last level. */
export interface TrainedModels {
  m0: Parameters;
  m1: Parameters;
}

/**
 * Trains M0 plainly, then M1 by Algorithm 1, each through its levels, from wherever `progress` stands.
 *
 * @returns the weights of both
 * @throws AppError `TRAINING_INTERRUPTED`, `TRAINING_DIVERGED`, `CHECKPOINT_UNWRITABLE`
 */
export async function trainBoth(training: Training): Promise<TrainedModels> {
  const { progress, weights, model } = training;
  for (;;) {
    const trained = await trainModel(training);
    const { run, prior } = progress.model;
    progress.priors[run] = normalised(prior);
    const next = runAfter(run);
    if (next === undefined) return { m0: weights.m0 as Parameters, m1: trained };
    // M1 starts from M_S, never from M0, with a momentum of its own.
    Object.assign(weights, { m0: trained, best: null, current: { parameters: model.start } });
    progress.model = begin(next);
  }
}

/** One model from where it stands through its last phase. @returns its weights */
async function trainModel(training: Training): Promise<Parameters> {
  const { progress, weights, model } = training;
  for (;;) {
    if (!progress.model.finished) await trainPhase(training);
    const trained = weights.best ?? weights.current.parameters;
    const { run, phase, iteration } = progress.model;
    const next = progress.schedule.phases[run][phase + 1];
    if (next === undefined) return trained;
    const parameters =
      next.trains === 'classifier' ? withNewClassifier(training, trained) : model.lift(next.level, trained);
    // Momentum is reset between levels.
    Object.assign(weights, { best: null, current: { parameters } });
    Object.assign(progress.model, {
      phase: phase + 1,
      firstIteration: iteration,
      steps: 0,
      best: null,
      finished: false,
    });
  }
}

/** cRT: the last layer as it was before training, everything below it as it is. */
function withNewClassifier({ model, progress }: Training, trained: Parameters): Parameters {
  const { level } = phaseOf(progress);
  const start = model.lift(level, model.start);
  const below = `${classifierOf(model.networks[level - 1] as Network)}/`;
  return new Map(
    [...trained].map(([name, value]) => [name, name.startsWith(below) ? (start.get(name) ?? value) : value]),
  );
}

/** The last layer: a dense one, as every network here ends in one logit a class. */
function classifierOf({ layers }: Network): string {
  const last = layers.at(-1);
  return last?.kind === 'dense' ? last.name : '';
}

async function trainPhase(training: Training): Promise<void> {
  const { progress, weights, model } = training;
  const phase = phaseOf(progress);
  const last = classifierOf(model.networks[phase.level - 1] as Network);
  const below = [...weights.current.parameters.keys()].filter((name) => !name.startsWith(`${last}/`));
  const session = await model.open(phase.level, weights.current.parameters, phase.trains === 'classifier' ? below : []);
  try {
    await session.restore(weights.current);
    const queues = queuesOf(progress, training.images);
    while (!progress.model.finished) await runIteration(training, session, queues);
  } finally {
    await session.close();
  }
}

/** Sample, step through the batches, judge on the reference part, checkpoint. */
async function runIteration(training: Training, session: TrainSession, queues: ClassQueues): Promise<void> {
  const { progress, clock, images } = training;
  const { model } = progress;
  const startedAt = clock.monotonic();
  model.queues = queues.state();
  const plan = planOf(progress, images);
  const batches = drawIteration({
    plan,
    queues,
    seed: seedOf(progress),
    iteration: model.iteration,
    batchSize: rateOf(progress).batch,
  }).slice(0, phaseOf(progress).steps - model.steps);

  await stepThrough(training, session, batches);
  const logits = await images.logits('reference', session, phaseOf(progress).level);
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
  const { images, progress } = training;
  const { model } = progress;
  const sizes = images.countClasses(batches.flat());
  const terms = lossOf(progress, images, sizes);
  const expected = effectivePrior(sizes);
  for await (const batch of images.training(batches.slice(model.step), phaseOf(progress).level)) {
    if (training.signal.aborted) await interrupt(training, session);
    const rate = rateOf(progress);
    const { loss, gradientNorm } = await session.step({ ...batch, ...batchTerms(terms, batch.labels) }, rate);
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) throw diverged(training, loss);
    model.step++;
    model.lossSum += loss;
    model.prior = expected.map((share, j) => (model.prior[j] ?? 0) + share * rate.learningRate);
  }
}

/** Moves the model to its next iteration and reports the one that ended. */
function finishIteration(
  { progress, images }: Training,
  plan: SamplingPlan,
  batches: readonly Draw[][],
  logits: Float32Array,
  seconds: number,
): void {
  const { model, request } = progress;
  const { decay, shrinkage } = request.settings.sampling[model.run];
  const { level, steps } = phaseOf(progress);
  const truth = images.labels('reference');
  const judged = evaluate(images.classes, truth, predictions(rowsOf(logits, images.classes.length)));
  model.f1 = smoothF1(model.f1, referenceF1(judged.confusion, shrinkage), decay);
  model.hits = judged.confusion.map((row, j) => row[j] as number);
  model.steps += batches.length;
  progress.iterations.push({
    run: model.run,
    level,
    iteration: model.iteration,
    iterations: iterationsOf(progress, batches.length),
    loss: model.lossSum / Math.max(1, batches.length),
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
  model.finished = model.steps >= steps || batches.length === 0;
}

/** Iterations of this model, those to come as long as the last one. */
function iterationsOf({ model, schedule }: Progress, batches: number): number {
  const phases = schedule.phases[model.run];
  const left = (phases[model.phase]?.steps ?? 0) - model.steps;
  const later = phases.slice(model.phase + 1).reduce((sum, { passes }) => sum + passes, 0);
  return model.iteration + Math.ceil(Math.max(0, left) / Math.max(1, batches)) + later;
}

/** Where a run stops early: the iteration with the best smoothed macro-F1 is kept, and the phase ends without a better one. */
function keepBest({ progress, weights }: Training): void {
  const { model, request, schedule, iterations } = progress;
  const { stopping } = request.settings;
  if (!stopping) return;
  const scores = iterations
    .filter(({ run, iteration }) => run === model.run && iteration >= model.firstIteration)
    .map(({ macroF1 }) => macroF1);
  const newest = scores.slice(-stopping.window);
  const macroF1 = newest.reduce((sum, score) => sum + score, 0) / newest.length;
  const iteration = scores.length;
  const isBetter = !model.best || macroF1 > model.best.macroF1 + TIE;
  // With few reference images many iterations are equally good: the newest of them has learned longest.
  if (isBetter || macroF1 > (model.best?.macroF1 ?? 0) - TIE) {
    model.best = { iteration, macroF1, since: isBetter ? iteration : (model.best?.since ?? iteration) };
    weights.best = weights.current.parameters;
  }
  const isLate = model.steps >= stopping.earliest * phaseOf(progress).steps;
  if (!isLate || iteration - (model.best?.since ?? iteration) < stopping.patience) return;
  model.finished = true;
  const newestReport = iterations.at(-1);
  // Nothing of this model comes after it.
  if (newestReport && schedule.phases[model.run].length === model.phase + 1)
    newestReport.iterations = newestReport.iteration;
}

/** Equal figures of different sums differ in the 16th digit. */
const TIE = 1e-12;

async function interrupt(training: Training, session: TrainSession): Promise<never> {
  training.weights.current = await session.state();
  await checkpoint(training);
  throw interrupted(training.runFolder ?? training.folder);
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
  const { learningRate: start } = rateOf(progress).optimiser;
  const option = phaseOf(progress).level === 1 ? '--learning-rate' : '--learning-rate-2';
  return new AppError(
    'TRAINING_DIVERGED',
    `The loss of ${model.run.toUpperCase()} became ${loss} in iteration ${model.iteration} of preset ${request.settings.preset}. ` +
      `Lower the learning rate in a new run (it began at ${start}; try ${option} ${start / 4}). The checkpoint of the last good iteration is in ${folder}.`,
  );
}

function normalised(weights: readonly number[]): number[] {
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / whole);
}
