import { sampleSizes } from '../eq2.ts';
import type { Sampler, SamplingContext } from '../sampler.ts';

/** Eq. 2 of the paper. Before the first evaluation all F1 count as 0, so every class gets N*. */
export const f1Dynamic: Sampler = {
  scoreDriven: true,
  plan: (context) => ({ ...sampleSizes(eq2InputOf(context)), arrangement: { kind: 'shuffled' } }),
};

export function eq2InputOf(context: SamplingContext): Parameters<typeof sampleSizes>[0] {
  const { eq2, f1, trainingCounts, referenceCounts, base } = context;
  if (f1 !== null) return { ...eq2, f1, trainingCounts, referenceCounts, base };
  // N_1 = N* in either form of Eq. 2.
  const start = { ...eq2, form: 'constant-total' as const };
  return { ...start, f1: trainingCounts.map(() => 0), trainingCounts, referenceCounts, base };
}
