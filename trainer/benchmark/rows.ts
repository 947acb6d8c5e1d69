import { predictions, rowsOf, softmax } from '../evaluate/probabilities.ts';
import type { Rows } from '../evaluate/probabilities.ts';
import {
  calibration,
  commonPrior,
  fitTemperature,
  logitAdjustment,
  searchTau,
  transformed,
  transformedProbabilities,
} from '../fusion/calibration.ts';
import { meanScores } from '../fusion/fuse.ts';
import { chooseFusion, predictFused } from '../fusion/rules.ts';
import type { FusionChoice, FusionRuleName } from '../fusion/rules.ts';
import type { SplitModels } from './models.ts';
import type { RecipeName } from './recipes.ts';
import type { ModelResult } from './results.ts';
import { judgedSets } from './vectors.ts';
import type { JudgedSet } from './vectors.ts';

export interface PaperFigures {
  accuracy: number;
  macroF1: number;
  weightedF1: number;
}

/** What a row says of the judged images, and what it decided on the way. */
export interface RowOutcome {
  predictions: Record<JudgedSet, number[]>;
  /** Of a fusion. */
  choice?: FusionChoice;
  /** Strength of a logit adjustment. */
  tau?: number;
  temperatures?: { m0: number; m1: number };
}

export interface Row {
  title: string;
  /** For legends. */
  short: string;
  group: 'paper' | 'field' | 'check';
  /** Table 1 of the paper, on other data. */
  paper?: PaperFigures;
  /** Heads on all training images, and heads trained out of fold, too; for the estimate of the cost. */
  heads: readonly RecipeName[];
  outOfFold?: readonly RecipeName[];
  /** Heads that train on with the blocks behind the cut; such rows are run when they are asked for. */
  levelTwo?: readonly RecipeName[];
  /** Heads that see a new view of a picture every time; such rows are run when they are asked for, too. */
  fresh?: readonly RecipeName[];
  /** Takes many times a head's time: on the first split of the smallest profile alone, unless in full. */
  isCostly?: boolean;
  predict(models: SplitModels): Promise<RowOutcome>;
}

export const BASELINE = 'm0';

const eachSet = (predict: (set: JudgedSet) => number[]): RowOutcome['predictions'] =>
  Object.fromEntries(judgedSets.map((set) => [set, predict(set)])) as RowOutcome['predictions'];

const logitsOf = ({ logits }: ModelResult, set: JudgedSet, classes: number): Float32Array[] =>
  rowsOf(logits[set] as Float32Array, classes);

const plain = (result: ModelResult, models: SplitModels): RowOutcome => ({
  predictions: eachSet((set) => predictions(logitsOf(result, set, models.counts.length))),
});

/** The class of the largest score of one head. */
const single = (head: RecipeName) => ({
  heads: [head],
  predict: async (models: SplitModels): Promise<RowOutcome> => plain(await models.head(head), models),
});

const scoresOf = (result: ModelResult, classes: number) => {
  const sets = new Map(judgedSets.map((set) => [set, logitsOf(result, set, classes).map(softmax)]));
  return (set: JudgedSet): Rows => sets.get(set) as Rows;
};

type ModelOf = (models: SplitModels, name: RecipeName) => Promise<ModelResult>;
const levelOne: ModelOf = (models, name) => models.head(name);
const levelTwo: ModelOf = (models, name) => models.levelTwo(name);
const fresh: ModelOf = (models, name) => models.head(`${name}-fresh` as RecipeName);

/** M0 and M1 by Eq. 3 with T_r by one of the rules that look at the reference part. */
const fused = (rule: FusionRuleName, modelOf = levelOne) => ({
  heads: modelOf === levelOne ? (['m0', 'm1'] as const) : [],
  async predict(models: SplitModels): Promise<RowOutcome> {
    const { ratios, counts, truth } = models;
    const m0 = scoresOf(await modelOf(models, 'm0'), counts.length);
    const m1 = scoresOf(await modelOf(models, 'm1'), counts.length);
    const reference = { truth: truth.reference, m0: m0('reference'), m1: m1('reference') };
    const choice = chooseFusion(rule, { ratios, reference });
    return { choice, predictions: eachSet((set) => predictFused(choice, ratios, { m0: m0(set), m1: m1(set) })) };
  },
});

