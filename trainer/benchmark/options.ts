import type { Clock } from '../../common/runtime/clock.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { ROWS, BASELINE } from './rows.ts';
import type { ModelResult } from './results.ts';

export interface BenchmarkOptions {
  /** Folder of the dataset. */
  dataset: string;
  /** Manifests of parts, each a benchmark of its own with one common judgement. None: the dataset's own parts. */
  profiles: readonly string[];
  /** Manifest of further test images, as many of each class as can be had. */
  balancedTest?: string | undefined;
  /** Folder of an imported backbone, or a file to import. */
  backbone: string;
  /** Where features are taken; default: the last of `featureLayers`. */
  layer?: string | undefined;
  splits: number;
  seeds: number;
  /** Default: all. The baseline is always there. */
  rows?: readonly string[] | undefined;
  /** How splits after the first are drawn; default: by camera where all cameras are known, else at random. */
  redraw?: 'camera' | 'random' | undefined;
  /** Most views of an image; 0 trains every row on the pictures as they are. Default: as many as the settings say. */
  mostViews?: number | undefined;
  /** Other than the settings'. */
  passes?: number | undefined;
  threads: number;
  engine?: string | undefined;
  /** The rows that train the blocks behind the cut, too. */
  levelTwo?: boolean | undefined;
  /** The rows that see a new view of a picture every time, too. */
  fresh?: boolean | undefined;
  /** The trunk whose features are judged beside those of the backbone as it is. */
  trunk?: 'fp32' | 'int8' | undefined;
  /** Passes of level 2 other than the settings'. */
  levelTwoPasses?: number | undefined;
  /** Costly rows on every split of every profile. */
  full?: boolean | undefined;
  /** Go on in spite of leaks. */
  force?: boolean | undefined;
  out: string;
  /** Folder of the feature cache; default: `features` in `out`. */
  features?: string | undefined;
  /** Only say what it would cost. */
  planOnly?: boolean | undefined;
}

export interface BenchmarkHooks {
  onStage?: (stage: string) => void;
  onProgress?: (stage: string, done: number, all: number, secondsLeft: number) => void;
  onModel?: (where: string, model: string, result: ModelResult, wasKept: boolean) => void;
  signal?: AbortSignal;
  clock?: Clock;
}

export type Hooks = Required<BenchmarkHooks>;

export const withDefaults = (hooks: BenchmarkHooks): Hooks => ({
  onStage: () => undefined,
  onProgress: () => undefined,
  onModel: () => undefined,
  signal: new AbortController().signal,
  clock: systemClock,
  ...hooks,
});

/**
 * Names of the rows that are asked for, in the order of the report, the baseline among them. Rows of level 2 and of fresh views
 * want to be asked for by name or all together.
 *
 * @throws AppError `BENCHMARK_OPTIONS`
 */
export function rowsAskedFor({
  rows,
  levelTwo = false,
  fresh = false,
}: Pick<BenchmarkOptions, 'rows' | 'levelTwo' | 'fresh'>): string[] {
  const known = Object.keys(ROWS);
  const unknown = rows?.filter((name) => !known.includes(name)) ?? [];
  if (unknown.length > 0) {
    throw new AppError('BENCHMARK_OPTIONS', `There are no rows ${unknown.join(', ')}; known are ${known.join(', ')}.`);
  }
  const wanted = known.filter((name) => rows === undefined || name === BASELINE || rows.includes(name));
  const isCheap = (name: string): boolean => (levelTwo || !ROWS[name]?.levelTwo) && (fresh || !ROWS[name]?.fresh);
  return wanted.filter((name) => isCheap(name) || rows?.includes(name));
}
