import { describe, expect, test } from 'vitest';
import { csvLine } from '../../../common/dataset/csv.ts';
import { folderOf, localTime } from '../../../common/dataset/files.ts';

describe('files of a snapshot', () => {
  test('cells never run as formulas, numbers stay numbers', () => {
    expect(csvLine(['=1+1', '+a', '-b', '@c', ' =d', '\t=e', -12.5, null, undefined, 'a,b', 'say "x"', 'a\nb'])).toBe(
      `'=1+1,'+a,'-b,'@c,' =d,' =e,-12.5,,,"a,b","say ""x""",a b\n`,
    );
  });

  test('folders of classes lie in the folder, whatever the class is called', () => {
    expect(folderOf('parking lot')).toBe('parking lot');
    expect(folderOf('../../etc')).toBe('%2E%2E%2F..%2Fetc');
    expect(folderOf('.')).toBe('%2E');
    expect(folderOf('a\\b:c*')).toBe('a%5Cb%3Ac%2A');
    expect(folderOf('100%')).not.toBe(folderOf('100%25'));
    expect(folderOf('café')).toBe('café');
  });

  test('local times have their offset, and are empty where the zone is unknown', () => {
    const at = Date.parse('2026-11-24T11:19:01.250Z');
    expect(localTime(at, 'America/New_York')).toBe('2026-11-24T06:19:01.250-05:00');
    expect(localTime(at, 'Asia/Kathmandu')).toBe('2026-11-24T17:04:01.250+05:45');
    expect(localTime(at, 'UTC')).toBe('2026-11-24T11:19:01.250+00:00');
    expect([localTime(at, null), localTime(at, 'Europe/Atlantis')]).toEqual(['', '']);
  });
});
