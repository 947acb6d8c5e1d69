import type { Sampler } from './sampler.ts';
import { authors2019 } from './samplers/authors-2019.ts';
import { f1Dynamic } from './samplers/f1-dynamic.ts';
import { balancedBatches, classBalanced, instance, progressive, squareRoot } from './samplers/power.ts';

/** Every sampler by the name that settings use. A new one is a file in samplers/ and a line here. */
export const samplers = {
  'f1-dynamic': f1Dynamic,
  instance,
  'class-balanced': classBalanced,
  'square-root': squareRoot,
  progressive,
  'balanced-batches': balancedBatches,
  'authors-2019': authors2019,
} as const satisfies Record<string, Sampler>;

export type SamplerName = keyof typeof samplers;
export const samplerNames = Object.keys(samplers) as SamplerName[];
