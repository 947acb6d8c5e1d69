import { expect, test } from 'vitest';
import type { RequestRecord } from '../../../scripts/camera-farm/request-log.ts';
import { compareCounts } from './assert-counts.ts';
import type { CountedAttempt, CountsInput, CountsReport, Holding, Stop } from './assert-counts.ts';

// The judge is judged: each lie must be found, and nothing else be called one.

const T = 1_700_000_000_000;

const answer = (sequence: number, at: number, more: Partial<RequestRecord> = {}): RequestRecord => ({
  at: T + at,
  camera: 'cam1',
  attempt: `A/1/${sequence}`,
  status: 200,
  bytes: 10,
  complete: true,
  kind: 'frame',
  fault: null,
  ...more,
});

const attempt = (sequence: number, more: Partial<CountedAttempt> = {}): CountedAttempt => ({
  session: 'A',
  cameraId: 1,
  camera: 'cam1',
  sequence,
  token: 7,
  isFrame: true,
  serial: null,
  ...more,
});

interface Case {
  answers: RequestRecord[];
  attempts: CountedAttempt[];
  until?: number;
  holdings?: Holding[];
  stops?: Stop[];
  lastAt?: number;
}

function compare({ answers, attempts, until, holdings, stops = [], lastAt = 0 }: Case): CountsReport {
  const end = until === undefined ? null : T + until;
  const input: CountsInput = {
    farm: { requests: answers },
    counted: {
      attempts,
      holdings: holdings ?? [{ session: 'A', cameraId: 1, token: 7, from: T, until: end }],
      reported: new Map([['A', { lastAt: T + lastAt, clockErrorMs: 5 }]]),
    },
    stops,
    asOf: T + 1_000_000,
  };
  return compareCounts(input);
}

const answers = [answer(0, 1_000), answer(1, 2_000), answer(2, 3_000)];
const all = [attempt(0), attempt(1), attempt(2)];

test('equal sets are right, a 304 among them', () => {
  const notModified = answer(3, 4_000, { kind: 'not-modified', complete: false, bytes: 0, status: 304 });
  const report = compare({ answers: [...answers, notModified], attempts: [...all, attempt(3)] });
  expect(report).toEqual({ completed: 4, counted: 4, problems: [], excused: {} });
});

test.each<[string, Case]>([
  ['is counted twice', { answers, attempts: [...all, attempt(1)] }],
  ['the log has it 0 times', { answers, attempts: [...all, attempt(9)] }],
  ['the log has it 0 times', { answers: [answer(0, 1_000, { complete: false })], attempts: [attempt(0)] }],
  ['the log has it 2 times', { answers: [...answers, answer(1, 2_500)], attempts: all }],
  ['while the session held', { answers, attempts: all, until: 2_900 }],
  ['while the session held', { answers, attempts: [...all.slice(1), attempt(0, { token: 8 })] }],
  ['is not counted', { answers, attempts: [attempt(0), attempt(2)] }],
  ['is not counted', { answers, attempts: [attempt(0)], until: 3_100 }],
  ['is not counted', { answers, attempts: [attempt(0), attempt(1)], until: 60_000 }],
])('a lie is found: %s', (words, lie) => {
  const { problems } = compare(lie);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(words);
});

test('a part of a stream is known by camera and serial, whoever counts it', () => {
  const part = answer(0, 1_000, { serial: 5 });
  const counted = attempt(0, { serial: 5 });
  expect(compare({ answers: [part], attempts: [counted] }).problems).toEqual([]);
  const holdings = ['A', 'B'].map((session, index) => ({
    ...{ session, cameraId: 1, token: 7 + index },
    ...{ from: T + index * 5_000, until: index === 0 ? T + 5_000 : null },
  }));
  const stolen = attempt(3, { session: 'B', token: 8, serial: 5 });
  const { problems } = compare({ answers: [part], attempts: [counted, stolen], holdings });
  expect(problems).toEqual(['cam1#5 is counted twice', 'cam1#5 is counted for session B, but A was given it']);
});

test('two owners at a time are found', () => {
  const holdings = ['A', 'B'].map((session, index) => ({
    ...{ session, cameraId: 1, token: 7 + index },
    ...{ from: T + index * 4_000, until: T + 5_000 },
  }));
  expect(compare({ answers, attempts: all, holdings }).problems).toEqual([expect.stringContaining('two owners')]);
});

test.each<[string, Case]>([
  ['inFlightAtLoss', { answers, attempts: all.slice(0, 2), until: 3_100 }],
  ['notHolder', { answers, attempts: all.slice(0, 2), until: 2_900 }],
  ['afterLastBatch', { answers, attempts: all.slice(0, 2), stops: [stop('killed', 3_100)], lastAt: 2_000 }],
  ['inFlightAtFreeze', { answers, attempts: all.slice(0, 2), stops: [stop('frozen', 2_900, 9_000)] }],
])('what nobody could save is excused: %s', (excuse, saved) => {
  expect(compare(saved)).toMatchObject({ problems: [], excused: { [excuse]: 1 } });
});

test('a killed agent does not excuse a gap before what it reported', () => {
  const gap = { answers, attempts: [attempt(0), attempt(2)], stops: [stop('killed', 3_100)], lastAt: 3_000 };
  expect(compare(gap).problems).toHaveLength(1);
});

test('no stop excuses what was reported or captured well before it', () => {
  const early = answers.map((one) => ({ ...one, at: one.at - 1_000 }));
  for (const kind of ['killed', 'frozen'] as const) {
    const late = { answers: early, attempts: [attempt(1), attempt(2)], stops: [stop(kind, 20_000, 21_000)] };
    expect(compare({ ...late, lastAt: 19_000 }).problems, kind).toHaveLength(1);
  }
});

function stop(kind: Stop['kind'], at: number, until?: number): Stop {
  return { session: 'A', kind, at: T + at, ...(until !== undefined && { until: T + until }) };
}
