import { describe, expect, test } from 'vitest';
import { learnRefresh, paceMs, refreshOf, staleAfterMs } from '../../../../common/domain/refresh.ts';
import type { RefreshMemory } from '../../../../common/domain/refresh.ts';

interface Run {
  refreshMs: number;
  askedMs: number;
  looks: number;
  stamps?: boolean;
  memory?: RefreshMemory | undefined;
  startAt?: number;
  /** Moves each look by up to so much. */
  jitterMs?: number;
}

/** A camera that makes a picture each `refreshMs`, looked at by the pace that was learned. */
function run({ refreshMs, askedMs, looks, stamps = false, memory, startAt = 1_000_000, jitterMs = 0 }: Run) {
  let at = startAt;
  let picture = -1;
  let before: number | undefined;
  for (let look = 0; look < looks; look++) {
    const now = at + ((look * 7_919) % 997) * (jitterMs / 997);
    const current = Math.floor(now / refreshMs);
    const stampedAt = stamps ? Math.floor((current * refreshMs) / 1_000) * 1_000 : undefined;
    memory = learnRefresh(memory, { at: now, isNew: current !== picture, stampedAt, before });
    [picture, before] = [current, now];
    at += paceMs(askedMs, memory);
  }
  return { memory, took: at - startAt, endAt: at };
}

describe('the refresh interval', () => {
  test.each([
    ['a minute, looked at each ten seconds', 60_000, 10_000, false],
    ['five minutes, looked at each minute', 300_000, 60_000, false],
    ['five minutes, with Last-Modified', 300_000, 60_000, true],
    ['seven seconds, looked at each second', 7_000, 1_000, false],
  ])('is learned: %s', (_, refreshMs, askedMs, stamps) => {
    const { memory } = run({ refreshMs, askedMs, looks: 300, stamps, jitterMs: askedMs / 20 });
    expect(refreshOf(memory)! / refreshMs).toBeGreaterThan(0.7);
    expect(refreshOf(memory)! / refreshMs).toBeLessThan(1.15);
  });

  test('decides how often to look: about as many looks as there are pictures', () => {
    const { memory, endAt } = run({ refreshMs: 300_000, askedMs: 60_000, looks: 200, stamps: true });
    const { took } = run({ refreshMs: 300_000, askedMs: 60_000, looks: 200, stamps: true, memory, startAt: endAt });
    expect(took / 300_000).toBeGreaterThan(190);
    const unstamped = run({ refreshMs: 300_000, askedMs: 60_000, looks: 200 });
    const later = run({
      ...{ refreshMs: 300_000, askedMs: 60_000, looks: 200 },
      memory: unstamped.memory,
      startAt: unstamped.endAt,
    });
    expect(later.took / 300_000).toBeGreaterThan(150);
  });

  test('never makes looks rarer than asked where the camera is faster, and then says at most', () => {
    const { memory, took } = run({ refreshMs: 1_000, askedMs: 60_000, looks: 100 });
    expect(took).toBe(100 * 60_000);
    expect(refreshOf(memory)).toBeLessThanOrEqual(60_000);
  });

  test('is found again when a camera becomes faster', () => {
    const slow = run({ refreshMs: 600_000, askedMs: 60_000, looks: 200 });
    expect(paceMs(60_000, slow.memory)).toBeGreaterThan(400_000);
    const fast = run({ refreshMs: 5_000, askedMs: 60_000, looks: 400, memory: slow.memory, startAt: slow.endAt });
    expect(paceMs(60_000, fast.memory)).toBe(60_000);
  });

  test('is found again where looks are rarer than what else counts as an absence', () => {
    const slow = run({ refreshMs: 3_000_000, askedMs: 60_000, looks: 400 });
    expect(paceMs(60_000, slow.memory)).toBeGreaterThan(2_000_000);
    const fast = run({ refreshMs: 5_000, askedMs: 60_000, looks: 600, memory: slow.memory, startAt: slow.endAt });
    expect(paceMs(60_000, fast.memory)).toBe(60_000);
  });

  test('is not moved by an outage, nor by one still hour', () => {
    const { memory, endAt } = run({ refreshMs: 60_000, askedMs: 10_000, looks: 300 });
    const learned = refreshOf(memory)!;
    const away = learnRefresh(memory, { at: endAt + 7_200_000, isNew: true, before: endAt })!;
    expect(refreshOf(away)).toBe(learned);
    const still = learnRefresh(memory, { at: endAt + 3_600_000, isNew: true, before: endAt + 3_590_000 })!;
    expect(refreshOf(still)! / learned).toBeLessThan(1.2);
  });

  test('a clock of the camera that jumps back teaches nothing', () => {
    let memory = run({ refreshMs: 60_000, askedMs: 10_000, looks: 300, stamps: true }).memory!;
    const learned = memory.ms;
    memory = learnRefresh(memory, { at: memory.since + 60_000, isNew: true, stampedAt: 1_000, before: memory.since })!;
    expect(memory.ms).toBe(learned);
  });
});

describe('the pace', () => {
  const known = (ms: number): RefreshMemory => ({ ms, count: 100, streak: 0, since: 0 });
  test.each([
    ['nothing known', 60_000, undefined, false, 60_000],
    ['a slower camera', 60_000, 300_000, false, 300_000],
    ['a faster camera', 60_000, 5_000, false, 60_000],
    ['nearly as fast', 60_000, 62_000, false, 60_000],
    ['a much slower camera', 10_000, 3_000_000, false, 3_000_000],
    ['an hour at most', 1_800_000, 86_400_000, false, 3_600_000],
    ['asked for less than an hour would allow', 7_200_000, 86_400_000, false, 7_200_000],
    ['exactly as asked', 10_000, 300_000, true, 10_000],
  ])('%s', (_, asked, refresh, exactly, pace) => {
    expect(paceMs(asked, refresh === undefined ? undefined : known(refresh), exactly)).toBe(pace);
  });

  test('staleness follows the slower of both', () => {
    expect(staleAfterMs(60_000, undefined)).toBe(180_000);
    expect(staleAfterMs(60_000, 5_000)).toBe(180_000);
    expect(staleAfterMs(60_000, 600_000)).toBe(1_800_000);
  });
});
