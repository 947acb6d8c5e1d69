import { Redis } from 'ioredis';
import type { RedisConnection } from './services.ts';

export interface RedisProbe {
  /** Never rejects. */
  isReady(): Promise<boolean>;
  close(): void;
}

/** A probe must answer sooner than whoever asks gives up. */
const ANSWER_WITHIN_MS = 2_000;

/** A connection of its own that only asks whether Redis answers. */
export function createRedisProbe(connection: RedisConnection): RedisProbe {
  const options = { maxRetriesPerRequest: 1, commandTimeout: ANSWER_WITHIN_MS, enableOfflineQueue: true };
  const redis =
    'url' in connection ? new Redis(connection.url, options) : new Redis({ path: connection.path, ...options });
  // Bull reports trouble with Redis; without a listener this connection would report it, too.
  redis.on('error', () => undefined);
  return {
    isReady: () =>
      redis.ping().then(
        () => true,
        () => false,
      ),
    close: () => redis.disconnect(),
  };
}
