import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeOf } from '../../../common/runtime/errors.ts';
import { arrayParameter } from '../../../coordinator/platform/database/array-parameter.ts';
import type { ElementType } from '../../../coordinator/platform/database/array-parameter.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';

let testDatabase: TestDatabase;
beforeAll(async () => {
  testDatabase = await createTestDatabase({ empty: true });
});
afterAll(() => testDatabase.drop());

const arrive = async (type: ElementType, values: readonly unknown[]): Promise<unknown[]> => {
  const sql = `select r.value from unnest($1::${type}[]) with ordinality as r (value, nth) order by nth`;
  const rows = await testDatabase.database.many(sql, [arrayParameter(type, values)]);
  return rows.map((row) => row['value']);
};

describe('arrays in binary form', () => {
  const samples: Record<ElementType, unknown[]> = {
    boolean: [true, false, null],
    int: [0, -1, 2_147_483_647, -2_147_483_648, null],
    bigint: [0, -1, 1, 2 ** 32, -(2 ** 32) - 5, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, null],
    real: [0, 1.5, -0.25, null],
    'double precision': [0, Math.PI, -1e300, 1_764_028_800_000.25, null],
    text: ['', 'a "quoted" \\ {brace}, comma', 'NULL', 'Zürich 東京 🎥', null, 'x'.repeat(100_000)],
    uuid: [randomUUID(), null, randomUUID()],
  };
  test.each(Object.entries(samples))('arrive as they were sent: %s', async (type, values) => {
    expect(await arrive(type as ElementType, values)).toEqual(values);
    expect(await arrive(type as ElementType, [])).toEqual([]);
  });

  test('take what is missing for null, and half a surrogate pair as text does', async () => {
    expect(await arrive('text', [undefined, '\uD83C'])).toEqual([null, '\uFFFD']);
  });

  test.each<[ElementType, unknown]>([
    ['int', 2 ** 31],
    ['int', 1.5],
    ['bigint', 2 ** 53],
    ['real', 1e39],
    ['real', 1e-60],
    ['uuid', 'not-one'],
    ['text', 'a\0b'],
  ])('are refused with a code of class 22 where the type cannot hold a value: %s %s', async (type, value) => {
    const refused = await arrive(type, [value]).catch(codeOf);
    expect(refused).toMatch(/^22/);
  });
});
