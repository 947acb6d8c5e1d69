import { z } from 'zod';

export const classMetricsSchema = z.object({
  label: z.string(),
  precision: z.number(),
  recall: z.number(),
  f1: z.number(),
  /** Images of the class. */
  support: z.number().int(),
});
export type ClassMetrics = z.infer<typeof classMetricsSchema>;

/** Metrics over the full declared class list; F1 of a class without images and predictions is 0 (zero_division = 0). */
export const evaluationSchema = z.object({
  images: z.number().int(),
  accuracy: z.number(),
  macroF1: z.number(),
  /** Weighted by share of images (P/n), not by P/N ratio. */
  weightedF1: z.number(),
  /** Macro F1 over the classes that have images, and how many those are. */
  supported: z.object({ classes: z.number().int(), macroF1: z.number() }),
  perClass: z.array(classMetricsSchema),
  /** Row: true class, column: predicted class. */
  confusion: z.array(z.array(z.number().int())),
});
export type Evaluation = z.infer<typeof evaluationSchema>;

export const trainedRuns = ['m0', 'm1'] as const;
export type TrainedRun = (typeof trainedRuns)[number];

/** What `camfleet train --json` prints once an iteration, and the page shows while a run is under way. */
export const iterationReportSchema = z.object({
  run: z.enum(trainedRuns),
  level: z.number().int().positive(),
  iteration: z.number().int().positive(),
  iterations: z.number().int().positive(),
  loss: z.number(),
  /** On the reference part. */
  macroF1: z.number(),
  accuracy: z.number(),
  f1: z.array(z.number()),
  /** N_ij: samples of each class in this iteration. */
  sampleSizes: z.array(z.number().int()),
  seconds: z.number(),
  etaSeconds: z.number(),
});
export type IterationReport = z.infer<typeof iterationReportSchema>;

/** One point of the T_r curve: all thresholds inside an interval between neighbouring R_j decide alike. */
export const thresholdPointSchema = z.object({ threshold: z.number(), macroF1: z.number(), accuracy: z.number() });
export type ThresholdPoint = z.infer<typeof thresholdPointSchema>;

/** Temperature of a model's scores, and strength of its logit adjustment (or τ of the common prior). */
const adjustmentSchema = z.object({ temperature: z.number(), tau: z.number().nullable() });

/** What a training run says of itself. It never pretends: engine, preset, split, seeds and weights stand in it. */
export const trainingReportSchema = z.object({
  format: z.literal(1),
  engine: z.string(),
  preset: z.string(),
  network: z.string(),
  /** Where the starting weights come from, in words. */
  weights: z.string(),
  seeds: z.object({ m0: z.number().int(), m1: z.number().int() }),
  dataset: z.object({ name: z.string(), digest: z.string(), split: z.string(), classes: z.array(z.string()) }),
  settings: z.record(z.string(), z.unknown()),
  counts: z.object({ training: z.array(z.number()), reference: z.array(z.number()), test: z.array(z.number()) }),
  ratios: z.array(z.number()),
  iterations: z.array(iterationReportSchema),
  fusion: z.object({
    /** The choice and its grounds in a sentence. */
    rule: z.string(),
    threshold: z.number(),
    curve: z.array(thresholdPointSchema),
    /** Name of the rule, what it chose, and the images that the curve is of. */
    name: z.string().optional(),
    kind: z.enum(['threshold', 'mean']).optional(),
    curveOf: z.enum(['reference', 'out-of-fold']).optional(),
    /** Where the paper's T_r decides: the one that the reference part would have chosen, and what it gives on the test part. */
    searched: z.object({ threshold: z.number(), rule: z.string(), test: evaluationSchema }).optional(),
  }),
  /** What was done to both models' scores before they were fused, chosen on images that they did not learn or on the reference part. */
  adjustments: z
    .object({
      chosenBy: z.enum(['reference', 'out-of-fold']),
      m0: adjustmentSchema,
      m1: adjustmentSchema,
    })
    .optional(),
  /** On the test part. */
  test: z.object({ m0: evaluationSchema, m1: evaluationSchema, mean: evaluationSchema, fused: evaluationSchema }),
  reference: z.object({ m0: evaluationSchema, m1: evaluationSchema, fused: evaluationSchema }),
  seconds: z.number(),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  warnings: z.array(z.string()),
});
export type TrainingReport = z.infer<typeof trainingReportSchema>;

/** Life of a training run as the coordinator keeps it. */
export const trainingRunStates = ['waiting', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type TrainingRunState = (typeof trainingRunStates)[number];
