import { createRandom } from '../sampling/random.ts';

/** Which of its `count` views an image shows: all in turn, each image beginning elsewhere. */
export function viewTurns(
  digests: readonly string[],
  seed: number,
): (sample: number, repetition: number, count: number) => number {
  const first = digests.map((digest) => createRandom(seed, 'view', digest).next());
  return (sample, repetition, count) => (Math.floor((first[sample] as number) * count) + repetition) % count;
}
