import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { inject } from 'vitest';
import type { RedisConnection } from '../../coordinator/platform/services/services.ts';

export interface TestRedis {
  connection: RedisConnection;
  /** Give it to whatever writes keys: nothing of one file is seen by another. */
  prefix: string;
  /** Deletes what was written under the prefix. */
  clear(): Promise<void>;
}

/** The run's Redis with a key prefix of this file's own. */
export function createTestRedis(): TestRedis {
  const connection = inject('testRedis');
  const prefix = `test-${randomBytes(6).toString('hex')}`;
  return { connection, prefix, clear: () => clearPrefix(connection, prefix) };
}

export function connectRedis(connection: RedisConnection): Redis {
  const options = { lazyConnect: true, maxRetriesPerRequest: 2 };
  return 'url' in connection ? new Redis(connection.url, options) : new Redis({ path: connection.path, ...options });
}

async function clearPrefix(connection: RedisConnection, prefix: string): Promise<void> {
  const redis = connectRedis(connection);
  try {
    const keys = await redis.keys(`${prefix}*`);
    if (keys.length > 0) await redis.del(keys);
  } finally {
    redis.disconnect();
  }
}
