export { FeatureCache } from '../features/cache.ts';
export type { FeatureOptions, FillHooks, Need } from '../features/cache.ts';
