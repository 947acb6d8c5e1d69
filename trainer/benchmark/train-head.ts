import { AppError } from '../../common/runtime/errors.ts';
import type { Batch, TrainEngine, TrainSession } from '../engine/engine.ts';
import { initialParameters } from '../engine/initialise.ts';
import type { Network, Parameters } from '../engine/network.ts';
import { confusionMatrix, summarise } from '../evaluate/metrics.ts';
import { predictions, rowsOf } from '../evaluate/probabilities.ts';
import { batchTerms, losses } from '../losses/losses.ts';
import { effectivePrior } from '../losses/prior.ts';
import { classCounts, drawIteration } from '../sampling/draw.ts';
import { baseOf } from '../sampling/eq2.ts';
import type { Draw } from '../sampling/queues.ts';
import { ClassQueues, samplesByClass } from '../sampling/queues.ts';
import { samplers } from '../sampling/samplers.ts';
import { referenceF1 } from '../sampling/smoothing.ts';
import { learningRateAt } from '../settings.ts';
import type { Optimiser } from '../settings.ts';
import { interrupted } from './interrupted.ts';
import type { Recipe, Stage } from './recipes.ts';
import type { BenchmarkSettings } from './settings.ts';

/** Images to learn from and to steer by, whatever the network takes. */
export interface TrainingData {
  classes: number;
  /** Of the training images, in the order of the draws' samples. */
  labels: Int32Array;
  referenceLabels: Int32Array;
  batches(draws: readonly (readonly Draw[])[]): AsyncIterable<Batch>;
  referenceLogits(session: TrainSession): Promise<Float32Array>;
}

export interface TrainingTask {
  name: string;
  recipe: Recipe;
  data: TrainingData;
  network: Network;
  /** Default: drawn by seed. */
  start?: Parameters;
  engine: TrainEngine;
  threads: number;
  seed: number;
  batch: number;
  optimiser: Optimiser;
  settings: Pick<BenchmarkSettings, 'eq2' | 'difficulty'>;
  signal: AbortSignal;
  onSteps(steps: number): void;
}

/** What an iteration did, for the figures. */
export interface Iteration {
  stage: number;
  loss: number;
  /** On the reference part. */
  macroF1: number;
  accuracy: number;
  f1: number[];
  /** N_ij, as drawn. */
  sampleSizes: number[];
}

export interface Trained {
  session: TrainSession;
  iterations: Iteration[];
  steps: number;
  /** The mixture of classes that the model learned to expect: of all iterations, each as heavy as its learning rate. */
  prior: number[];
}

/** Steps of a stage: whole passes over as many samples as there are training images. */
export const stepsOf = ({ passes }: Pick<Stage, 'passes'>, images: number, batch: number): number =>
  passes * Math.ceil(images / batch);

/**
 * Trains one head through the stages of its recipe, to its last step; nothing stops early. Close the session.
 *
 * @throws AppError `TRAINING_DIVERGED`, `BENCHMARK_INTERRUPTED`
 */
export async function trainHead(task: TrainingTask): Promise<Trained> {
  const { recipe, network, seed } = task;
  const start = task.start ?? initialParameters(network, { seed: startSeed(task) });
  let parameters: Parameters = start;
  let session: TrainSession | undefined;
  const iterations: Iteration[] = [];
  const prior = task.data.labels.length > 0 ? new Array<number>(task.data.classes).fill(0) : [];
  let steps = 0;
  try {
    for (const [index, stage] of recipe.stages.entries()) {
      if (session) parameters = restarted((await session.state()).parameters, start, stage.restart);
      await session?.close();
      session = await task.engine.open(network, {
        parameters,
        threads: task.threads,
        ...(stage.frozen !== undefined && { frozen: [stage.frozen] }),
      });
      steps += await new StageRun(task, stage, index, seed + recipe.seedShift, session, iterations, prior).run();
    }
  } catch (error) {
    await session?.close();
    throw error;
  }
  const whole = prior.reduce((sum, share) => sum + share, 0);
  return { session: session as TrainSession, iterations, steps, prior: prior.map((share) => share / whole) };
}

/** M1 starts from M_S, as M0 does: only a recipe for another M0 starts elsewhere. */
const startSeed = ({ recipe, seed }: TrainingTask): number =>
  recipe.stages.some(({ sampler }) => sampler === 'f1-dynamic') ? seed : seed + recipe.seedShift;

function restarted(now: Parameters, start: Parameters, below: string | undefined): Parameters {
  if (below === undefined) return now;
  return new Map(
    [...now].map(([name, value]) => [name, name.startsWith(`${below}/`) ? (start.get(name) ?? value) : value]),
  );
}

