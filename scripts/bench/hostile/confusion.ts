import { verdictOrder } from '../../../common/domain/verdict.ts';
import type { Verdict } from '../../../common/domain/verdict.ts';
import type { FaultGroup, FaultName } from '../../camera-farm/faults.ts';
import { FAULTS, FAULT_NAMES } from '../../camera-farm/faults.ts';
import type { CameraTally, HostileCamera, HostileTurn } from './scenario.ts';

/** What the agent found of all cameras with one fault. */
export interface FaultRow {
  fault: FaultName | null;
  group: FaultGroup | 'healthy';
  expected: Verdict;
  cameras: number;
  attempts: number;
  /** Attempts with another verdict than the table of faults allows. */
  wrong: number;
  /** Attempts with the verdict that the fault has before habits are learned. */
  undecided: number;
  found: Partial<Record<Verdict, number>>;
}

/** A row for each fault that some camera had, in the order of the table; well-behaved cameras last. */
export function confusion(cameras: readonly HostileCamera[], turn: HostileTurn): FaultRow[] {
  return [...FAULT_NAMES, null]
    .map((fault) =>
      rowOf(
        fault,
        turn.cameras.filter((_, index) => cameras[index]?.fault === fault),
      ),
    )
    .filter((row) => row.cameras > 0);
}

function rowOf(fault: FaultName | null, tallies: readonly CameraTally[]): FaultRow {
  const { group, verdict: expected, atFirst } = fault === null ? HEALTHY : FAULTS[fault];
  const row: FaultRow = {
    fault,
    group,
    expected,
    cameras: tallies.length,
    attempts: 0,
    wrong: 0,
    undecided: 0,
    found: {},
  };
  for (const verdict of verdictOrder) {
    const times = tallies.reduce((sum, { verdicts }) => sum + (verdicts[verdict] ?? 0), 0);
    if (times === 0) continue;
    row.found[verdict] = times;
    row.attempts += times;
    if (verdict === expected) continue;
    if (verdict === atFirst) row.undecided += times;
    else row.wrong += times;
  }
  return row;
}

const HEALTHY = { group: 'healthy', verdict: 'good', atFirst: undefined } as const;

/** Turns in which a camera that was to be asked every `intervalMs` brought no frame. */
export function lostFrames({ frames, failed }: CameraTally, { from, until }: HostileTurn, intervalMs: number): number {
  const instants = [from, ...frames.toSorted((a, b) => a - b), until];
  let missed = 0;
  for (let i = 1; i < instants.length; i++) {
    const gap = (instants[i] as number) - (instants[i - 1] as number);
    if (gap > 1.5 * intervalMs) missed += Math.round(gap / intervalMs) - 1;
  }
  return Math.max(missed, failed);
}

/** See bench:hostile's `--help`. */
export type HostileFigures = Record<
  | 'wrongTransportVerdicts'
  | 'wrongContentVerdictShare'
  | 'undecidedContentVerdictShare'
  | 'wrongOddityVerdicts'
  | 'healthyLostFrames'
  | 'healthyFrames'
  | 'camerasWithoutAttempt',
  number
>;

export function figuresOf(
  rows: readonly FaultRow[],
  cameras: readonly HostileCamera[],
  turn: HostileTurn,
  intervalMs: number,
): HostileFigures {
  const sum = (group: FaultRow['group'], of: 'wrong' | 'attempts' | 'undecided') =>
    rows.filter((row) => row.group === group).reduce((total, row) => total + row[of], 0);
  const healthy = turn.cameras.filter((_, index) => cameras[index]?.fault === null);
  const untried = turn.cameras.filter(({ verdicts }) => Object.keys(verdicts).length === 0).length;
  return {
    wrongTransportVerdicts: sum('transport', 'wrong'),
    wrongContentVerdictShare: share(sum('content', 'wrong'), sum('content', 'attempts')),
    undecidedContentVerdictShare: share(sum('content', 'undecided'), sum('content', 'attempts')),
    wrongOddityVerdicts: sum('oddity', 'wrong'),
    healthyLostFrames: healthy.reduce((lost, tally) => lost + lostFrames(tally, turn, intervalMs), 0),
    healthyFrames: healthy.reduce((frames, tally) => frames + tally.frames.length, 0),
    camerasWithoutAttempt: untried,
  };
}

const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

export function confusionTable(rows: readonly FaultRow[]): string {
  const head = ['fault', 'expected', 'cameras', 'attempts', 'wrong', 'undecided', 'found'];
  const body = rows.map(({ fault, expected, cameras, attempts, wrong, undecided, found }) => [
    fault ?? '(none)',
    expected,
    ...[cameras, attempts, wrong, undecided].map(String),
    Object.entries(found)
      .map(([verdict, times]) => `${verdict} ${times}`)
      .join(', '),
  ]);
  return tableOf([head, ...body]);
}

/** Rows of equal length, the first of them the head, in columns. */
export function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  return rows
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] as number)).join('  ')}`.trimEnd())
    .join('\n');
}
