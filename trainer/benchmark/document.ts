import type { ThresholdPoint } from '../../common/domain/training.ts';
import type { Comparison, PairedDifference } from '../evaluate/bootstrap.ts';
import type { Claim, ClaimVerdict, JudgedBar } from './bars.ts';
import type { Convergence } from './convergence.ts';
import type { Int8Report } from './int8.ts';
import type { FigureName, Figures, Ground } from './judge.ts';
import type { PaperFigures } from './rows.ts';
import type { BenchmarkSettings } from './settings.ts';
import type { Iteration } from './train-head.ts';

/** Time and memory of one row: of all models that it is made of, mean over runs. */
export interface RowCost {
  seconds: number;
  steps: number;
  residentBytes: number;
}

export interface RowOnProfile {
  /** Runs (split × seed) behind these figures. */
  runs: number;
  /** Means over runs, and standard deviations over runs (0 for one). */
  figures: Partial<Record<Ground, Figures & { sd: Figures }>>;
  /** F1 of each class on the main ground, mean over runs. */
  f1: number[];
  /** On the main ground of the first split: counts of images, never re-weighted. */
  confusion: number[][];
  thresholds: number[];
  taus: number[];
  cost: RowCost;
}

export interface ReportedRow {
  name: string;
  title: string;
  short: string;
  group: 'paper' | 'field' | 'check';
  paper: PaperFigures | null;
  profiles: Record<string, RowOnProfile>;
}

export interface ReportedProfile {
  name: string;
  images: number;
  splits: string[];
  counts: { training: number[]; reference: number[]; test: number[] };
  ratios: number[];
  views: number[];
  warnings: string[];
  convergence: Convergence | null;
  /** Of the first split. */
  iterations: Record<string, Iteration[]>;
  curves: Record<string, { threshold: number; curve: ThresholdPoint[]; reason: string }>;
}

export interface BenchmarkReport {
  format: 1;
  startedAt: string;
  finishedAt: string;
  engine: string;
  backbone: string;
  layer: string;
  dataset: string;
  balanced: { name: string; images: number } | null;
  classes: string[];
  settings: BenchmarkSettings;
  options: { splits: number; seeds: number; rows: string[]; full: boolean; mostViews: number | null };
  /** Bars and claims are judged on it. */
  ground: Ground;
  profiles: ReportedProfile[];
  rows: ReportedRow[];
  /** Paired differences to M0: of all profiles together, and of each. */
  differences: Partial<Record<Ground, { all: Comparison; profiles: Record<string, Comparison> }>>;
  bars: JudgedBar[];
  /** Rows with fresh views minus the same rows on the pool of views; where they were asked for. */
  approximations: { fresh: string; cached: string; difference: Record<FigureName, PairedDifference> }[];
  /** The 8-bit trunk beside the fp32 one; where it was asked for. */
  int8: Int8Report | null;
  claims: (Claim & { difference: PairedDifference | null; verdict: ClaimVerdict })[];
  warnings: string[];
}
