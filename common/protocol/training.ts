import { z } from 'zod';
import { datasetName } from '../domain/dataset.ts';
import { evaluationSchema, iterationReportSchema, trainingReportSchema } from '../domain/training.ts';
import type { IterationReport, TrainingReport, TrainingRunState } from '../domain/training.ts';

/**
 * How a trainer process works, under /api/v1, with an API token of the role operator. It asks, nobody calls it:
 *
 *   GET  /training/waiting             whether a run waits (asked every few seconds, so it is a reading)
 *   POST /training/claims              takes the oldest waiting run
 *   PUT  /training/runs/:id/progress   heartbeat and what is new; the answer says whether to go on
 *   POST /training/runs/:id/result     the published model and the report
 *   POST /training/runs/:id/failure    it cannot be done
 *   POST /training/runs/:id/hand-back  somebody else, or this trainer later, goes on
 *
 * The artifact itself goes by POST /uploads and POST /models/artifacts before the result.
 */
export const CLAIM_LOST_AFTER_SECONDS = 60;
/** A fifth: a coordinator may be away while it is started again. */
export const HEARTBEAT_SECONDS = 12;

/** When a finished model goes into force. `better`: not worse than the one in force on the same test part. */
export const promoteRules = ['always', 'better', 'never'] as const;
export type PromoteRule = (typeof promoteRules)[number];

/** What may be asked of a run; absent means what the trainer does by itself. */
export const trainingSettingsSchema = z.strictObject({
  /** Seconds that the training of both models may take. */
  budgetSeconds: z.number().min(1).max(604_800).optional(),
  /** Passes over the training part instead of a budget: the same steps on every machine. */
  passes: z.number().int().min(1).max(100_000).optional(),
  engine: z.string().max(60).optional(),
  preset: z.string().max(60).optional(),
  /** Name or digest of a backbone in the trainer's data folder; without one a network is trained from scratch. */
  backbone: z.string().max(100).optional(),
  /** 1: the head; 2: then the blocks behind the backbone's cut, too. */
  levels: z.union([z.literal(1), z.literal(2)]).optional(),
  /** Cached views of a picture, at most. */
  views: z.union([z.literal('fresh'), z.number().int().min(1).max(32)]).optional(),
  /** How T_r is chosen. */
  fusion: z.enum(['paper', 'search', 'modern', 'mean']).optional(),
  seed: z.number().int().min(0).max(2_147_483_647).optional(),
});
export type TrainingSettings = z.infer<typeof trainingSettingsSchema>;

export const startTrainingSchema = z.object({
  /** An existing snapshot; absent: a new one is made. */
  dataset: datasetName.optional(),
  settings: trainingSettingsSchema.default({}),
  promote: z.enum(promoteRules).optional(),
});
export type StartTraining = z.input<typeof startTrainingSchema>;

export const claimSchema = z.object({ trainer: z.string().min(1).max(200) });

/** A claimed run. */
export interface TrainingOrder {
  id: number;
  /** Numbers the claims of this run; a claim that was lost can change nothing. */
  attempt: number;
  dataset: string;
  digest: string;
  settings: TrainingSettings;
}

const claimed = z.object({ trainer: z.string().min(1).max(200), attempt: z.number().int().positive() });

export const progressSchema = claimed.extend({
  /** New since the last one that was answered. Twice is harmless. */
  iterations: z.array(iterationReportSchema).max(1_000),
  /** What goes on, in words: "pulls the dataset". */
  note: z.string().max(300),
});
export type Progress = z.infer<typeof progressSchema>;

/** `gone`: the claim was lost, somebody else may have begun. */
export type GoOn = 'on' | 'cancel' | 'gone';

/** The model that was in force, on the test part of the same snapshot. */
export const standingSchema = z.object({ version: z.string(), evaluation: evaluationSchema });
export type Standing = z.infer<typeof standingSchema>;

export const trainingResultSchema = claimed.extend({
  modelVersion: z.string().regex(/^[0-9a-f]{64}$/),
  report: trainingReportSchema,
  standing: standingSchema.nullable(),
});
export type TrainingResult = z.infer<typeof trainingResultSchema>;

export const trainingFailureSchema = claimed.extend({ error: z.string().min(1).max(4_000) });
export const handBackSchema = claimed;

const uploadKey = z.string().regex(/^uploads\/[0-9a-f-]{36}$/, 'must be the key that POST /uploads gave');

/** A finished artifact: the bytes of its manifest, the trainer's signature over them, and where its files lie. */
export const publishArtifactSchema = z.object({
  manifest: z.base64().max(64 * 1_048_576),
  signature: z.string().max(200),
  /** Ed25519, SPKI PEM. */
  publicKey: z.string().max(500),
  files: z.record(z.string().max(60), uploadKey),
});
export type PublishArtifact = z.infer<typeof publishArtifactSchema>;

/** A run as lists show it. Times are ms since the epoch. */
export interface TrainingRunSummary {
  id: number;
  dataset: string;
  settings: TrainingSettings;
  promote: PromoteRule;
  askedBy: string;
  state: TrainingRunState;
  trainer: string | null;
  /** Claims so far, and how many of them were lost. */
  attempts: number;
  lost: number;
  /** What goes on. */
  note: string | null;
  /** The newest iteration. */
  progress: IterationReport | null;
  modelVersion: string | null;
  /** What became of the model, in words. */
  decision: string | null;
  error: string | null;
  /** Of the fused model on the test part. */
  figures: { accuracy: number; macroF1: number; images: number } | null;
  createdAt: number;
  claimedAt: number | null;
  heartbeatAt: number | null;
  finishedAt: number | null;
}

export interface TrainingRun extends TrainingRunSummary {
  iterations: IterationReport[];
  report: TrainingReport | null;
}
