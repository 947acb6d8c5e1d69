import type { ClassQueues, Draw } from './queues.ts';
import { createRandom, shuffle } from './random.ts';
import type { SamplingPlan } from './sampler.ts';

export interface DrawOptions {
  plan: SamplingPlan;
  queues: ClassQueues;
  seed: number | string;
  /** From 1. */
  iteration: number;
  /** Images in a batch; the last batch may have fewer. `quotas` bring their own batch size. */
  batchSize: number;
}

/**
 * The batches of an iteration. They depend on the plan, the seed, the iteration and the queues' state alone: to resume, restore
 * the queues as they were before the iteration and draw it again.
 */
export function drawIteration(options: DrawOptions): Draw[][] {
  const { plan, queues, seed, iteration, batchSize } = options;
  const { arrangement } = plan;
  const random = createRandom(seed, 'order', iteration);
  switch (arrangement.kind) {
    case 'shuffled': {
      const union = plan.sizes.flatMap((size, j) => queues.take(j, size));
      return batchesOf(shuffle(union, random), batchSize);
    }
    case 'sequence': {
      const draws = arrangement.order.flatMap((j) => queues.take(j, 1));
      return batchesOf(draws, batchSize).map((batch) => shuffle(batch, random));
    }
    case 'quotas':
      return Array.from({ length: arrangement.batches }, () =>
        shuffle(
          arrangement.quotas.flatMap((quota, j) => queues.take(j, quota)),
          random,
        ),
      );
  }
}

/** Consecutive batches of `size`; the last may be smaller. */
export function batchesOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/** Samples of each class that the batches really hold. */
export function classCounts(draws: readonly Draw[], labels: ArrayLike<number>, classes: number): number[] {
  const counts = Array.from({ length: classes }, () => 0);
  for (const { sample } of draws) counts[labels[sample] as number] = (counts[labels[sample] as number] as number) + 1;
  return counts;
}
