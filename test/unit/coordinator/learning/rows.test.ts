import { describe, expect, test } from 'vitest';
import { instantOf } from '../../../../coordinator/learning/labels/local-time.ts';
import { labelOf, readLabelRow } from '../../../../coordinator/learning/labels/rows.ts';

describe('a time in a file', () => {
  test.each([
    ['2026-07-01T10:00:00Z', undefined, '2026-07-01T10:00:00.000Z'],
    ['2026-07-01 10:00:00.25+02:00', undefined, '2026-07-01T08:00:00.250Z'],
    ['2026-07-01T10:00-0330', undefined, '2026-07-01T13:30:00.000Z'],
    ['2026-07-01 10:00:00', 'America/New_York', '2026-07-01T14:00:00.000Z'],
    ['2026-01-01 10:00:00', 'America/New_York', '2026-01-01T15:00:00.000Z'],
    ['2026-03-29 03:00:00', 'Europe/Berlin', '2026-03-29T01:00:00.000Z'],
    ['2026-03-29 01:59:59.999', 'Europe/Berlin', '2026-03-29T00:59:59.999Z'],
    ['2026-07-01 00:00:00', 'Asia/Kathmandu', '2026-06-30T18:15:00.000Z'],
    ['2026-07-01 10:00:00Z', 'Europe/Berlin', '2026-07-01T10:00:00.000Z'],
  ])('%s in %s is %s', (text, zone, expected) => {
    expect(new Date(instantOf(text, zone)).toISOString()).toBe(expected);
  });

  test.each([
    ['2026-07-01 10:00:00', undefined, /no offset/],
    ['yesterday', 'Europe/Berlin', /is no time/],
    ['2026-13-01T10:00:00Z', undefined, /no such time/],
    ['2026-02-29T10:00:00Z', undefined, /no such time/],
    ['2026-07-01T24:00:00Z', undefined, /no such time/],
    ['2026-03-29 02:30:00', 'Europe/Berlin', /jumped over/],
    ['2026-10-25 02:30:00', 'Europe/Berlin', /showed twice/],
    ['2026-10-25 02:30:00', 'Europe/Atlantis', /no time zone/],
  ])('%s in %s is refused', (text, zone, reason) => {
    expect(() => instantOf(text, zone)).toThrow(reason);
  });
});

describe('a row', () => {
  test('has a label of visible characters, whose spaces do not count', () => {
    expect(labelOf('  parking \t lot ')).toBe('parking lot');
    expect(labelOf("'=street")).toBe('=street');
    expect(labelOf('cafe\u0301')).toBe('café');
    for (const text of ['', '  ', 'a\u0000b', 'a\u202eb', 'x'.repeat(101)])
      expect(() => labelOf(text)).toThrow(/label/);
  });

  test('is read whatever the case of its header, and says what it lacks', () => {
    expect(readLabelRow({ Digest: 'A'.repeat(64), ' LABEL ': 'x' }, undefined)).toEqual({
      ...{ digest: 'a'.repeat(64), label: 'x' },
    });
    expect(readLabelRow({ camera: 7, time: '2026-07-01T10:00:00Z', label: 'x' }, undefined)).toMatchObject({
      camera: '7',
    });
    expect(readLabelRow({ label: 'x', digest: 'abc' }, undefined)).toMatch(/64 hex digits/);
    expect(readLabelRow({ label: 'x', camera: 7 }, undefined)).toMatch(/expected the columns/);
    expect(readLabelRow({ digest: 'a'.repeat(64) }, undefined)).toMatch(/label is empty/);
  });
});
