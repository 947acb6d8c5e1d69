import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { AppError } from '../../common/runtime/errors.ts';
import { sha256 } from '../../common/storage/digest.ts';
import type { Dataset, DatasetSample } from './dataset.ts';
import { examineClasses } from './dataset.ts';
import type { Examination } from './examine.ts';
import { examineImages } from './examine.ts';
import { findLeaks, leakInWords } from './leaks.ts';
import { datasetLoaders } from './loaders.ts';
import type { Listing } from './loaders/loader.ts';
import { twinNumbers } from './near-duplicates.ts';
import type { Split, SplitChoice } from './split.ts';
import { drawParts, withParts } from './split.ts';

export interface LoadOptions {
  /** A manifest of parts in or beside the folder. */
  manifest?: string;
  /** Default: the parts that the source gives; where it gives none, by camera if all cameras are known. */
  split?: SplitChoice;
  /** Go on in spite of leaks, which then stand in the warnings. */
  force?: boolean;
  /** Class order to hold to, e.g. that of a model which is judged on these images. Default: the source's own. */
  classes?: readonly string[];
  /** Images for judging only: no class needs training or reference images. */
  testOnly?: boolean;
  onProgress?: (done: number, all: number) => void;
}

interface Rules {
  force: boolean;
  /** Whether near-duplicates across parts stop the run like other leaks, or are only mentioned. */
  refuseNearDuplicates: boolean;
  /** Labels whose parts were cut by time; `true` for all. */
  cutByTime: ReadonlySet<string> | true;
  testOnly: boolean;
}

/** Images left out that are named in a warning; more are counted. */
const NAMED = 5;

/**
 * The dataset in a folder: a pulled snapshot, an ImageFolder, or a folder with a manifest of parts. Every file is read, decoded
 * and compared once.
 *
 * @throws AppError DATASET_NOT_FOUND, DATASET_INVALID, DATASET_LABEL_UNKNOWN, DATASET_SPLIT_UNKNOWN, DATASET_SPLIT_IMPOSSIBLE,
 *   DATASET_LEAK, DATASET_ONE_CLASS, DATASET_PART_EMPTY, DATASET_UNREADABLE
 */
export async function loadDataset(folder: string, options: LoadOptions = {}): Promise<Dataset> {
  const root = resolve(folder);
  const listing = await listImages(root, options.manifest);
  const classes = options.classes ?? listing.classes;
  const unknown = listing.classes.filter((label) => !classes.includes(label));
  if (unknown.length > 0) {
    throw new AppError(
      'DATASET_LABEL_UNKNOWN',
      `The dataset has labels that the model does not know: ${unknown.join(', ')}. Train anew, or take these images out.`,
      { details: { unknown } },
    );
  }
  const examination = await examineImages(root, listing.images, options.onProgress);
  const samples = samplesOf(root, classes, examination);
  const split = partsFor(listing, classes, samples, options.split);
  const whole: Dataset = {
    name: listing.name,
    digest: listing.digest ?? sha256(JSON.stringify(samples.map(({ digest, label }) => [digest, classes[label]]))),
    classes,
    samples: samples as DatasetSample[],
    splitRule: split.rule,
    leftOut: examination.leftOut,
    warnings: [],
  };
  const byTime = options.split?.by === 'time';
  return checked(withParts(whole, split), split, {
    force: options.force ?? false,
    refuseNearDuplicates: listing.refuseNearDuplicates && !byTime,
    cutByTime: byTime || (options.split ? new Set<string>() : listing.cutByTime),
    testOnly: options.testOnly ?? false,
  });
}

/**
 * Another draw of a dataset's images, e.g. split 1 of a benchmark: with as many images of each class in each part as it has now.
 * Draw from the dataset as it was loaded, not from a draw by time, which leaves images out.
 *
 * @throws AppError DATASET_SPLIT_IMPOSSIBLE, DATASET_LEAK, DATASET_ONE_CLASS, DATASET_PART_EMPTY
 */
