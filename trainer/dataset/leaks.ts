import { basename } from 'node:path';
import type { Dataset, DatasetSample } from './dataset.ts';

export interface Leak {
  /** What crosses the parts. */
  kind: 'camera' | 'equal digest' | 'near-duplicate';
  /** How many cameras, digests or groups of near-duplicates do. */
  count: number;
  /** A few, in words. */
  examples: string[];
}

export interface LeakRules {
  /** Labels whose parts were cut by time, so that a camera that shows nothing else may cross them; `true`: all, and any camera. */
  cutByTime: ReadonlySet<string> | true;
}

const EXAMPLES = 3;

/** Pictures or places that are in more than one part: a score on them would measure memory. */
export function findLeaks(
  { classes, samples }: Pick<Dataset, 'classes' | 'samples'>,
  { cutByTime }: LeakRules,
): Leak[] {
  const byTime = (sample: DatasetSample) => cutByTime === true || cutByTime.has(classes[sample.label] as string);
  const withGroup = samples.filter(({ group }) => group !== null);
  // A camera that teaches one class and is judged on another knows the place all the same.
  const cameras = crossing(withGroup, ({ group }) => group).filter(
    ([, members]) => cutByTime !== true && !(members.every(byTime) && oneLabel(members)),
  );
  const digests = crossing(samples, ({ digest }) => digest);
  const twins = crossing(samples, ({ twins }) => String(twins)).filter(
    // Equal digests have their own line; one camera's pictures of different times look alike and were cut by time.
    ([, members]) =>
      new Set(members.map(({ digest }) => digest)).size > 1 && !(members.every(byTime) && oneCamera(members)),
  );
  return [
    leak('camera', cameras, (name, members) => `camera ${name} in ${partsOf(members)}`),
    leak('equal digest', digests, (_, members) => pairOf(members)),
    leak('near-duplicate', twins, (_, members) => pairOf(members)),
  ].filter(({ count }) => count > 0);
}

type Crossing = [key: string, members: DatasetSample[]];

function crossing(samples: readonly DatasetSample[], keyOf: (sample: DatasetSample) => string | null): Crossing[] {
  const groups = new Map<string, DatasetSample[]>();
  for (const sample of samples) {
    const key = keyOf(sample) as string;
    const members = groups.get(key);
    if (members) members.push(sample);
    else groups.set(key, [sample]);
  }
  return [...groups].filter(([, members]) => members.some(({ part }) => part !== members[0]?.part));
}

function leak(kind: Leak['kind'], found: Crossing[], inWords: (key: string, members: DatasetSample[]) => string): Leak {
  return {
    kind,
    count: found.length,
    examples: found.slice(0, EXAMPLES).map(([key, members]) => inWords(key, members)),
  };
}

const oneLabel = (members: DatasetSample[]): boolean => members.every(({ label }) => label === members[0]?.label);

const oneCamera = (members: DatasetSample[]): boolean =>
  members[0]?.group != null && members.every(({ group }) => group === members[0]?.group);

const partsOf = (members: DatasetSample[]): string => [...new Set(members.map(({ part }) => part))].join(' and ');

function pairOf(members: DatasetSample[]): string {
  const first = members[0] as DatasetSample;
  const other = members.find(({ part }) => part !== first.part) as DatasetSample;
  return `${basename(first.file)} (${first.part}) and ${basename(other.file)} (${other.part})`;
}

export function leakInWords({ kind, count, examples }: Leak): string {
  const more = count > examples.length ? `, and ${count - examples.length} more` : '';
  return `${count} × ${kind} across parts: ${examples.join('; ')}${more}`;
}
