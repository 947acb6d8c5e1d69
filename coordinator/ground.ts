import { join } from 'node:path';
import type { Logger } from '../common/runtime/logger.ts';
import type { ShutdownStack } from '../common/runtime/service.ts';
import { FolderStore } from '../common/storage/object-store.ts';
import type { ObjectStore } from '../common/storage/object-store.ts';
import type { KeyPair } from '../common/storage/signature.ts';
import { loadCoordinatorKey, prepareKeysFolder } from './keys.ts';
import { createDatabase } from './platform/database/database.ts';
import type { Database } from './platform/database/database.ts';
import { migrate } from './platform/database/migrate.ts';
import { createRedisProbe } from './platform/services/redis-probe.ts';
import type { RedisProbe } from './platform/services/redis-probe.ts';
import { startServices } from './platform/services/services.ts';
import type { RedisConnection } from './platform/services/services.ts';
import { loadCredentialsKey } from './registry/registry.ts';
import type { CoordinatorSettings } from './settings.ts';

/** What every room stands on. */
export interface Ground {
  database: Database;
  redis: RedisConnection;
  redisProbe: RedisProbe;
  store: ObjectStore;
  keysFolder: string;
  /** Signs models. */
  key: KeyPair;
  credentialsKey: Buffer;
}

/** PostgreSQL and Redis run, the database is migrated, the keys are there. */
export async function prepareGround(
  config: CoordinatorSettings,
  { logger, shutdown }: { logger: Logger; shutdown: ShutdownStack },
): Promise<Ground> {
  const services = await startServices({
    dataFolder: config.dataFolder,
    logger,
    databaseUrl: config.databaseUrl ?? undefined,
    redisUrl: config.redisUrl ?? undefined,
  });
  shutdown.defer('services', () => services.stop());
  const database = await createDatabase({ connection: services.database, logger });
  shutdown.defer('database', () => database.close());
  await migrate(database, { logger });
  const redisProbe = createRedisProbe(services.redis);
  shutdown.defer('redis probe', () => redisProbe.close());
  const keysFolder = await prepareKeysFolder(config.dataFolder);
  return {
    database,
    redis: services.redis,
    redisProbe,
    store: new FolderStore(join(config.dataFolder, 'objects')),
    keysFolder,
    key: await loadCoordinatorKey(keysFolder),
    credentialsKey: await loadCredentialsKey(keysFolder),
  };
}
