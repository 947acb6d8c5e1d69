import type { Clock } from '../../common/runtime/clock.ts';
import type { Backbone } from '../backbone/backbone.ts';
import type { Dataset } from '../dataset/dataset.ts';
import type { TrainEngine } from '../engine/engine.ts';
import type { SplitMaps } from './maps.ts';
import type { ModelResult, ResultStore } from './results.ts';
import type { BenchmarkSettings } from './settings.ts';
import type { SplitVectors } from './vectors.ts';

/** One split of one profile with one seed. */
export interface SplitContext {
  profile: string;
  split: number;
  seed: number;
  dataset: Dataset;
  balanced: Dataset | undefined;
  backbone: Backbone;
  layer: string;
  /** Views of an image of each class. */
  views: readonly number[];
  settings: BenchmarkSettings;
  engine: TrainEngine;
  threads: number;
  store: ResultStore;
  clock: Clock;
  signal: AbortSignal;
  /** Reads the vectors when somebody first needs them. */
  vectors(): SplitVectors;
  /** The trunk's maps, where level 2 is asked for. */
  maps?: () => SplitMaps;
  /** Steps taken, for progress. */
  onSteps(steps: number): void;
  onModel(model: string, result: ModelResult, wasKept: boolean): void;
}
