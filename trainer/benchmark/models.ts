import type { Clock } from '../../common/runtime/clock.ts';
import { settingsOf } from '../presets.ts';
import { ratiosOf } from '../../common/domain/dataset.ts';
import { levelOneNetwork } from '../backbone/backbone.ts';
import type { Network } from '../engine/network.ts';
import { svcDecisions, trainLinearSvc } from '../baselines/linear-svc.ts';
import { datasetFingerprint, indicesOf } from '../dataset/dataset.ts';
import type { TrainSession } from '../engine/engine.ts';
import { initialParameters } from '../engine/initialise.ts';
import { rowsOf } from '../evaluate/probabilities.ts';
import { effectivePrior } from '../losses/prior.ts';
import { trainBasicCnn } from './basic-cnn.ts';
import type { SplitContext } from './context.ts';
import { foldsOf } from '../dataset/folds.ts';
import { trainLevelTwo } from './level-two.ts';
import { recipes } from './recipes.ts';
import type { Recipe, RecipeName, Stage } from './recipes.ts';
import type { ModelResult } from './results.ts';
import type { BenchmarkSettings } from './settings.ts';
import { countsOf, trainHead } from './train-head.ts';
import type { Trained } from './train-head.ts';
import { judgedSets } from './vectors.ts';
import type { JudgedSet } from './vectors.ts';

export interface OutOfFold {
  /** One row a training image, by the model that did not learn it. */
  logits: Float32Array[];
  truth: number[];
  /** What that model expects. */
  priors: number[][];
}

/** Models of a split, trained when a row first asks for them and kept on disk. */
export class SplitModels {
  readonly context: SplitContext;
  readonly truth: Record<JudgedSet | 'training', number[]>;
  readonly counts: number[];
  /** R_j and effective prior of the training part. */
  readonly ratios: number[];
  readonly prior: number[];
  /** Models that rows asked for, in order. */
  readonly used = new Map<string, ModelResult>();
  readonly #fold: number[];
  readonly #recipes: Record<RecipeName, Recipe>;
  readonly #decidedBy: unknown[];

  constructor(context: SplitContext) {
    const { dataset, balanced, settings, seed, backbone, layer, views, engine } = context;
    const labelsOf = (part: 'training' | 'reference' | 'test'): number[] =>
      indicesOf(dataset, part).map((index) => dataset.samples[index]?.label as number);
    this.context = context;
    this.truth = {
      training: labelsOf('training'),
      reference: labelsOf('reference'),
      test: labelsOf('test'),
      balanced: balanced?.samples.map(({ label }) => label) ?? [],
    };
    this.counts = countsOf(this.truth.training, dataset.classes.length);
    this.ratios = ratiosOf(this.counts);
    this.prior = effectivePrior(this.counts);
    this.#recipes = recipes(settings);
    const training = indicesOf(dataset, 'training').flatMap((index) => dataset.samples[index] ?? []);
    this.#fold = foldsOf(training, settings.folds, seed);
    const data = [datasetFingerprint(dataset), balanced ? datasetFingerprint(balanced) : null];
    this.#decidedBy = [decisive(settings), data, backbone.digest, layer, views, engine.name];
  }

