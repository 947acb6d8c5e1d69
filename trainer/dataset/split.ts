import { createHash } from 'node:crypto';
import type { Part } from '../../common/domain/dataset.ts';
import { PART_SHARES, parts } from '../../common/domain/dataset.ts';
import { AppError } from '../../common/runtime/errors.ts';
import type { Dataset, DatasetSample } from './dataset.ts';
import { DisjointSets } from './disjoint-sets.ts';

export type SplitChoice =
  /** Whole cameras, so that every part shows places the others do not. */
  | { by: 'camera'; seed: number; index?: number }
  /** Later images judge what earlier ones taught, camera by camera the same places; images inside the gap are left out. */
  | { by: 'time'; gapMs?: number }
  /** Image by image. Only honest where neighbours in time or place cannot be told apart from strangers. */
  | { by: 'random'; seed: number; index?: number };

export interface Split {
  /** `null`: left out, in the gap. */
  parts: (Part | null)[];
  rule: string;
  warnings: string[];
}

type Unsplit = Pick<DatasetSample, 'label' | 'group' | 'time' | 'twins' | 'digest'> & { part: Part | null };

// An hour: the light of an outdoor scene has changed by then.
const GAP_MS = 3_600_000;

/**
 * Draws parts of 70/10/20 for every class. Twins always stay together.
 *
 * @throws AppError DATASET_SPLIT_IMPOSSIBLE where cameras or times are needed and not known
 */
export function drawParts(classes: readonly string[], samples: readonly Unsplit[], choice: SplitChoice): Split {
  switch (choice.by) {
    case 'camera': {
      requireKnown(samples, 'group', 'camera');
      const units = unitsOf(samples, ({ group, twins }) => [`camera ${group}`, `twins ${twins}`]);
      return drawn(classes, samples, units, choice, 'by camera');
    }
    case 'random':
      return drawn(
        classes,
        samples,
        unitsOf(samples, ({ twins }) => [`twins ${twins}`]),
        choice,
        'at random',
      );
    case 'time':
      requireKnown(samples, 'time', 'time');
      return cutByTime(classes, samples, choice.gapMs ?? GAP_MS);
  }
}

function requireKnown(samples: readonly Unsplit[], field: 'group' | 'time', word: string): void {
  const unknown = samples.filter((sample) => sample[field] === null).length;
  if (unknown === 0) return;
  throw new AppError(
    'DATASET_SPLIT_IMPOSSIBLE',
    `${unknown} of ${samples.length} images have no known ${word}, so the dataset cannot be split by ${word}. ` +
      `Name it in metadata.csv or the manifest, or split at random (--split random).`,
  );
}

/** Samples that share any key, directly or through others, as one list of positions each; in order of their first. */
function unitsOf(samples: readonly Unsplit[], keysOf: (sample: Unsplit) => string[]): number[][] {
  const sets = new DisjointSets(samples.length);
  const firsts = new Map<string, number>();
  samples.forEach((sample, i) => {
    for (const key of keysOf(sample)) {
      const first = firsts.get(key);
      if (first === undefined) firsts.set(key, i);
      else sets.join(first, i);
    }
  });
  return sets.sets();
}

function drawn(
  classes: readonly string[],
  samples: readonly Unsplit[],
  units: readonly number[][],
  { seed, index = 0 }: { seed: number; index?: number },
  how: string,
): Split {
  const wanted = wantedUnits(classes, samples, units);
  const order = shuffled(units, samples, `${seed}/${index}`);
  const placed = new Map<number[], Part>();
  for (const unit of order) {
    const labels = labelsOf(unit, samples);
    const fits = (part: 'test' | 'reference') => labels.every((label) => (wanted[part][label] as number) > 0);
    const part = fits('test') ? 'test' : fits('reference') ? 'reference' : 'training';
    placed.set(unit, part);
    if (part !== 'training') for (const label of labels) wanted[part][label] = (wanted[part][label] as number) - 1;
  }
  const assigned = new Array<Part | null>(samples.length).fill(null);
  for (const [unit, part] of placed) for (const i of unit) assigned[i] = part;
  return { parts: assigned, rule: `${how}, seed ${seed}, split ${index}, 70/10/20 of each class`, warnings: [] };
}

