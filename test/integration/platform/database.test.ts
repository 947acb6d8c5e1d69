import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { createDatabase } from '../../../coordinator/platform/database/database.ts';
import { isDuplicate } from '../../../coordinator/platform/database/errors.ts';
import { migrate } from '../../../coordinator/platform/database/migrate.ts';
import { statement } from '../../../coordinator/platform/database/queries.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';

let testDatabase: TestDatabase;
let database: TestDatabase['database'];

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = testDatabase.database;
  await database.query('create table counters (name text primary key, value bigint not null)');
});

afterAll(() => testDatabase.drop());

beforeEach(async () => {
  await database.query('truncate counters');
  await database.query(`insert into counters values ('a', 0), ('b', 0)`);
});

describe('queries', () => {
  test('counts and sums are numbers, days are text, instants are dates', async () => {
    const row = await database.one(
      `select count(*) as count, sum(value) as sum, array[1, null, 3]::bigint[] as list, date '2026-11-24' as day,
         timestamptz '2026-11-24 12:00+02' as instant from counters`,
    );
    expect(row).toEqual({
      count: 2,
      sum: 0,
      list: [1, null, 3],
      day: '2026-11-24',
      instant: new Date('2026-11-24T10:00:00Z'),
    });
  });

  test('an integer that a number cannot hold is refused, not rounded', async () => {
    await expect(database.one('select 9007199254740993::bigint as x')).rejects.toMatchObject({
      code: 'DATABASE_NUMBER',
    });
  });

  test('one and maybeOne insist on the number of rows', async () => {
    await expect(database.one('select 1 where false')).rejects.toMatchObject({ code: 'DATABASE_ROWS' });
    await expect(database.maybeOne('select * from counters')).rejects.toMatchObject({ code: 'DATABASE_ROWS' });
    expect(await database.maybeOne('select 1 where false')).toBeUndefined();
  });

  test('a named statement is prepared once and used again', async () => {
    const addOne = statement('test.addOne', 'select $1::int + 1 as sum');
    await database.transaction(async (tx) => {
      for (const value of [1, 2]) expect(await tx.one(addOne, [value])).toEqual({ sum: value + 1 });
      expect(
        await tx.one(`select generic_plans + custom_plans as runs from pg_prepared_statements
        where name = 'test.addOne'`),
      ).toEqual({ runs: 2 });
    });
  });

  test("PostgreSQL's own codes reach the caller", async () => {
    const error: unknown = await database.query(`insert into counters values ('a', 1)`).catch((e: unknown) => e);
    expect(isDuplicate(error)).toBe(true);
  });
});

