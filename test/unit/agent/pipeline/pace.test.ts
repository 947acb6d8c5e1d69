import { describe, expect, test } from 'vitest';
import { backoffAfter, Pace } from '../../../../agent/pipeline/pace.ts';
import type { PaceMemory } from '../../../../common/domain/fragment.ts';
import type { Assignment } from '../../../../common/protocol/agent-link.ts';
import { SimulatedClock } from '../../../../common/runtime/clock.ts';

interface Setup {
  assignment?: Pick<Assignment, 'exactly' | 'hours' | 'changedAt'>;
  lastAttemptAt?: number;
  memory?: PaceMemory | undefined;
  startMs?: number;
  askedMs?: number;
}

function setUp({ assignment = {}, memory, lastAttemptAt, startMs, askedMs = 60_000 }: Setup = {}) {
  const clock = new SimulatedClock(startMs);
  const pace = new Pace({ assignment, memory, lastAttemptAt, askedMs: () => askedMs, clock, random: () => 0 });
  return { clock, pace };
}

describe('back-off', () => {
  test('begins at the third failure in a row, doubles, and ends at an hour', () => {
    const waits = Array.from({ length: 12 }, (_, failures) => backoffAfter(failures, 60_000, () => 0) / 60_000);
    expect(waits).toEqual([0, 0, 0, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
  });

  test('is spread over all of its span, but never below the interval', () => {
    expect(backoffAfter(8, 60_000, () => 0.5)).toBe(1_800_000);
    expect(backoffAfter(8, 60_000, () => 0.9999)).toBe(60_000);
    expect(backoffAfter(8, 86_400_000, () => 0)).toBe(86_400_000);
  });

  test('travels with the camera, and the first success ends it', async () => {
    const { clock, pace } = setUp();
    for (let failure = 0; failure < 5; failure++) pace.failed(clock.now());
    expect(pace.waitMs()).toBe(480_000);
    const memory = pace.memory(clock.now());
    expect(memory).toMatchObject({ failures: 5, retryAt: clock.now() + 480_000, nextDueAt: clock.now() + 480_000 });

    const later = setUp({ memory, startMs: clock.now() + 100_000 });
    expect(later.pace.waitMs()).toBe(380_000);
    await later.clock.advance(380_000);
    expect(later.pace.waitMs()).toBe(0);
    later.pace.failed(later.clock.now());
    expect(later.pace.waitMs()).toBe(960_000);
    later.pace.answered(later.clock.now());
    expect(later.pace.waitMs()).toBe(0);
    expect(later.pace.memory(later.clock.now())).toEqual({ nextDueAt: later.clock.now() + 60_000 });
  });

  test('is forgotten when an operator has changed the camera since', () => {
    const lastAttemptAt = 1_700_000_000_000;
    const memory = { nextDueAt: 0, failures: 9, retryAt: lastAttemptAt + 3_000_000 };
    const waits = [lastAttemptAt - 1, lastAttemptAt + 1].map((changedAt) => {
      const { pace } = setUp({ assignment: { changedAt }, memory, lastAttemptAt });
      pace.failed(lastAttemptAt + 10);
      return [pace.waitMs(), pace.memory(lastAttemptAt).failures];
    });
    expect(waits).toEqual([[3_600_010, 10], [0, 1]]); // prettier-ignore
  });

  test('is cut short by whoever wants a picture now, and by a clock that was wrong', () => {
    const { clock, pace } = setUp();
    for (let failure = 0; failure < 9; failure++) pace.failed(clock.now());
    pace.hurry();
    expect(pace.waitMs()).toBe(0);
    const memory = { nextDueAt: 0, failures: 9, retryAt: clock.now() + 1e12 };
    expect(setUp({ memory }).pace.waitMs()).toBe(3_600_000);
  });
});

describe('the pace', () => {
  const look = (pace: Pace, clock: SimulatedClock, isNew: boolean) =>
    pace.answered(clock.now(), { isNew, stampedAt: undefined });

  test('follows the camera where it is slower than asked, unless exactly that is asked', async () => {
    for (const exactly of [false, true]) {
      const { clock, pace } = setUp({ assignment: { exactly } });
      for (let turn = 0; turn < 100; turn++) {
        look(pace, clock, turn % 5 === 0);
        await clock.advance(60_000);
      }
      expect(pace.intervalMs()).toBe(exactly ? 60_000 : 300_000);
      const { nextDueAt, refresh } = pace.memory(clock.now());
      expect(nextDueAt).toBe(clock.now() + pace.intervalMs());
      expect(setUp({ memory: { nextDueAt, ...(refresh && { refresh }) } }).pace.intervalMs()).toBe(300_000);
    }
  });

  test('does not learn from failures', async () => {
    const { clock, pace } = setUp();
    for (let turn = 0; turn < 100; turn++) {
      if (turn % 2 === 0) look(pace, clock, true);
      else pace.failed(clock.now());
      await clock.advance(60_000);
    }
    expect(pace.memory(0).refresh?.ms).toBeLessThanOrEqual(120_000);
  });
});

describe('active hours', () => {
  const hours = { text: 'Mo-Fr 06:00-20:00', zone: 'America/New_York' };

  test('close the camera, and say when it is due again', async () => {
    // Friday 19:59 in New York.
    const { clock, pace } = setUp({ assignment: { hours }, startMs: Date.parse('2026-03-06T23:59:00-01:00') });
    expect([pace.waitMs(), pace.closedMs()]).toEqual([0, 0]);
    expect(new Date(pace.memory(clock.now()).nextDueAt).toISOString()).toBe('2026-03-09T10:00:00.000Z');
    await clock.advance(60_000);
    // The clocks go forward that weekend: an hour less than 58.
    expect(pace.closedMs()).toBe(57 * 3_600_000);
    await clock.advance(pace.closedMs());
    expect(pace.waitMs()).toBe(0);
  });

  test('that this agent does not understand do not hide the camera', () => {
    for (const wrong of [
      { text: 'sunrise-sunset', zone: 'UTC' },
      { text: '06:00-07:00', zone: 'Mars/Olympus' },
    ])
      expect(setUp({ assignment: { hours: wrong } }).pace.waitMs()).toBe(0);
  });
});