/**
 * How many units of each class go to test and reference: at least one each where three are there. Where every sample has its part
 * already, as many as it had, so that another draw has the shape of the first.
 */
function wantedUnits(
  classes: readonly string[],
  samples: readonly Unsplit[],
  units: readonly number[][],
): Record<'test' | 'reference', number[]> {
  const all = classes.map(() => 0);
  const had = { test: classes.map(() => 0), reference: classes.map(() => 0) };
  for (const unit of units) {
    const part = samples[unit[0] as number]?.part;
    for (const label of labelsOf(unit, samples)) {
      all[label] = (all[label] as number) + 1;
      if (part === 'test' || part === 'reference') had[part][label] = (had[part][label] as number) + 1;
    }
  }
  if (samples.every(({ part }) => part !== null)) return had;
  const share = (part: 'test' | 'reference', available: number) =>
    all.map((count) => (count < available ? 0 : Math.max(1, Math.round(count * PART_SHARES[part]))));
  // Two units train and are judged once; a reference part needs a third.
  return { test: share('test', 2), reference: share('reference', 3) };
}

const labelsOf = (unit: readonly number[], samples: readonly Unsplit[]): number[] => [
  ...new Set(unit.map((i) => (samples[i] as Unsplit).label)),
];

/** An order that depends on the seed and the pictures alone, not on how a folder was listed. */
function shuffled(units: readonly number[][], samples: readonly Unsplit[], seed: string): number[][] {
  const keyed = units.map((unit) => {
    const first = unit.map((i) => (samples[i] as Unsplit).digest).sort()[0] as string;
    return { unit, key: createHash('sha256').update(`${seed}/${first}`).digest('hex') };
  });
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ unit }) => unit);
}

function cutByTime(classes: readonly string[], samples: readonly Unsplit[], gapMs: number): Split {
  const assigned = new Array<Part | null>(samples.length).fill(null);
  classes.forEach((_, label) => {
    const own = samples.flatMap((sample, i) => (sample.label === label ? [i] : []));
    own.sort((a, b) => timeOf(samples, a) - timeOf(samples, b) || a - b);
    let from = 0;
    let last = Number.NEGATIVE_INFINITY;
    let share = 0;
    for (const part of parts) {
      share += PART_SHARES[part];
      const until = part === 'test' ? own.length : Math.round(own.length * share);
      const members = own.slice(from, until).filter((i) => timeOf(samples, i) >= last + gapMs);
      for (const i of members) assigned[i] = part;
      if (members.length > 0) last = timeOf(samples, members.at(-1) as number);
      from = until;
    }
  });
  const gap = assigned.filter((part) => part === null).length;
  return {
    parts: assigned,
    rule: `by time, 70/10/20 of each class from earliest to latest, ${gapMs / 60_000} min apart`,
    warnings: [
      'Split by time: the same cameras are in all parts, so the scores say nothing of cameras never seen.',
      ...(gap > 0 ? [`${gap} images within ${gapMs / 60_000} min of the part before theirs are left out.`] : []),
    ],
  };
}

const timeOf = (samples: readonly Unsplit[], i: number): number => (samples[i] as Unsplit).time as number;

/** The same images and labels in other parts. Checked for leaks and shortages by the caller, as every dataset. */
export function withParts(dataset: Dataset, split: Split): Dataset {
  return {
    ...dataset,
    samples: dataset.samples.flatMap((sample, i) => {
      const part = split.parts[i];
      return part ? [{ ...sample, part }] : [];
    }),
    splitRule: split.rule,
  };
}