export function drawSplit(dataset: Dataset, choice: SplitChoice, { force = false } = {}): Dataset {
  const split = drawParts(dataset.classes, dataset.samples, choice);
  const byTime = choice.by === 'time';
  return checked(withParts(dataset, split), split, {
    force,
    refuseNearDuplicates: !byTime,
    cutByTime: byTime || new Set<string>(),
    testOnly: false,
  });
}

async function listImages(folder: string, manifest: string | undefined): Promise<Listing> {
  if (!(await stat(folder).catch(() => undefined))?.isDirectory()) {
    throw new AppError('DATASET_NOT_FOUND', `${folder} is no folder. Give the folder of a dataset with --dataset.`);
  }
  for (const loader of datasetLoaders) {
    const request = { folder, manifest };
    if (await loader.recognises(request)) return loader.list(request);
  }
  const forms = datasetLoaders.map(({ form }) => form).join('; ');
  throw new AppError('DATASET_NOT_FOUND', `${folder} holds no dataset. Expected ${forms}.`);
}

type SampleBeforeSplit = Omit<DatasetSample, 'part'> & { part: DatasetSample['part'] | null };

function samplesOf(root: string, classes: readonly string[], { images }: Examination): SampleBeforeSplit[] {
  const twins = twinNumbers(images);
  const indexOf = new Map(classes.map((label, j) => [label, j]));
  return images.map(({ file, digest, label, part, group, time }, i) => ({
    file: resolve(root, file),
    digest,
    label: indexOf.get(label) as number,
    part,
    group,
    time,
    twins: twins[i] as number,
  }));
}

function partsFor(
  listing: Listing,
  classes: readonly string[],
  samples: readonly SampleBeforeSplit[],
  choice: SplitChoice | undefined,
): Split {
  if (choice) return drawParts(classes, samples, choice);
  if (listing.splitRule !== null) {
    return { parts: samples.map(({ part }) => part), rule: listing.splitRule, warnings: [] };
  }
  if (samples.every(({ group }) => group !== null)) return drawParts(classes, samples, { by: 'camera', seed: 1 });
  throw new AppError(
    'DATASET_SPLIT_UNKNOWN',
    'Nothing says which camera took which image, so the images cannot be split by camera. Name cameras in metadata.csv ' +
      '(columns file, camera, time), give a manifest of parts, or say --split random.',
  );
}

function checked(dataset: Dataset, split: Split, { force, refuseNearDuplicates, cutByTime, testOnly }: Rules): Dataset {
  const leaks = findLeaks(dataset, { cutByTime });
  const refused = leaks.filter(({ kind }) => kind !== 'near-duplicate' || refuseNearDuplicates);
  if (refused.length > 0 && !force) {
    throw new AppError(
      'DATASET_LEAK',
      `The same pictures or places are in more than one part, so scores would measure memory. ${refused.map(leakInWords).join('. ')}. ` +
        'Move each into one part, split by camera, or go on with --force: the report will then say so.',
      { details: { leaks: refused } },
    );
  }
  const shortages = testOnly ? [] : examineClasses(dataset);
  const source = [...leftOutWarning(dataset), ...doubleLabels(dataset)];
  return { ...dataset, warnings: [...source, ...split.warnings, ...leaks.map(leakInWords), ...shortages] };
}

function leftOutWarning({ leftOut }: Dataset): string[] {
  if (leftOut.length === 0) return [];
  const named = leftOut.slice(0, NAMED).map(({ file, reason }) => `${file} (${reason})`);
  const more = leftOut.length > NAMED ? `, and ${leftOut.length - NAMED} more` : '';
  return [`${leftOut.length} images are left out: ${named.join(', ')}${more}.`];
}

function doubleLabels({ samples }: Dataset): string[] {
  const labels = new Map<string, number>();
  const doubled = samples.filter(({ digest, label }) => {
    const other = labels.get(digest);
    labels.set(digest, label);
    return other !== undefined && other !== label;
  });
  return doubled.length > 0
    ? [`${doubled.length} images carry more than one label; each counts as its own sample.`]
    : [];
}