  /** A head on all training images. */
  head(name: RecipeName): Promise<ModelResult> {
    const everything = this.truth.training.map((_, i) => i);
    return this.#kept(name, async () => {
      const trained = await this.#train(name, everything);
      return this.#judged(trained, async (session) => {
        const { vectors } = this.context;
        const logits: ModelResult['logits'] = {};
        for (const set of judgedSets) logits[set] = await vectors().logits(set, session);
        return logits;
      });
    });
  }

  /** Scores of training images by heads that learned the other folds. */
  async outOfFold(name: RecipeName): Promise<OutOfFold> {
    const classes = this.counts.length;
    const result: OutOfFold = { logits: [], truth: [...this.truth.training], priors: [] };
    for (let fold = 0; fold < this.context.settings.folds; fold++) {
      const [held, rest] = [this.#inFold(fold, true), this.#inFold(fold, false)];
      const { logits, prior } = await this.#kept(`${name}/fold-${fold}`, async () =>
        this.#judged(await this.#train(name, rest), async (session) => ({
          heldOut: await this.context.vectors().trainingLogits(held, session),
        })),
      );
      const rows = rowsOf(logits.heldOut as Float32Array, classes);
      held.forEach((sample, i) => {
        result.logits[sample] = rows[i] as Float32Array;
        result.priors[sample] = prior;
      });
    }
    return result;
  }

  /** Deep features and a linear SVM. */
  svm(): Promise<ModelResult> {
    return this.#kept('svm', () => {
      const { settings, vectors } = this.context;
      const classes = this.counts.length;
      const model = trainLinearSvc(vectors().originals(), this.truth.training, classes, { C: settings.svm.C });
      const logits: ModelResult['logits'] = {};
      for (const set of judgedSets) {
        const decisions = svcDecisions(model, vectors().rows(set));
        logits[set] = Float32Array.from(decisions.flatMap((row) => Array.from(row, (value) => Math.max(value, -1e30))));
      }
      const { unconverged } = model;
      const notes = unconverged.length > 0 ? [`The SVM of ${unconverged.length} classes ran out of passes.`] : [];
      return Promise.resolve({ logits, prior: this.prior, iterations: [], steps: 0, notes });
    });
  }

  /** A network from scratch on the pictures themselves. */
  basicCnn(): Promise<ModelResult> {
    return this.#kept('basic-cnn', async () => {
      const { trained, logits } = await trainBasicCnn(this.context);
      return { logits, prior: trained.prior, iterations: trained.iterations, steps: trained.steps, notes: [] };
    });
  }

  /** A head of level 1, then the blocks behind the cut with it. */
  levelTwo(name: RecipeName): Promise<ModelResult> {
    const { maps } = this.context;
    if (!maps) throw new RangeError('Level 2 was not asked for.');
    return this.#kept(`${name}/level-2`, async () => {
      const everything = this.truth.training.map((_, i) => i);
      // Counted with the steps of level 2.
      const { session } = await this.#train(name, everything, () => undefined, levelOneOf(this.#recipes[name]));
      const head = (await session.state()).parameters;
      await session.close();
      const recipe = this.#recipes[name];
      const { trained, logits } = await trainLevelTwo({ ...this.context, maps }, { name, recipe, head });
      return { logits, prior: trained.prior, iterations: trained.iterations, steps: trained.steps, notes: [] };
    });
  }

  #inFold(fold: number, isInside: boolean): number[] {
    return this.#fold.flatMap((other, i) => ((other === fold) === isInside ? [i] : []));
  }

  #train(
    name: RecipeName,
    subset: readonly number[],
    onSteps = this.context.onSteps,
    levelOne?: Recipe,
  ): Promise<Trained> {
    const { vectors, settings, seed, engine, threads, signal } = this.context;
    const recipe = levelOne ?? this.#recipes[name];
    const data = vectors().trainingData(subset, recipe.views, seed + recipe.seedShift);
    const network = this.#networkOf(recipe, vectors().length);
    return trainHead({
      ...{ name, recipe, data, engine, threads, seed, settings, signal, onSteps, network },
      // M_S, for M0 and M1 alike.
      ...(levelOne && { start: initialParameters(network, { seed }) }),
      batch: settings.batch,
      optimiser: settings.optimiser,
    });
  }

  #networkOf({ head }: Recipe, length: number): Network {
    const { backbone } = this.context;
    const classes = this.counts.length;
    const network = levelOneNetwork(backbone, [length], classes);
    if (head !== 'linear') return network;
    return { ...network, name: `${network.name}-linear`, layers: network.layers.slice(-1) };
  }

  async #judged(
    { session, iterations, steps, prior }: Trained,
    judge: (session: TrainSession) => Promise<ModelResult['logits']>,
  ): Promise<Omit<ModelResult, 'seconds' | 'residentBytes'>> {
    try {
      return { logits: await judge(session), prior, iterations, steps, notes: [] };
    } finally {
      await session.close();
    }
  }

  async #kept(
    model: string,
    make: () => Promise<Omit<ModelResult, 'seconds' | 'residentBytes'>>,
  ): Promise<ModelResult> {
    const known = this.used.get(model);
    if (known) return known;
    const { store, clock, onModel } = this.context;
    const kept = await store.get(this.#addressOf(model));
    const result = kept ?? (await timed(clock, make));
    if (!kept) await store.put(this.#addressOf(model), result);
    this.used.set(model, result);
    onModel(model, result, kept !== undefined);
    return result;
  }

  #addressOf(model: string) {
    const { profile, split, seed } = this.context;
    const name = model.split('/')[0] as string;
    const recipe = Object.hasOwn(this.#recipes, name) ? this.#recipes[name as RecipeName] : null;
    const { levelTwo, svm, basicCnn } = this.context.settings;
    const ofLevelTwo = recipe && model.endsWith('/level-2') ? { ...levelTwo, levelOne: levelOneOf(recipe) } : null;
    const own = model === 'svm' ? svm : model === 'basic-cnn' ? contentsOf(basicCnn.preset) : ofLevelTwo;
    // The problem of the SVM is convex: it is solved once a split, whatever the seed.
    return { profile, split, seed: model === 'svm' ? 0 : seed, model, decidedBy: [...this.#decidedBy, recipe, own] };
  }

  /** Whether a model is on disk, so that it costs nothing. */
  async has(model: string): Promise<boolean> {
    return (await this.context.store.get(this.#addressOf(model))) !== undefined;
  }
}

/** Before level 2 M1 samples all classes alike: Eq. 2 waits for the last level. */
export function levelOneOf(recipe: Recipe): Recipe {
  const alike = (stage: Stage): Stage =>
    stage.sampler === 'f1-dynamic' ? { ...stage, sampler: 'class-balanced' } : stage;
  return { ...recipe, stages: recipe.stages.map(alike) };
}

/** What the row "Basic CNN" takes of a preset: the name alone would go on serving results of other settings. */
export function contentsOf(preset: string) {
  const { network, input, batch, optimiser, augmentation } = settingsOf(preset);
  return { network, input, batch, optimiser, augmentation };
}

/** What a trained model depends on; how it is judged or combined may change without training it again. */
function decisive({ batch, optimiser, passes, folds, augmentation, viewSeed, eq2, difficulty }: BenchmarkSettings) {
  return { batch, optimiser, passes, folds, augmentation, viewSeed, eq2, difficulty };
}

async function timed(
  clock: Clock,
  make: () => Promise<Omit<ModelResult, 'seconds' | 'residentBytes'>>,
): Promise<ModelResult> {
  const startedAt = clock.monotonic();
  const made = await make();
  return { ...made, seconds: (clock.monotonic() - startedAt) / 1000, residentBytes: process.memoryUsage().rss };
}
