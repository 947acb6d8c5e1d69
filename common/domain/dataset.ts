import { z } from 'zod';

/** What a sample is for. A camera's part is fixed once: a later model is never judged on what an earlier one learned. */
export const parts = ['training', 'reference', 'test'] as const;
export type Part = (typeof parts)[number];

/** Shares of the parts: the paper's 70/10/20. */
export const PART_SHARES: Record<Part, number> = { training: 0.7, reference: 0.1, test: 0.2 };

const digest = z.string().regex(/^[0-9a-f]{64}$/);
export const datasetName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, 'must be lower-case letters, digits, ".", "_" and "-", at most 100');

/** One labelled frame of a snapshot. Times are ms since the epoch, UTC. */
export const sampleSchema = z.object({
  digest,
  bytes: z.number().int().positive(),
  label: z.string().min(1).max(200),
  part: z.enum(parts),
  cameraId: z.number().int(),
  fetchedAt: z.number(),
  /** Who or what gave the label, e.g. "farm", "import by anna"; and when. */
  labelledBy: z.string(),
  labelledAt: z.number(),
  modelVersion: z.string().nullable(),
  /** Top scores of the model that decided then. */
  scores: z.array(z.object({ label: z.string(), score: z.number() })).nullable(),
});
export type Sample = z.infer<typeof sampleSchema>;

/** The line of a sample over which a snapshot's digest is taken: equal samples give equal bytes, whoever writes them. */
export const sampleLine = (sample: Sample): string =>
  `${JSON.stringify({
    digest: sample.digest,
    bytes: sample.bytes,
    label: sample.label,
    part: sample.part,
    cameraId: sample.cameraId,
    fetchedAt: sample.fetchedAt,
    labelledBy: sample.labelledBy,
    labelledAt: sample.labelledAt,
    modelVersion: sample.modelVersion,
    scores: sample.scores?.map(({ label, score }) => ({ label, score })) ?? null,
  })}\n`;

/** Facts of a camera as a snapshot keeps them. Never how to reach it. */
export const datasetCameraSchema = z.object({
  id: z.number().int(),
  name: z.string(),
  source: z.string(),
  latitude: z.number().nullable(),
  longitude: z.number().nullable(),
  country: z.string().nullable(),
  region: z.string().nullable(),
  city: z.string().nullable(),
  timeZone: z.string().nullable(),
  licence: z.string().nullable(),
  attribution: z.string().nullable(),
  terms: z.string().nullable(),
});
export type DatasetCamera = z.infer<typeof datasetCameraSchema>;

/** How a class got into the parts: by camera; by time with a gap, where it has too few cameras; or it cannot be judged. */
export const classSplits = ['camera', 'time', 'not-evaluable'] as const;

export const datasetClassSchema = z.object({
  label: z.string(),
  split: z.enum(classSplits),
  counts: z.object({ training: z.number().int(), reference: z.number().int(), test: z.number().int() }),
  cameras: z.number().int(),
  /** R_j = P_j / (n − P_j) of the training part. */
  ratio: z.number().nonnegative(),
});

/** An immutable snapshot. Its digest is the SHA-256 of the lines (`sampleLine`) of its samples in order. */
export const datasetSchema = z.object({
  name: datasetName,
  createdAt: z.iso.datetime(),
  digest,
  perCamera: z.number().int().positive(),
  /** Class order: the order of scores, which decides every tie. */
  classes: z.array(datasetClassSchema),
  samples: z.number().int(),
  cameras: z.number().int(),
  bytes: z.number(),
});
export type Dataset = z.infer<typeof datasetSchema>;

/** R_j of the paper: positives over negatives in the training part. */
export function ratiosOf(trainingCounts: readonly number[]): number[] {
  const all = trainingCounts.reduce((sum, count) => sum + count, 0);
  // With one class only there are no negatives; Infinity would not survive JSON.
  return trainingCounts.map((count) => (all > count ? count / (all - count) : count > 0 ? Number.MAX_VALUE : 0));
}
