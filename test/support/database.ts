import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { createLogger, silentLogger } from '../../common/runtime/logger.ts';
import { createDatabase } from '../../coordinator/platform/database/database.ts';
import type { Database, DatabaseConnection } from '../../coordinator/platform/database/database.ts';
import { eventually } from './eventually.ts';
import { namedDatabase } from './global-setup.ts';

export interface TestDatabase {
  database: Database;
  connection: DatabaseConnection;
  /** Closes the pool and drops the database. */
  drop(): Promise<void>;
}

/**
 * A migrated database of its own for this file, copied from the template in some 50 ms. `drop` it in `afterAll`; `empty` gives
 * one without any table, for tests of migrations.
 */
export async function createTestDatabase({ empty = false, poolSize = 10 } = {}): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const server = inject('testDatabase');
  const template = empty ? 'template0' : inject('templateDatabase');
  await onServer(server, `create database ${name} template ${template}`);
  const connection = namedDatabase(server, name);
  const logger = process.env['CAMFLEET_TEST_LOG']
    ? createLogger({ level: process.env['CAMFLEET_TEST_LOG'] })
    : silentLogger;
  const database = await createDatabase({ connection, logger, poolSize });
  return {
    database,
    connection,
    drop: async () => {
      await database.close();
      const leak = await findLeak(server, name);
      await onServer(server, `drop database ${name} with (force)`);
      if (leak !== undefined)
        throw new Error(`The test left database connections open; their last statements: ${leak}`);
    },
  };
}

async function onServer(connection: DatabaseConnection, sql: string): Promise<Record<string, unknown>[]> {
  const server = await createDatabase({ connection, logger: silentLogger, poolSize: 1 });
  try {
    return await server.many(sql);
  } finally {
    await server.close();
  }
}

/** A test that leaks a connection is found by it, not hidden by `with (force)`. A closed one takes the server a moment. */
async function findLeak(connection: DatabaseConnection, name: string): Promise<string | undefined> {
  const ask = `select string_agg(query, ' | ') as open from pg_stat_activity where datname = '${name}' and state is not null`;
  let open: unknown;
  const isClosed = async (): Promise<boolean> => {
    open = (await onServer(connection, ask))[0]?.['open'];
    return open === null;
  };
  await eventually(isClosed, { withinMs: 5_000 }).catch(() => undefined);
  return typeof open === 'string' ? open : undefined;
}
