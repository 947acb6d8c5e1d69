import { expect, test } from 'vitest';
import { StallDeadline } from '../../../../../agent/sources/ffmpeg/stall.ts';

test('the deadline follows what a camera takes, within bounds', () => {
  const deadline = new StallDeadline();
  expect(deadline.ms).toBe(20_000);
  for (let i = 0; i < 50; i++) deadline.came(300);
  expect(deadline.ms).toBe(5_000);
  for (let i = 0; i < 100; i++) deadline.came(i % 2 ? 9_000 : 11_000);
  expect(deadline.ms).toBeGreaterThan(20_000);
  expect(deadline.ms).toBeLessThanOrEqual(60_000);
});

test('a missed picture doubles the patience, and one that came takes that back', () => {
  const deadline = new StallDeadline();
  for (let i = 0; i < 50; i++) deadline.came(300);
  deadline.missed();
  expect(deadline.ms).toBe(10_000);
  for (let i = 0; i < 9; i++) deadline.missed();
  expect(deadline.ms).toBe(40_000);
  deadline.came(300);
  expect(deadline.ms).toBe(5_000);
});

test('whoever knows a bound has it kept, whatever was learned or missed', () => {
  const deadline = new StallDeadline(15_000, 15_000);
  expect(deadline.ms).toBe(15_000);
  for (let i = 0; i < 50; i++) deadline.came(40_000);
  deadline.missed();
  expect(deadline.ms).toBe(15_000);
});
