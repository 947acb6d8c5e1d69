import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isActive, opensAt, parseActiveHours } from '../../../../common/domain/active-hours.ts';
import type { ActiveHours } from '../../../../common/domain/active-hours.ts';

const hours = (text: string): ActiveHours => {
  const parsed = parseActiveHours(text);
  if ('problem' in parsed) throw new Error(parsed.problem);
  return parsed;
};
const at = (iso: string): number => Date.parse(iso);

describe('a table of hours', () => {
  test.each([
    ['Mo-Fr 06:00-20:00', 5, [360, 1_200]],
    ['mon - fri 6:00 – 20:00', 5, [360, 1_200]],
    ['Sa,Su 10:00-18:00', 2, [7_800, 8_280]],
    ['06:00-20:00', 7, [360, 1_200]],
    ['Fr-Mo 00:00-24:00', 2, [0, 1_440]],
    ['Mo-Fr 06:00-09:00,16:00-20:00; Sa 10:00-12:00', 11, [360, 540]],
    ['Mo-Fr 06:00-09:00, Sa 10:00-12:00', 6, [360, 540]],
    ['Su 22:00-05:00', 2, [0, 300]],
    ['22:00-05:00', 8, [0, 300]],
    ['24/7', 1, [0, 10_080]],
    ['Mo 06:00-10:00,08:00-12:00', 1, [360, 720]],
  ])('%s is understood', (text, count, first) => {
    const { windows } = hours(text);
    expect(windows).toHaveLength(count);
    expect(windows[0]).toEqual(first);
  });

  test.each([
    ['', 'empty'],
    ['Mo-Fr', 'no times'],
    ['Mo-Fr 6-20', '"6-20" was not understood'],
    ['Mx 06:00-20:00', '"Mx" was not understood'],
    ['Mo 06:00-25:00', 'no day has'],
    ['Mo 06:60-07:00', 'no day has'],
    ['Mo 24:00-06:00', 'no day has'],
    ['Mo 06:00-06:00', 'begins when it ends'],
    ['Mo 06:00-20:00; PH off', '"PH" was not understood'],
    ['M 06:00-07:00', '"M" was not understood'],
    ['Mo 06:00-07:00'.repeat(20), 'longer than'],
  ])('%s is refused with the right form', (text, reason) => {
    const parsed = parseActiveHours(text);
    expect(parsed).toMatchObject({ problem: expect.stringContaining(reason) as string });
    expect(parsed).toMatchObject({ problem: expect.stringContaining('"Mo-Fr 06:00-20:00"') as string });
  });
});

describe('whether a camera is active', () => {
  test.each([
    // Working days in Indiana, which is four or five hours behind UTC.
    ['Mo-Fr 06:00-20:00', 'America/Indiana/Indianapolis', '2026-03-02T10:59:59Z', false],
    ['Mo-Fr 06:00-20:00', 'America/Indiana/Indianapolis', '2026-03-02T11:00:00Z', true],
    ['Mo-Fr 06:00-20:00', 'America/Indiana/Indianapolis', '2026-03-09T09:59:59Z', false],
    ['Mo-Fr 06:00-20:00', 'America/Indiana/Indianapolis', '2026-03-09T10:00:00Z', true],
    ['Mo-Fr 06:00-20:00', 'America/Indiana/Indianapolis', '2026-03-07T15:00:00Z', false],
    // The night after Saturday, over midnight.
    ['Sa 22:00-05:00', 'Europe/Berlin', '2026-06-07T02:59:00Z', true],
    ['Sa 22:00-05:00', 'Europe/Berlin', '2026-06-07T03:00:00Z', false],
    ['Sa 22:00-05:00', 'Europe/Berlin', '2026-06-06T02:59:00Z', false],
    // Clocks go forward at 02:00 on 29 March: that hour does not exist, what lies after it does.
    ['Su 02:30-04:00', 'Europe/Berlin', '2026-03-29T00:59:59Z', false],
    ['Su 02:30-04:00', 'Europe/Berlin', '2026-03-29T01:00:00Z', true],
    ['Su 02:30-04:00', 'Europe/Berlin', '2026-03-29T02:00:00Z', false],
    // Clocks go back at 03:00 on 25 October: that hour comes twice and counts twice.
    ['Su 02:00-03:00', 'Europe/Berlin', '2026-10-25T00:30:00Z', true],
    ['Su 02:00-03:00', 'Europe/Berlin', '2026-10-25T01:30:00Z', true],
    ['Su 02:00-03:00', 'Europe/Berlin', '2026-10-25T02:00:00Z', false],
    // A quarter of an hour in Nepal, half an hour of summer time on Lord Howe.
    ['Mo 12:00-13:00', 'Asia/Kathmandu', '2026-06-01T06:15:00Z', true],
    ['Mo 12:00-13:00', 'Asia/Kathmandu', '2026-06-01T06:14:59Z', false],
    ['24/7', 'UTC', '2026-06-01T06:14:59Z', true],
  ])('%s in %s at %s: %s', (text, zone, instant, active) => {
    expect(isActive(hours(text), zone, at(instant))).toBe(active);
  });

  test.each([
    ['Mo-Fr 06:00-20:00', 'Europe/Berlin', '2026-06-05T18:00:00Z', '2026-06-08T04:00:00Z'],
    ['Mo-Fr 06:00-20:00', 'Europe/Berlin', '2026-06-05T17:59:59Z', '2026-06-05T17:59:59Z'],
    ['Mo-Fr 06:00-20:00', 'Europe/Berlin', '2026-03-27T19:00:00Z', '2026-03-30T04:00:00Z'],
    ['Mo-Fr 06:00-20:00', 'Europe/Berlin', '2026-10-23T18:00:00Z', '2026-10-26T05:00:00Z'],
    ['Su 02:30-04:00', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-29T01:00:00Z'],
    ['Su 03:00-04:00', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-29T01:00:00Z'],
    ['Mo 12:00-12:05', 'Australia/Lord_Howe', '2026-10-03T12:00:30Z', '2026-10-05T01:00:00Z'],
  ])('%s in %s, seen at %s, opens at %s', (text, zone, from, opens) => {
    expect(new Date(opensAt(hours(text), zone, at(from))).toISOString()).toBe(new Date(opens).toISOString());
  });

  test('it opens at the first active instant, whatever the zone, the season and the table', () => {
    const tables = ['Mo-Fr 06:00-20:00', 'Su 02:30-03:10', '22:00-05:00', 'We 00:00-00:01,23:59-24:00'].map(hours);
    const zones = ['Europe/London', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Casablanca', 'Asia/Tokyo'];
    fc.assert(
      fc.property(
        fc.constantFrom(...tables),
        fc.constantFrom(...zones),
        fc.integer({ min: at('2026-01-01T00:00:00Z') / 1_000, max: at('2028-01-01T00:00:00Z') / 1_000 }),
        (table, zone, seconds) => {
          const from = seconds * 1_000;
          const opens = opensAt(table, zone, from);
          expect(isActive(table, zone, opens)).toBe(true);
          if (opens > from) expect(isActive(table, zone, opens - 1)).toBe(false);
          for (let share = 0; share < 1 && opens > from; share += 1 / 16)
            expect(isActive(table, zone, Math.floor(from + (opens - 1 - from) * share))).toBe(false);
        },
      ),
      { numRuns: 300 },
    );
  });
});