describe('transactions', () => {
  test('a failure undoes everything', async () => {
    const failing = database.transaction(async (tx) => {
      await tx.query('update counters set value = 5');
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await database.one('select sum(value) as sum from counters')).toEqual({ sum: 0 });
  });

  test('serialization failures are tried again until every increment counts', async () => {
    const increment = () =>
      database.transaction(
        async (tx) => {
          const { value } = await tx.one<{ value: number }>(`select value from counters where name = 'a'`);
          await tx.query(`update counters set value = $1 where name = 'a'`, [value + 1]);
        },
        { isolation: 'serializable' },
      );
    await Promise.all([increment(), increment(), increment(), increment()]);
    expect(await database.one(`select value from counters where name = 'a'`)).toEqual({ value: 4 });
  });

  test('a deadlock is resolved by running the victim again', async () => {
    const both = (first: string, second: string) =>
      database.transaction(async (tx) => {
        await tx.query('update counters set value = value + 1 where name = $1', [first]);
        await tx.query('select pg_sleep(0.05)');
        await tx.query('update counters set value = value + 1 where name = $1', [second]);
      });
    await Promise.all([both('a', 'b'), both('b', 'a')]);
    expect(await database.many('select value from counters')).toEqual([{ value: 2 }, { value: 2 }]);
  });
});

describe('a broken connection', () => {
  test('under a transaction is reported as unavailable, and the next query works', async () => {
    const broken = database.transaction(async (tx) => {
      const { pid } = await tx.one<{ pid: number }>('select pg_backend_pid() as pid');
      await database.query('select pg_terminate_backend($1)', [pid]);
      await tx.query('select 1');
    });
    await expect(broken).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(await database.isReady()).toBe(true);
  });

  test('while idle does not end the process', async () => {
    await Promise.all([database.query('select pg_sleep(0.01)'), database.query('select pg_sleep(0.01)')]);
    await database.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
    await eventually(() => database.isReady());
  });

  test('to a server that is not there says so', async () => {
    const connection = { host: '/nowhere', port: 5432, user: 'x', database: 'x' };
    const { Database } = await import('../../../coordinator/platform/database/database.ts');
    const absent = new Database({ connection, logger: silentLogger });
    onTestFinished(() => absent.close());
    expect(await absent.isReady()).toBe(false);
    await expect(absent.query('select 1')).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  });
});

describe('locks', () => {
  test('one holder at a time; the next gets its turn', async () => {
    let inside = 0;
    const enter = () =>
      database.withLock('planner', async () => {
        expect(++inside).toBe(1);
        await database.query('select pg_sleep(0.02)');
        inside--;
      });
    await Promise.all([enter(), enter(), enter()]);
  });

  test('a waiter can be called off', async () => {
    const caller = new AbortController();
    await database.withLock('planner', async () => {
      const waiting = database.withLock('planner', async () => undefined, caller.signal);
      caller.abort(new Error('called off'));
      await expect(waiting).rejects.toThrow('called off');
    });
  });

  test('a holder whose connection breaks is told at once', async () => {
    await database.withLock('planner', async (held) => {
      await database.query(
        `select pg_terminate_backend(l.pid) from pg_locks l join pg_database d on d.oid = l.database
         where l.locktype = 'advisory' and d.datname = current_database()`,
      );
      await eventually(() => held.aborted, { what: 'the signal' });
    });
  });
});

test("the database's clock is near ours", async () => {
  expect(Math.abs((await database.clockNow()) - Date.now())).toBeLessThan(1_000);
});

describe('migrations', () => {
  let folder: string;
  let fresh: TestDatabase;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'camfleet-migrations-'));
    fresh = await createTestDatabase({ empty: true });
    await writeFile(join(folder, '0001_first.sql'), 'create table first (); create table other ();');
    return async () => {
      await fresh.drop();
      await rm(folder, { recursive: true });
    };
  });

  const run = () => migrate(fresh.database, { logger: silentLogger, folder });

  test('are applied once and in order, also by starters that come together', async () => {
    await writeFile(join(folder, '0002_second.sql'), 'alter table first add column x int;');
    const applied = await Promise.all([run(), run()]);
    expect(applied.flat()).toEqual(['0001_first.sql', '0002_second.sql']);
    expect(await run()).toEqual([]);
  });

  test('a failing file leaves no trace', async () => {
    await writeFile(join(folder, '0002_bad.sql'), 'create table half (); select no_such_function();');
    await expect(run()).rejects.toMatchObject({ code: 'MIGRATION_FAILED' });
    expect(await fresh.database.one(`select to_regclass('half') as half, to_regclass('first') as first`)).toEqual({
      half: null,
      first: 'first',
    });
  });

  test('a changed, a late and an unknown file are refused', async () => {
    await writeFile(join(folder, '0003_third.sql'), 'create table third ();');
    await run();
    await writeFile(join(folder, '0002_late.sql'), 'create table late ();');
    await expect(run()).rejects.toMatchObject({ code: 'MIGRATION_ORDER' });
    await rm(join(folder, '0002_late.sql'));
    await writeFile(join(folder, '0001_first.sql'), 'create table first (x int);');
    await expect(run()).rejects.toMatchObject({ code: 'MIGRATION_CHANGED' });
    await rm(join(folder, '0001_first.sql'));
    await expect(run()).rejects.toMatchObject({ code: 'MIGRATION_NEWER' });
  });

  test("camfleet's own apply to an empty database", async () => {
    expect((await migrate(fresh.database, { logger: silentLogger })).length).toBeGreaterThan(0);
    const again = await createDatabase({ connection: fresh.connection, logger: silentLogger });
    expect(await migrate(again, { logger: silentLogger })).toEqual([]);
    await again.close();
  });
});
