import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../common/runtime/clock.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { lockFolder } from '../../../common/runtime/folder-lock.ts';
import type { Logger } from '../../../common/runtime/logger.ts';
import { ShutdownStack } from '../../../common/runtime/service.ts';
import { chooseAccount } from './account.ts';
import { prepareDataFolder, prepareServicesFolder } from './place.ts';
import { POSTGRES_NAME, POSTGRES_PORT, preparePostgres } from './postgres-server.ts';
import type { ServerContext } from './postgres-server.ts';
import { prepareRedis } from './redis-server.ts';
import { prepareSocketFolder, REDIS_SOCKET } from './sockets.ts';
import type { SupervisedServer } from './supervised-server.ts';

/** How to reach PostgreSQL: the operator's URL, or a socket folder of the embedded server. Fits `pg`'s pool as it stands. */
export type DatabaseConnection =
  { connectionString: string } | { host: string; port: number; user: string; database: string };

/** How to reach Redis: the operator's URL, or the socket of the child. */
export type RedisConnection = { url: string } | { path: string };

export interface ServicesOptions {
  dataFolder: string;
  logger: Logger;
  /** Somebody else's PostgreSQL; no embedded one is started then. */
  databaseUrl?: string | undefined;
  /** Somebody else's Redis; no child is started then. */
  redisUrl?: string | undefined;
  clock?: Clock;
}

export interface Services {
  database: DatabaseConnection;
  redis: RedisConnection;
  /** The children, `undefined` where a URL was given: for tests and `status`. */
  postgresServer: SupervisedServer | undefined;
  redisServer: SupervisedServer | undefined;
  /** Redis first, then PostgreSQL. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL and Redis on the data folder, as far as no URLs are given, and resolves when both take clients. A server
 * that an earlier camfleet left alive is stopped first; one that dies later is started again.
 */
export async function startServices(options: ServicesOptions): Promise<Services> {
  const { databaseUrl, redisUrl, logger } = options;
  if (databaseUrl !== undefined && redisUrl !== undefined) {
    return services({ connectionString: databaseUrl }, { url: redisUrl }, {}, new ShutdownStack(logger));
  }
  const shutdown = new ShutdownStack(logger);
  try {
    const context = await prepareFolders(options, shutdown);
    // Both are found and prepared before either starts: a missing Redis is reported at once.
    const redisServer = redisUrl === undefined ? await prepareRedis(context) : undefined;
    const postgresServer = databaseUrl === undefined ? await preparePostgres(context) : undefined;
    for (const [name, server] of [['PostgreSQL', postgresServer] as const, ['Redis', redisServer] as const]) {
      if (!server) continue;
      shutdown.defer(name, () => server.stop());
      await server.start();
    }
    const host = context.socketFolder;
    const embedded = { host, port: POSTGRES_PORT, user: POSTGRES_NAME, database: POSTGRES_NAME };
    return services(
      databaseUrl === undefined ? embedded : { connectionString: databaseUrl },
      redisUrl === undefined ? { path: join(host, REDIS_SOCKET) } : { url: redisUrl },
      { postgresServer, redisServer },
      shutdown,
    );
  } catch (error) {
    await shutdown.stop();
    throw error;
  }
}

async function prepareFolders(
  { dataFolder, logger, clock = systemClock }: ServicesOptions,
  shutdown: ShutdownStack,
): Promise<ServerContext> {
  const folder = await prepareDataFolder(dataFolder);
  shutdown.defer('lock of the data folder', await lockFolder(folder, 'camfleet'));
  const account = await chooseAccount(join(folder, 'services'));
  const servicesFolder = await prepareServicesFolder(folder, account);
  if (servicesFolder !== join(folder, 'services')) {
    logger.info({ servicesFolder, account: account?.name }, 'the data folder is closed to the account of the servers');
  }
  const socket = await prepareSocketFolder(servicesFolder, account);
  if (socket.short) shutdown.defer('socket folder', () => rm(socket.path, { recursive: true, force: true }));
  return { servicesFolder, socketFolder: socket.path, account, logger, clock };
}

function services(
  database: DatabaseConnection,
  redis: RedisConnection,
  servers: { postgresServer?: SupervisedServer | undefined; redisServer?: SupervisedServer | undefined },
  shutdown: ShutdownStack,
): Services {
  return {
    database,
    redis,
    postgresServer: servers.postgresServer,
    redisServer: servers.redisServer,
    stop: () => shutdown.stop(),
  };
}