const meanOf = (first: RecipeName, second: RecipeName) => ({
  heads: [first, second],
  async predict(models: SplitModels): Promise<RowOutcome> {
    const a = scoresOf(await models.head(first), models.counts.length);
    const b = scoresOf(await models.head(second), models.counts.length);
    return { predictions: eachSet((set) => predictions(meanScores(a(set), b(set)))) };
  },
});

/** M0 with logits − τ · ln prior; without a given τ the best one on out-of-fold scores. */
const adjusted = (tau: ((models: SplitModels) => number) | undefined) => ({
  heads: ['m0'] as const,
  ...(tau === undefined && { outOfFold: ['m0'] as const }),
  async predict(models: SplitModels): Promise<RowOutcome> {
    const { prior, counts } = models;
    const m0 = await models.head('m0');
    const { logits, truth } = tau ? { logits: [], truth: [] } : await models.outOfFold('m0');
    const strength = tau ? tau(models) : searchTau(logits, truth, prior).tau;
    const change = logitAdjustment(prior, strength);
    const judge = (set: JudgedSet): number[] => predictions(transformed(logitsOf(m0, set, counts.length), change));
    return { tau: strength, predictions: eachSet(judge) };
  },
});

/**
 * The product's mode. Both models are made comparable before Eq. 3 compares their scores: a temperature each by out-of-fold
 * likelihood, then divided by the prior that the model learned and multiplied by a common one, π^(1 − τ). T_r is the best on
 * out-of-fold scores among those that cost hardly any accuracy; where there is none the mean of both decides.
 */
async function modern(models: SplitModels): Promise<RowOutcome> {
  const { ratios, counts, prior, context } = models;
  const common = commonPrior(prior, context.settings.tau);
  const one = async (name: RecipeName) => {
    const head = await models.head(name);
    const folds = await models.outOfFold(name);
    const temperature = fitTemperature(folds.logits, folds.truth);
    const outOfFold = folds.logits.map(
      (row, i) => transformedProbabilities([row], calibration(temperature, folds.priors[i] as number[], common))[0] as Float64Array, // prettier-ignore
    );
    const change = calibration(temperature, head.prior, common);
    const scores = (set: JudgedSet): Rows => transformedProbabilities(logitsOf(head, set, counts.length), change);
    return { temperature, outOfFold, truth: folds.truth, scores };
  };
  const [m0, m1] = [await one('m0'), await one('m1-modern')];
  const choice = chooseFusion('modern', {
    ratios,
    reference: { truth: models.truth.reference, m0: m0.scores('reference'), m1: m1.scores('reference') },
    outOfFold: { truth: m0.truth, m0: m0.outOfFold, m1: m1.outOfFold },
  });
  return {
    choice,
    temperatures: { m0: m0.temperature, m1: m1.temperature },
    predictions: eachSet((set) => predictFused(choice, ratios, { m0: m0.scores(set), m1: m1.scores(set) })),
  };
}

