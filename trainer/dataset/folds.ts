import { createHash } from 'node:crypto';
import type { DatasetSample } from './dataset.ts';
import { DisjointSets } from './disjoint-sets.ts';

/**
 * Divides training images into folds with as many of each class as possible in each. Cameras and near-duplicates stay whole.
 *
 * @returns the fold of each image
 */
export function foldsOf(samples: readonly DatasetSample[], folds: number, seed: number): number[] {
  const units = unitsOf(samples).map((members) => ({ members, key: keyOf(members, samples, seed) }));
  units.sort((a, b) => (a.key < b.key ? -1 : 1));
  const fold = new Array<number>(samples.length).fill(0);
  const filled = new Map<number, number[]>();
  for (const { members } of units) {
    const label = (samples[members[0] as number] as DatasetSample).label;
    const sizes = filled.get(label) ?? new Array<number>(folds).fill(0);
    filled.set(label, sizes);
    // The emptiest fold of the class, the first of equal ones, beginning elsewhere for each class: one-image classes spread.
    const order = Array.from({ length: folds }, (_, k) => (k + label) % folds);
    const least = order.reduce((a, b) => ((sizes[b] as number) < (sizes[a] as number) ? b : a));
    sizes[least] = (sizes[least] as number) + members.length;
    for (const i of members) fold[i] = least;
  }
  return fold;
}

function unitsOf(samples: readonly DatasetSample[]): number[][] {
  const sets = new DisjointSets(samples.length);
  const firsts = new Map<string, number>();
  samples.forEach(({ group, twins }, i) => {
    for (const key of [`twins ${twins}`, ...(group === null ? [] : [`camera ${group}`])]) {
      const first = firsts.get(key);
      if (first === undefined) firsts.set(key, i);
      else sets.join(first, i);
    }
  });
  return sets.sets();
}

/** Depends on the pictures, not on their order. */
function keyOf(members: readonly number[], samples: readonly DatasetSample[], seed: number): string {
  const digests = members.map((i) => (samples[i] as DatasetSample).digest).sort();
  return createHash('sha256').update(`${seed}/${digests[0]}`).digest('hex');
}
