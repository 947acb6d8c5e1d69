import { readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { findRedis } from './binaries.ts';
import { makeFolder } from './place.ts';
import type { ServerContext } from './postgres-server.ts';
import { isServerOn, stopProcess } from './processes.ts';
import type { StopStep } from './processes.ts';
import { REDIS_SOCKET } from './sockets.ts';
import { SupervisedServer } from './supervised-server.ts';

/** On SIGTERM Redis writes and syncs its append-only file before it ends. */
const LADDER: readonly StopStep[] = [
  { signal: 'SIGTERM', graceMs: 15_000 },
  { signal: 'SIGKILL', graceMs: 5_000 },
];

export async function prepareRedis(context: ServerContext): Promise<SupervisedServer> {
  const { servicesFolder, socketFolder, account, clock } = context;
  const folder = await makeFolder(join(servicesFolder, 'redis'), account);
  const pidFile = join(folder, 'redis.pid');
  const socket = join(socketFolder, REDIS_SOCKET);
  const settings: Record<string, string> = {
    port: '0',
    unixsocket: socket,
    unixsocketperm: '700',
    dir: folder,
    pidfile: pidFile,
    daemonize: 'no',
    // Jobs survive a crash of Redis; the sweep in coordinator/platform/jobs mends the last second. Evicting keys would lose jobs.
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
  };
  return new SupervisedServer(
    {
      name: 'Redis',
      binary: await findRedis(),
      args: Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]),
      folder,
      account,
      isReady: () => ping(socket),
      clearStale: async () => {
        const pid = Number(await readFile(pidFile, 'utf8').catch(() => '0'));
        if (pid > 0 && (await isServerOn(pid, folder, 'redis-server'))) await stopProcess(pid, LADDER, clock);
        await rm(pidFile, { force: true });
        await rm(socket, { force: true });
      },
      ladder: LADDER,
    },
    context,
  );
}

/** True when Redis answers PONG; while it loads its file it answers LOADING. */
function ping(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const client = connect(socket, () => client.write('PING\r\n'));
    client.setTimeout(1000, () => client.destroy());
    client.on('data', (data) => {
      resolve(data.toString().startsWith('+PONG'));
      client.destroy();
    });
    client.on('error', () => undefined);
    client.on('close', () => resolve(false));
  });
}
