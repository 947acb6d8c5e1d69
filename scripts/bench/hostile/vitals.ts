import type { Vitals } from './scenario.ts';

/**
 * What counts as flat, between two intervals after the faults began and the end. Memory: V8 lets the heap grow before it clears
 * up, 20 MB in the first minute; descriptors come and go with answers that hang and rests that end.
 */
const MOST = {
  residentMb: (start: number): number => start * 1.15 + 24,
  descriptors: (start: number): number => start * 1.1 + 32,
};

/**
 * Why what the agent holds is not flat; nothing where it is. `samples` in their order, the first of them the start. A camera has
 * one child at a time, so that more than `streams` beside those of `before` the faults were left behind.
 */
export function leaksIn(samples: readonly Vitals[], before: Vitals, streams: number): string[] {
  const [start, end] = [samples[0], samples.at(-1)];
  if (!start || !end) return [];
  const found: string[] = [];
  const judge = (what: string, is: number, most: number): void => {
    if (is > most) found.push(`${is.toFixed(0)} ${what}, at most ${most.toFixed(0)} were expected`);
  };
  judge('MB resident', end.residentMb, MOST.residentMb(start.residentMb));
  judge('descriptors', end.descriptors, MOST.descriptors(start.descriptors));
  judge('children', Math.max(...samples.map(({ children }) => children)), before.children + streams);
  return found;
}
