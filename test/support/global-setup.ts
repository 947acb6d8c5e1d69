import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { createLogger } from '../../common/runtime/logger.ts';
import { ShutdownStack } from '../../common/runtime/service.ts';
import { createDatabase } from '../../coordinator/platform/database/database.ts';
import { migrate } from '../../coordinator/platform/database/migrate.ts';
import { startServices } from '../../coordinator/platform/services/services.ts';
import type { DatabaseConnection, RedisConnection } from '../../coordinator/platform/services/services.ts';
import { makeTestFolder } from './folder.ts';

declare module 'vitest' {
  interface ProvidedContext {
    testDatabase: DatabaseConnection;
    testRedis: RedisConnection;
    /** A migrated database that is never written to: `create database … template …` copies it. */
    templateDatabase: string;
  }
}

const TEMPLATE = 'camfleet_template';

/** One PostgreSQL and one Redis for the whole run, through the code that starts them for users; or those that the URLs name. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const logger = createLogger({ level: process.env['CAMFLEET_TEST_LOG'] ?? 'error' });
  const shutdown = new ShutdownStack(logger);
  try {
    const folder = await makeTestFolder('test');
    shutdown.defer('test folder', () => rm(folder, { recursive: true, force: true }));
    const services = await startServices({
      dataFolder: join(folder, 'data'),
      logger,
      databaseUrl: process.env['DATABASE_URL'],
      redisUrl: process.env['REDIS_URL'],
    });
    shutdown.defer('services', () => services.stop());
    await makeTemplate(services.database, logger);
    project.provide('testDatabase', services.database);
    project.provide('testRedis', services.redis);
    project.provide('templateDatabase', TEMPLATE);
  } catch (error) {
    await shutdown.stop();
    throw error;
  }
  return () => shutdown.stop();
}

async function makeTemplate(connection: DatabaseConnection, logger: ReturnType<typeof createLogger>): Promise<void> {
  const server = await createDatabase({ connection, logger });
  await server.query(`drop database if exists ${TEMPLATE} with (force)`);
  await server.query(`create database ${TEMPLATE}`);
  await server.close();
  const template = await createDatabase({ connection: namedDatabase(connection, TEMPLATE), logger });
  await migrate(template, { logger });
  await template.close();
}

/** The same server, another database. */
export function namedDatabase(connection: DatabaseConnection, database: string): DatabaseConnection {
  if (!('connectionString' in connection)) return { ...connection, database };
  const url = new URL(connection.connectionString);
  url.pathname = `/${database}`;
  return { connectionString: url.href };
}
