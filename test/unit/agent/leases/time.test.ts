import { describe, expect, test } from 'vitest';
import { CoordinatorTime } from '../../../../agent/leases/time.ts';

const SKEW = 1_700_000_000_000;
const at = (monotonic: number, skew = SKEW) => ({ monotonic, skew });

describe('coordinator time', () => {
  test('nothing can be dated before the first answer', () => {
    expect(new CoordinatorTime().date(at(5))).toBeUndefined();
  });

  test('an instant is the anchor plus the monotonic time since, with half the round trip as its error', () => {
    const time = new CoordinatorTime();
    time.addAnchor(at(1_000), at(1_040), 50_000);
    expect(time.date(at(2_020))).toEqual({ at: 51_000, errorMs: 20 });
    expect(time.date(at(20))).toEqual({ at: 49_000, errorMs: 20 });
  });

  test('the best of the last eight anchors counts', () => {
    const time = new CoordinatorTime();
    time.addAnchor(at(0), at(2), 10_000);
    for (let i = 1; i <= 7; i++) time.addAnchor(at(i * 100), at(i * 100 + 50), 99_999);
    expect(time.date(at(1))?.errorMs).toBe(1);
    time.addAnchor(at(900), at(920), 10_910);
    expect(time.date(at(910))).toEqual({ at: 10_910, errorMs: 10 });
  });

  test('after a jump of the wall clock instants wait for an anchor of their own, and earlier ones keep theirs', () => {
    const time = new CoordinatorTime();
    time.addAnchor(at(0), at(10), 5_000);
    const woken = SKEW + 3_600_000;
    expect(time.date(at(20, woken))).toBeUndefined();
    expect(time.date(at(15))?.at).toBe(5_010);
    time.addAnchor(at(30, woken), at(40, woken), 3_605_030);
    expect(time.date(at(20, woken))?.at).toBe(3_605_015);
    expect(time.date(at(15))?.at).toBe(5_010);
  });

  test('an answer that a suspend interrupted dates nothing', () => {
    const time = new CoordinatorTime();
    time.addAnchor(at(0), at(10, SKEW + 60_000), 5_000);
    expect(time.date(at(5))).toBeUndefined();
  });

  test('slow drift of the wall clock begins no new stretch', () => {
    const time = new CoordinatorTime();
    time.addAnchor(at(0), at(10), 5_000);
    for (let ms = 0; ms <= 5_000; ms += 10) expect(time.date(at(ms, SKEW + ms))).toBeDefined();
  });
});