/** Every row of the benchmark, in the order of the report. A new one is an entry here. */
export const ROWS: Readonly<Record<string, Row>> = {
  'basic-cnn': {
    title: 'Basic CNN, from scratch',
    short: 'Basic CNN',
    group: 'paper',
    paper: { accuracy: 0.649, macroF1: 0.254, weightedF1: 0.63 },
    heads: [],
    isCostly: true,
    predict: async (models) => plain(await models.basicCnn(), models),
  },
  svm: {
    title: 'Deep features + linear SVM',
    short: 'SVM',
    group: 'paper',
    paper: { accuracy: 0.746, macroF1: 0.528, weightedF1: 0.747 },
    heads: [],
    predict: async (models) => plain(await models.svm(), models),
  },
  'no-aug': {
    title: 'TL, no augmentation',
    short: 'no aug.',
    group: 'paper',
    paper: { accuracy: 0.765, macroF1: 0.432, weightedF1: 0.755 },
    ...single('no-aug'),
  },
  m0: {
    title: 'TL, basic augmentation (M0)',
    short: 'M0',
    group: 'paper',
    paper: { accuracy: 0.792, macroF1: 0.502, weightedF1: 0.779 },
    ...single('m0'),
  },
  balanced: {
    title: 'TL, balanced augmentation',
    short: 'balanced',
    group: 'paper',
    paper: { accuracy: 0.759, macroF1: 0.553, weightedF1: 0.766 },
    ...single('balanced'),
  },
  'proposed-.3': {
    title: 'Proposed, T_r = .3',
    short: 'T_r = .3',
    group: 'paper',
    paper: { accuracy: 0.802, macroF1: 0.599, weightedF1: 0.794 },
    ...fused('paper'),
  },
  'proposed-searched': {
    title: 'Proposed, T_r searched on the reference part',
    short: 'T_r searched',
    group: 'paper',
    paper: { accuracy: 0.802, macroF1: 0.599, weightedF1: 0.794 },
    ...fused('search'),
  },
  modern: {
    title: 'Proposed, preset modern',
    short: 'modern',
    group: 'paper',
    heads: ['m0', 'm1-modern'],
    outOfFold: ['m0', 'm1-modern'],
    predict: modern,
  },
  'balanced-softmax': {
    title: 'Balanced softmax',
    short: 'bal. softmax',
    group: 'field',
    ...single('balanced-softmax'),
  },
  'adjusted-searched': {
    title: 'Logit adjustment of M0, τ out of fold',
    short: 'LA searched',
    group: 'field',
    ...adjusted(undefined),
  },
  'adjusted-.5': {
    title: 'Logit adjustment of M0, τ = .5',
    short: 'LA .5',
    group: 'field',
    ...adjusted(({ context }) => context.settings.tau),
  },
  crt: { title: 'cRT: classifier trained again, balanced', short: 'cRT', group: 'field', ...single('crt') },
  cdb: { title: 'CDB: loss weighted by difficulty', short: 'CDB', group: 'field', ...single('cdb') },
  m1: { title: 'M1 alone (F1-dynamic sampling)', short: 'M1', group: 'field', ...single('m1') },
  mean: { title: 'Mean of M0 and M1', short: 'mean', group: 'field', ...meanOf('m0', 'm1') },
  'two-m0': { title: 'Mean of two M0', short: 'two M0', group: 'field', ...meanOf('m0', 'm0-second') },
  'm0-level-2': {
    title: 'M0 with the top blocks fine-tuned (level 2)',
    short: 'M0 level 2',
    group: 'field',
    heads: [],
    isCostly: true,
    levelTwo: ['m0'],
    predict: async (models) => plain(await models.levelTwo('m0'), models),
  },
  'm1-level-2': {
    title: 'M1 with the top blocks fine-tuned (level 2)',
    short: 'M1 level 2',
    group: 'field',
    heads: [],
    isCostly: true,
    levelTwo: ['m1'],
    predict: async (models) => plain(await models.levelTwo('m1'), models),
  },
  'proposed-level-2-.3': {
    title: 'Proposed, T_r = .3, level 2',
    short: '.3 level 2',
    group: 'field',
    isCostly: true,
    levelTwo: ['m0', 'm1'],
    ...fused('paper', levelTwo),
  },
  'proposed-level-2': {
    title: 'Proposed, T_r searched, level 2',
    short: 'Eq. 3 level 2',
    group: 'field',
    isCostly: true,
    levelTwo: ['m0', 'm1'],
    ...fused('search', levelTwo),
  },
  'm0-fresh': {
    title: 'M0 with fresh views',
    short: 'M0 fresh',
    group: 'check',
    isCostly: true,
    fresh: ['m0-fresh'],
    ...single('m0-fresh'),
  },
  'm1-fresh': {
    title: 'M1 with fresh views',
    short: 'M1 fresh',
    group: 'check',
    isCostly: true,
    fresh: ['m1-fresh'],
    ...single('m1-fresh'),
  },
  'proposed-fresh': {
    title: 'Proposed, T_r = .3, with fresh views',
    short: '.3 fresh',
    group: 'check',
    isCostly: true,
    fresh: ['m0-fresh', 'm1-fresh'],
    ...fused('paper', fresh),
    heads: ['m0-fresh', 'm1-fresh'],
  },
  pilot: {
    title: 'Check: one softmax layer, no augmentation, 20 passes',
    short: 'pilot',
    group: 'check',
    ...single('pilot'),
  },
};
