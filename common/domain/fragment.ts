import { z } from 'zod';
import { cameraIdSchema } from './camera.ts';
import { MAX_SCENE_LABEL, cleanMemorySchema } from './frame.ts';
import { refreshMemorySchema } from './refresh.ts';
import { verdictOrder } from './verdict.ts';
import type { Verdict } from './verdict.ts';

/** What happened to one attempt, as bits of one small number. */
export const OUTCOME = {
  /** A picture arrived complete, or the camera said 304: the attempt counts as a frame. */
  frame: 1,
  /** 304, equal digest or equal picture: it inherits the decision of the frame that it repeats. */
  unchanged: 2,
  /** The classifier ran on it. */
  classified: 4,
  /** The gate skipped the classifier. */
  gated: 8,
  /** The gate would have skipped it, the classifier ran all the same to measure the gate's error. */
  audited: 16,
  /** An audit whose top label differs from the inherited one. */
  auditDiffers: 32,
} as const;

export const MAX_ATTEMPTS_PER_FRAGMENT = 256;

export const predictionSchema = z.object({ label: z.string().max(200), score: z.number().min(0).max(1) });
export type Prediction = z.infer<typeof predictionSchema>;

/** Top-k of the decision and of each head; `m1` is absent for a model with one head. */
export const scoresSchema = z.object({
  fused: z.array(predictionSchema).max(10),
  m0: z.array(predictionSchema).max(10),
  m1: z.array(predictionSchema).max(10).optional(),
});
export type Scores = z.infer<typeof scoresSchema>;

/** What the gate remembers of a camera: the last classified frame and its decision. */
export const gateMemorySchema = z.object({
  /** Grey thumbnail of the last classified frame, base64. */
  thumbnail: z.string().max(2048),
  classifiedAt: z.number(),
  label: z.string().max(200),
  modelVersion: z.string().max(80),
  scores: scoresSchema,
});
export type GateMemory = z.infer<typeof gateMemorySchema>;

/** How often a camera is tried. Instants are ms of the database's clock. */
export const paceMemorySchema = z.object({
  /** When its next turn comes, as things stood after the last attempt. */
  nextDueAt: z.number(),
  /** Attempts in a row that brought no answer, and until when it is therefore left alone. */
  failures: z.number().int().nonnegative().optional(),
  retryAt: z.number().optional(),
  refresh: refreshMemorySchema.optional(),
});
export type PaceMemory = z.infer<typeof paceMemorySchema>;

/** What travels with a camera from holder to holder; at most one report old. Instants are ms of the database's clock. */
export const cameraMemorySchema = z.object({
  lastAttemptAt: z.number(),
  clean: cleanMemorySchema.optional(),
  gate: gateMemorySchema.optional(),
  pace: paceMemorySchema.optional(),
});
export type CameraMemory = z.infer<typeof cameraMemorySchema>;

/**
 * A run of consecutive attempts of one camera with one key `(camera, token, verdict, label, modelVersion)`, at most 60 s or 256
 * attempts long. The attempt with index i has the sequence number `firstSequence + i` of its (session, camera).
 */
export const fragmentSchema = z
  .object({
    cameraId: cameraIdSchema,
    token: z.number().int().positive(),
    verdict: z.enum(verdictOrder as [Verdict, ...Verdict[]]),
    label: z.string().max(200).nullable(),
    modelVersion: z.string().max(80).nullable(),
    firstSequence: z.number().int().nonnegative(),
    /** When the last byte of each attempt arrived, ms of the database's clock. */
    at: z.array(z.number().int()).min(1).max(MAX_ATTEMPTS_PER_FRAGMENT),
    /** Bits of OUTCOME, one number an attempt. */
    outcomes: z.array(z.number().int().min(0).max(63)).min(1).max(MAX_ATTEMPTS_PER_FRAGMENT),
    /** MJPEG part serials, one an attempt, where the server numbers its parts. */
    serials: z.array(z.number().int()).max(MAX_ATTEMPTS_PER_FRAGMENT).optional(),
    /** Bytes fetched by these attempts. */
    bytes: z.number().int().nonnegative(),
    /** Median time of the attempts from request to last byte, ms. */
    latencyMs: z.number().nonnegative().optional(),
    capturedAt: z.object({ at: z.number(), origin: z.enum(['header', 'exif', 'stream', 'fetch']) }).optional(),
    /** Measured facts behind the verdict of the last attempt. */
    evidence: z.record(z.string(), z.union([z.number(), z.string().max(500), z.boolean()])),
    /** SHA-256 of the newest picture of the fragment, where there is one. */
    frameDigest: z.string().length(64).nullable(),
    /** What the camera claims that this picture shows; worth something only where the coordinator trusts the camera. */
    sceneLabel: z.string().min(1).max(MAX_SCENE_LABEL).optional(),
    width: z.number().int().positive().optional(),
    height: z.number().int().positive().optional(),
    scores: scoresSchema.nullable(),
    memory: cameraMemorySchema,
  })
  .refine((fragment) => fragment.at.length === fragment.outcomes.length, {
    message: 'at and outcomes must have one entry for every attempt',
  });
export type Fragment = z.infer<typeof fragmentSchema>;

/** Why a frame is offered for keeping. */
export const keepReasons = ['verdict', 'label', 'doubtful', 'audit', 'daily', 'sample', 'asked'] as const;
export type KeepReason = (typeof keepReasons)[number];