class StageRun {
  readonly #task: TrainingTask;
  readonly #stage: Stage;
  readonly #index: number;
  readonly #seed: string;
  readonly #session: TrainSession;
  readonly #iterations: Iteration[];
  readonly #prior: number[];
  readonly #queues: ClassQueues;
  readonly #counts: { training: number[]; reference: number[] };
  readonly #steps: number;
  #done = 0;
  #f1: (number | null)[] | null = null;
  #reference: { truePositives: number[]; images: number[] } | null = null;

  constructor(
    task: TrainingTask,
    stage: Stage,
    index: number,
    seed: number,
    session: TrainSession,
    iterations: Iteration[],
    prior: number[],
  ) {
    const { labels, referenceLabels, classes } = task.data;
    this.#task = task;
    this.#stage = stage;
    this.#index = index;
    this.#seed = `${seed}/${index}`;
    this.#session = session;
    this.#iterations = iterations;
    this.#prior = prior;
    this.#queues = new ClassQueues(this.#seed, samplesByClass(labels, classes));
    this.#counts = { training: countsOf(labels, classes), reference: countsOf(referenceLabels, classes) };
    this.#steps = stepsOf(stage, labels.length, task.batch);
  }

  /** @returns steps taken */
  async run(): Promise<number> {
    for (let iteration = 1; this.#done < this.#steps; iteration++) await this.#iterate(iteration);
    return this.#steps;
  }

  async #iterate(iteration: number): Promise<void> {
    const { data, settings } = this.#task;
    const { cap, ...eq2 } = settings.eq2[this.#stage.eq2];
    const plan = samplers[this.#stage.sampler].plan({
      iteration,
      iterations: this.#stage.passes,
      trainingCounts: this.#counts.training,
      referenceCounts: this.#counts.reference,
      f1: this.#f1,
      base: baseOf(this.#counts.training),
      eq2: { ...eq2, cap: cap ?? Infinity },
    });
    const drawn = { plan, queues: this.#queues, seed: this.#seed, iteration, batchSize: this.#task.batch };
    const batches = drawIteration(drawn).slice(0, this.#steps - this.#done);
    const sizes = classCounts(batches.flat(), data.labels, data.classes);
    const loss = await this.#learn(batches, sizes);
    await this.#judge(sizes, loss);
  }

  async #learn(batches: readonly (readonly Draw[])[], sizes: readonly number[]): Promise<number> {
    const { data, optimiser, settings, signal } = this.#task;
    const terms = losses[this.#stage.loss].terms({
      sizes,
      reference: this.#reference,
      tau: settings.difficulty,
      beta: 0,
    });
    const expected = effectivePrior(sizes);
    let sum = 0;
    for await (const batch of data.batches(batches)) {
      if (signal.aborted) throw interrupted();
      const learningRate = learningRateAt(optimiser, this.#done, this.#steps);
      const { momentum, clipNorm } = optimiser;
      const result = await this.#session.step(
        { ...batch, ...batchTerms(terms, batch.labels) },
        { learningRate, momentum, clipNorm },
      );
      if (!Number.isFinite(result.loss)) throw diverged(this.#task, result.loss);
      sum += result.loss;
      this.#done++;
      expected.forEach((share, j) => (this.#prior[j] = (this.#prior[j] as number) + share * learningRate));
    }
    this.#task.onSteps(batches.length);
    return sum / Math.max(1, batches.length);
  }

  async #judge(sampleSizes: number[], loss: number): Promise<void> {
    const { data } = this.#task;
    const logits = await data.referenceLogits(this.#session);
    if (!logits.every(Number.isFinite)) throw diverged(this.#task, NaN);
    const predicted = predictions(rowsOf(logits, data.classes));
    const confusion = confusionMatrix(data.referenceLabels, predicted, data.classes);
    const { macroF1, accuracy, f1 } = summarise(confusion);
    this.#f1 = referenceF1(confusion);
    this.#reference = {
      truePositives: confusion.map((row, j) => row[j] as number),
      images: this.#counts.reference,
    };
    this.#iterations.push({ stage: this.#index, loss, macroF1, accuracy, f1, sampleSizes });
  }
}

export function countsOf(labels: ArrayLike<number>, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (let i = 0; i < labels.length; i++) counts[labels[i] as number] = (counts[labels[i] as number] as number) + 1;
  return counts;
}

const diverged = ({ name, optimiser }: TrainingTask, loss: number): AppError =>
  new AppError(
    'TRAINING_DIVERGED',
    `The loss of "${name}" became ${loss}. Its learning rate begins at ${optimiser.learningRate}; lower it in the settings.`,
  );
