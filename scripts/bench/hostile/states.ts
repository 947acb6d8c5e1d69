import type { CameraState } from '../../../common/domain/health.ts';
import { cameraStates, MEANINGS } from '../../../common/domain/health.ts';
import type { Verdict } from '../../../common/domain/verdict.ts';
import { observe } from '../../../coordinator/results/health/rules.ts';
import type { Health } from '../../../coordinator/results/health/rules.ts';
import type { FaultGroup, FaultName } from '../../camera-farm/faults.ts';
import { FAULTS, FAULT_NAMES } from '../../camera-farm/faults.ts';
import { tableOf } from './confusion.ts';
import type { HostileCamera, HostileTurn } from './scenario.ts';

/** What the coordinator's rules say of all cameras with one fault. */
export interface StateRow {
  fault: FaultName | null;
  group: FaultGroup | 'healthy';
  expected: CameraState;
  cameras: number;
  /** Cameras that are in another state at the end, or were on the way. */
  wrong: number;
  /** Cameras that are still as before the fault, because it has not shown often enough. */
  undecided: number;
  /** Cameras by their state at the end. */
  found: Partial<Record<CameraState, number>>;
}

interface Life {
  state: CameraState;
  /** All states that it was in. */
  states: ReadonlySet<CameraState>;
  /** Attempts whose verdict speaks for another state than that before the fault. */
  ill: number;
}

/** The rules take 3 of 5 samples for a new state. */
const NEEDED = 3;

/** As the coordinator has it after each of these attempts, of a camera that was well before. */
function lifeOf(verdicts: readonly Verdict[]): Life {
  let health: Health | undefined;
  let at = 0;
  const states = new Set<CameraState>();
  for (let i = 0; i < NEEDED; i++) health = observe(health, { verdict: 'good', at: ++at });
  for (const verdict of verdicts) {
    health = observe(health, { verdict, at: ++at });
    states.add(health.state);
  }
  const ill = verdicts.filter((verdict) => MEANINGS[verdict].state !== 'online').length;
  return { state: health?.state ?? 'unknown', states, ill };
}

/** A row for each fault that some camera had, in the order of the table; well-behaved cameras last. */
export function stateRows(cameras: readonly HostileCamera[], turn: HostileTurn): StateRow[] {
  return [...FAULT_NAMES, null]
    .map((fault) =>
      rowOf(
        fault,
        turn.cameras.filter((_, index) => cameras[index]?.fault === fault).map(({ series }) => lifeOf(series)),
      ),
    )
    .filter((row) => row.cameras > 0);
}

function rowOf(fault: FaultName | null, lives: readonly Life[]): StateRow {
  const { group, verdict } = fault === null ? HEALTHY : FAULTS[fault];
  const expected = MEANINGS[verdict].state;
  const row: StateRow = { fault, group, expected, cameras: lives.length, wrong: 0, undecided: 0, found: {} };
  for (const { state, states, ill } of lives) {
    row.found[state] = (row.found[state] ?? 0) + 1;
    if (hasStrayed(states, expected)) row.wrong++;
    else if (state !== expected) row[ill < NEEDED ? 'undecided' : 'wrong']++;
  }
  return row;
}

/** Whether it was ever in a state that is neither the one before the fault nor the fault's own. */
const hasStrayed = (states: ReadonlySet<CameraState>, expected: CameraState): boolean =>
  [...states].some((state) => state !== 'online' && state !== expected);

const HEALTHY = { group: 'healthy', verdict: 'good' } as const;

/** See bench:hostile's `--help`. */
export type StateFigures = Record<
  'wrongTransportStates' | 'wrongContentShare' | 'wrongOddityStates' | 'wrongHealthyStates' | 'undecidedStates',
  number
>;

export function stateFigures(rows: readonly StateRow[]): StateFigures {
  const sum = (group: StateRow['group'], of: 'wrong' | 'cameras' | 'undecided'): number =>
    rows.filter((row) => row.group === group).reduce((total, row) => total + row[of], 0);
  const content = sum('content', 'cameras');
  return {
    wrongTransportStates: sum('transport', 'wrong'),
    wrongContentShare: content === 0 ? 0 : sum('content', 'wrong') / content,
    wrongOddityStates: sum('oddity', 'wrong'),
    wrongHealthyStates: sum('healthy', 'wrong'),
    undecidedStates: rows.reduce((total, { undecided }) => total + undecided, 0),
  };
}

/** A column for each state that some camera is in. */
export function stateTable(rows: readonly StateRow[]): string {
  const shown = cameraStates.filter((state) => rows.some(({ found }) => found[state] !== undefined));
  const head = ['fault', 'expected', 'cameras', 'wrong', 'undecided', ...shown];
  const body = rows.map(({ fault, expected, cameras, wrong, undecided, found }) => [
    ...[fault ?? '(none)', expected],
    ...[cameras, wrong, undecided, ...shown.map((state) => found[state])].map((value) => String(value ?? '')),
  ]);
  return tableOf([head, ...body]);
}
