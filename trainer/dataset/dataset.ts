import type { Part } from '../../common/domain/dataset.ts';
import { parts } from '../../common/domain/dataset.ts';
import { AppError } from '../../common/runtime/errors.ts';
import type { Digest } from '../../common/storage/digest.ts';
import { sha256 } from '../../common/storage/digest.ts';

export interface DatasetSample {
  /** Absolute path. */
  file: string;
  /** Of the file's bytes. */
  digest: Digest;
  /** Index into the dataset's classes. */
  label: number;
  part: Part;
  /** The camera that took it; `null` where nobody knows. */
  group: string | null;
  /** When, in ms since the epoch, UTC; `null` where nobody knows. */
  time: number | null;
  /** Samples of one number show the same picture (equal digest or near-duplicate) and belong in one part. */
  twins: number;
}

/** Images, labels and parts as the trainer uses them, wherever they came from. Immutable: another split is another dataset. */
export interface Dataset {
  name: string;
  /** Of images and labels, whatever their parts; a snapshot's own digest where it is one. */
  digest: Digest;
  /** Their order is the order of scores and decides every tie. */
  classes: readonly string[];
  samples: readonly DatasetSample[];
  /** In words, for the report. */
  splitRule: string;
  /** Images that could not be used, relative to the folder, and why. */
  leftOut: readonly { file: string; reason: string }[];
  /** What the report must say of the data: images left out, classes that cannot be judged, leaks that were forced. */
  warnings: readonly string[];
}

/** Positions of a part's samples, in order. */
export function indicesOf(dataset: Dataset, part: Part): number[] {
  return dataset.samples.flatMap((sample, index) => (sample.part === part ? [index] : []));
}

/** Images of each part and class. */
export function countsOf({ classes, samples }: Pick<Dataset, 'classes' | 'samples'>): Record<Part, number[]> {
  const counts = Object.fromEntries(parts.map((part) => [part, classes.map(() => 0)])) as Record<Part, number[]>;
  for (const { part, label } of samples) counts[part][label] = (counts[part][label] as number) + 1;
  return counts;
}

/** Changes with any image, label, part, order of samples or order of classes: what a checkpoint was trained on. */
export function datasetFingerprint({ classes, samples }: Pick<Dataset, 'classes' | 'samples'>): Digest {
  return sha256(JSON.stringify([classes, samples.map(({ digest, label, part }) => [digest, label, part])]));
}

/** @throws AppError DATASET_CHANGED when `dataset` is not the one whose fingerprint a checkpoint keeps */
export function requireUnchanged(dataset: Dataset, fingerprint: Digest): void {
  if (datasetFingerprint(dataset) === fingerprint) return;
  throw new AppError(
    'DATASET_CHANGED',
    `The dataset "${dataset.name}" is not the one that this run was started with: images, labels or parts differ. ` +
      'Put the old data back to resume, or start a new run in another folder.',
  );
}

/**
 * What makes a dataset useless, and what its report must mention.
 *
 * @returns warnings, one a class and shortage
 * @throws AppError DATASET_ONE_CLASS, DATASET_PART_EMPTY
 */
export function examineClasses({ classes, samples }: Pick<Dataset, 'classes' | 'samples'>): string[] {
  const counts = countsOf({ classes, samples });
  const trained = classes.filter((_, j) => (counts.training[j] as number) > 0);
  for (const part of ['training', 'reference'] as const) {
    if (samples.some((sample) => sample.part === part)) continue;
    throw new AppError(
      'DATASET_PART_EMPTY',
      `No image is in the ${part} part. Training needs images for training and for reference; add images or split anew.`,
    );
  }
  if (trained.length < 2) {
    throw new AppError(
      'DATASET_ONE_CLASS',
      `Only ${trained.length === 1 ? `"${trained[0]}"` : 'no class'} has training images; a classifier needs at least two classes. Label images of another class.`,
    );
  }
  return classes.flatMap((label, j) =>
    parts.filter((part) => counts[part][j] === 0).map((part) => `"${label}" has no ${part} images: ${MEANING[part]}`),
  );
}

const MEANING: Record<Part, string> = {
  training: 'it cannot be learned, and counts as F1 = 0 wherever it is judged.',
  reference: 'its F1 during training is unknown, so its sample size stays at the average.',
  test: 'it is not evaluable, and counts as F1 = 0 in the average over all classes.',
};
