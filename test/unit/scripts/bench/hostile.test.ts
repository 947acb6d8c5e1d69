import { expect, test } from 'vitest';
import type { Verdict } from '../../../../common/domain/verdict.ts';
import { confusion, confusionTable, figuresOf, lostFrames } from '../../../../scripts/bench/hostile/confusion.ts';
import { leaksIn } from '../../../../scripts/bench/hostile/vitals.ts';
import { stateFigures, stateRows, stateTable } from '../../../../scripts/bench/hostile/states.ts';
import type { CameraTally, HostileCamera, HostileTurn } from '../../../../scripts/bench/hostile/scenario.ts';

const vitals = { residentMb: 1, descriptors: 1, children: 0 };
const camera = (fault: HostileCamera['fault']): HostileCamera => ({
  url: '',
  transport: 'snapshot',
  host: 'h',
  name: 'c',
  fault,
});
const turnOf = (...cameras: CameraTally[]): HostileTurn => ({ cameras, from: 0, until: 50, vitals });
const regular: CameraTally = {
  verdicts: { good: 5 },
  series: Array<Verdict>(5).fill('good'),
  frames: [5, 15, 25, 35, 45],
  failed: 0,
};

test('a camera that was asked in time lost nothing, however the turns fall', () => {
  expect(lostFrames(regular, turnOf(), 10)).toBe(0);
  expect(lostFrames({ ...regular, frames: [13, 20, 33, 40] }, turnOf(), 10)).toBe(0);
});

test('turns that were missed or failed are lost, at the beginning and at the end, too', () => {
  expect(lostFrames({ ...regular, frames: [5, 35, 45] }, turnOf(), 10)).toBe(2);
  expect(lostFrames({ ...regular, frames: [5, 15, 25] }, turnOf(), 10)).toBe(2);
  expect(lostFrames({ ...regular, frames: [] }, turnOf(), 10)).toBe(4);
  expect(lostFrames({ ...regular, failed: 1 }, turnOf(), 10)).toBe(1);
});

test('wrong verdicts are counted by the group of the fault; what has to be learned first is undecided, not wrong', () => {
  const cameras = [camera('hang'), camera('black'), camera('frozen'), camera('no-length'), camera(null)];
  const tally = (verdicts: CameraTally['verdicts']): CameraTally => ({
    ...{ verdicts, frames: [], failed: 0 },
    series: Object.entries(verdicts).flatMap(([verdict, times]) => Array<Verdict>(times).fill(verdict as Verdict)),
  });
  const turn = turnOf(
    tally({ timeout: 3, refused: 1 }),
    tally({ black: 3, blank: 1 }),
    tally({ frozen: 1, good: 3 }),
    tally({ good: 2, corrupt: 2 }),
    regular,
  );
  const rows = confusion(cameras, turn);
  expect(rows.map(({ fault, wrong }) => [fault, wrong])).toEqual([
    ['hang', 1],
    ['frozen', 0],
    ['black', 1],
    ['no-length', 2],
    [null, 0],
  ]);
  expect(figuresOf(rows, cameras, turn, 10)).toEqual({
    wrongTransportVerdicts: 1,
    wrongContentVerdictShare: 1 / 8,
    undecidedContentVerdictShare: 3 / 8,
    wrongOddityVerdicts: 2,
    healthyLostFrames: 0,
    healthyFrames: 5,
    camerasWithoutAttempt: 0,
  });
  expect(confusionTable(rows)).toMatch(/hang +timeout +1 +4 +1 +0 +timeout 3, refused 1/);
});

test('states follow the coordinator’s rules: debounced, wrong where a camera strays, undecided where its fault showed seldom', () => {
  const lives: [HostileCamera['fault'], Verdict[]][] = [
    ['hang', ['timeout', 'timeout', 'timeout', 'timeout']],
    // One odd verdict among many changes no state.
    ['hang', ['timeout', 'timeout', 'timeout', 'black', 'timeout']],
    ['hang', ['black', 'black', 'black', 'timeout', 'timeout', 'timeout']],
    ['503', ['http_error', 'http_error']],
    ['frozen', ['good', 'good', 'frozen', 'frozen', 'frozen']],
    ['black', ['blank', 'blank', 'blank', 'blank']],
    [null, ['good', 'timeout', 'good', 'good']],
  ];
  const rows = stateRows(
    lives.map(([fault]) => camera(fault)),
    turnOf(...lives.map(([, series]) => ({ verdicts: {}, series, frames: [], failed: 0 }))),
  );
  expect(rows.map(({ fault, wrong, undecided, found }) => [fault, wrong, undecided, found])).toEqual([
    ['503', 0, 1, { online: 1 }],
    ['hang', 1, 0, { offline: 3 }],
    ['frozen', 0, 0, { frozen: 1 }],
    ['black', 1, 0, { degraded: 1 }],
    [null, 0, 0, { online: 1 }],
  ]);
  expect(stateFigures(rows)).toEqual({
    ...{ wrongTransportStates: 1, wrongContentShare: 1 / 2, wrongOddityStates: 0 },
    ...{ wrongHealthyStates: 0, undecidedStates: 1 },
  });
  expect(stateTable(rows)).toMatch(/fault +expected +cameras +wrong +undecided +online +degraded +frozen +offline/);
});

test('memory, descriptors and children that grow are named, and what comes and goes is not', () => {
  const before = { residentMb: 250, descriptors: 60, children: 1 };
  const start = { residentMb: 300, descriptors: 1_000, children: 3 };
  expect(leaksIn([start, { residentMb: 340, descriptors: 1_100, children: 5 }, start], before, 4)).toEqual([]);
  const grown = { residentMb: 500, descriptors: 1_400, children: 3 };
  expect(leaksIn([start, grown], before, 4)).toEqual([
    '500 MB resident, at most 369 were expected',
    '1400 descriptors, at most 1132 were expected',
  ]);
  // On the way, too.
  expect(leaksIn([start, { ...start, children: 9 }, start], before, 4)).toEqual([
    '9 children, at most 5 were expected',
  ]);
});
