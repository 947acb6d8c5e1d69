import { describe, expect, test } from 'vitest';
import { countryCode, isTimeZone, zoneOfOffset } from '../../../../coordinator/registry/places.ts';
import { entriesOf } from '../../../../coordinator/registry/import/entries.ts';
import { fieldsOf } from '../../../../coordinator/registry/import/fields.ts';
import { filterQuerySchema, toFilter } from '../../../../coordinator/registry/query.ts';

async function* inChunks(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(text: string, size = 70_000): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const entries of entriesOf(inChunks(text, size))) all.push(...entries);
  return all;
}

test('countries go by code or English name', () => {
  expect(['us', 'USA', 'United Kingdom', 'Germany', 'Czechia'].map(countryCode)).toEqual([
    'US',
    'US',
    'GB',
    'DE',
    'CZ',
  ]);
  expect(['XX', 'UK ', 'Atlantis', ''].map(countryCode)).toEqual([undefined, 'GB', undefined, undefined]);
});

test('time zones are those of IANA; offsets count in hours or seconds', () => {
  expect(['Europe/Berlin', 'EST5EDT', '+05:00', 'Mars/Base'].map(isTimeZone)).toEqual([true, true, false, false]);
  expect([-5, -18_000, 0, 5.5].map(zoneOfOffset)).toEqual(['Etc/GMT+5', 'Etc/GMT+5', 'Etc/UTC', undefined]);
});

describe('readers', () => {
  test('quoted cells hold separators, quotes and line ends, wherever chunks are cut', async () => {
    const text = 'a,b\n"1,""x""\nsecond",2\n3,4\n';
    for (const size of [1, 2, 3, 5, 100]) {
      expect(await read(text, size)).toEqual([
        { line: 2, value: { a: '1,"x"\nsecond', b: '2' } },
        { line: 4, value: { a: '3', b: '4' } },
      ]);
    }
  });

  test('objects in a document are found wherever chunks are cut', async () => {
    // More than what decides about the format, so that chunks reach the scanner.
    const filler = ' '.repeat(70_000);
    const text = `{"meta":{"x":[1,2]},${filler}"cameras":[\n{"a":"}\\"]","b":{"c":[{}]}},\n{"a":2}]}`;
    for (const size of [1, 7, 64]) {
      expect(await read(text, size)).toEqual([
        { line: 2, value: { a: '}"]', b: { c: [{}] } } },
        { line: 3, value: { a: 2 } },
      ]);
    }
  });

  test('a bad line of JSON lines stands alone', async () => {
    expect(await read('{"a":1}\n{oops}\n[1]\n')).toEqual([
      { line: 1, value: { a: 1 } },
      { line: 2, problem: 'not valid JSON' },
      { line: 3, problem: 'not a JSON object' },
    ]);
  });

  test('an open quote costs at most 200 lines', async () => {
    const rows = Array.from({ length: 300 }, (_, i) => `${i},x`).join('\n');
    const entries = await read(`a,b\n"oops,x\n${rows}\n`);
    expect(entries[0]).toMatchObject({ line: 2, problem: expect.stringContaining('lines up to 201') });
    expect(entries).toHaveLength(102);
  });
});

describe('fields', () => {
  test('the first name that has a value counts', () => {
    expect(fieldsOf({ legacy_cameraID: 3, cameraID: 'x', lat: '', latitude: '1.5' })).toEqual({
      sourceCameraId: 'x',
      latitude: 1.5,
    });
    expect(fieldsOf({ cameraID: '', legacy_cameraID: 3 })).toEqual({ sourceCameraId: '3' });
  });

  test('seconds become ms, lists become tags, sign-in becomes credentials', () => {
    expect(fieldsOf({ interval_seconds: '2.5', tags: 'a; b|c', user: 'u', password: 7 })).toEqual({
      intervalMs: 2_500,
      tags: ['a', 'b', 'c'],
      credentials: { user: 'u', password: '7' },
    });
  });
});

describe('queries', () => {
  test('boxes and circles are read from text', () => {
    const query = filterQuerySchema.parse({ box: '170,-30,-170,0', near: '51.5, -0.1', km: '5', ids: '1,2' });
    expect(toFilter(query)).toEqual({
      box: { west: 170, south: -30, east: -170, north: 0 },
      near: { latitude: 51.5, longitude: -0.1, km: 5 },
      ids: [1, 2],
    });
  });

  test.each([{ box: '1,2,3' }, { box: '1,2,3,' }, { near: 'x,y' }, { km: '0' }, { ids: '1;2' }])(
    '%j is refused',
    (query) => {
      expect(filterQuerySchema.safeParse(query).success).toBe(false);
    },
  );

  test('degrees beyond the earth are refused', () => {
    expect(() => toFilter(filterQuerySchema.parse({ near: '91,0' }))).toThrow();
  });
});
