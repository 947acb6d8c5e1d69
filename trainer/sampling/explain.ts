import type { SampleSizes } from './eq2.ts';

/** What is worth a warning in an iteration's sample sizes, in sentences for the log and the report. */
export function explainSizes(sizes: SampleSizes, labels: readonly string[]): string[] {
  const say = (indices: readonly number[], text: (names: string) => string): string[] =>
    indices.length === 0 ? [] : [text(indices.map((j) => labels[j] ?? `class ${j}`).join(', '))];
  return [
    ...say(sizes.starved, (names) => `No sample in this iteration (F1 = 1, or too small a share): ${names}.`),
    ...say(sizes.held, (names) => `Kept at an equal share because there is no reference image to judge by: ${names}.`),
    ...say(sizes.untrained, (names) => `Cannot be learned, no training image: ${names}.`),
    ...say(sizes.capped, (names) => `Limited by the cap on repeats of an image: ${names}.`),
  ];
}
