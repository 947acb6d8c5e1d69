import { mkdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { createDatabase } from '../../../coordinator/platform/database/database.ts';
import type { DatabaseConnection } from '../../../coordinator/platform/database/database.ts';
import { startOf } from '../../../coordinator/platform/services/processes.ts';
import { startServices } from '../../../coordinator/platform/services/services.ts';
import type { Services } from '../../../coordinator/platform/services/services.ts';
import { eventually } from '../../support/eventually.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { startProcess } from '../../support/processes.ts';
import type { TestProcess } from '../../support/processes.ts';
import { connectRedis } from '../../support/redis.ts';

const isRoot = process.getuid?.() === 0;
const HOST = 'test/support/services-host.ts';
let folder: string;

beforeAll(async () => {
  folder = await makeTestFolder('services');
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test('data written before kill -9 of every process is there after the second start', async () => {
  const dataFolder = join(folder, 'killed');
  const host = await startHost(dataFolder);
  await withDatabase(host.database, async (database) => {
    await database.query('create table notes (text text)');
    await database.query(`insert into notes values ('kept')`);
  });
  for (const pid of [host.process.pid, ...host.pids]) process.kill(pid, 'SIGKILL');
  await eventually(() => areGone([host.process.pid, ...host.pids]), { what: 'the servers to die' });

  const services = await start(dataFolder);
  await withDatabase(services.database, async (database) => {
    expect(await database.many('select text from notes')).toEqual([{ text: 'kept' }]);
  });
});

test('servers left alive by a killed camfleet are stopped and replaced', async () => {
  const dataFolder = join(folder, 'orphans');
  const host = await startHost(dataFolder);
  await host.process.kill();
  expect(await areGone(host.pids)).toBe(false);

  const services = await start(dataFolder);
  expect(await areGone(host.pids)).toBe(true);
  expect(services.postgresServer?.pid).not.toBe(host.pids[0]);
});

test('a second camfleet on the same data folder is refused and does no harm to the first', async () => {
  const dataFolder = join(folder, 'locked');
  const services = await start(dataFolder);
  await expect(startServices({ dataFolder, logger: silentLogger })).rejects.toMatchObject({
    code: 'DATA_FOLDER_IN_USE',
  });
  await withDatabase(services.database, async (database) => expect(await database.isReady()).toBe(true));
});

test("a pid file that names a stranger's process is stale, and the stranger lives on", async () => {
  const dataFolder = join(folder, 'stale');
  const first = await start(dataFolder);
  await first.stop();
  const stranger = startProcess('/bin/sleep', { args: ['60'] });
  await writeFile(join(dataFolder, 'services/postgres/postmaster.pid'), `${stranger.pid}\n/elsewhere\n`);
  await writeFile(join(dataFolder, 'services/redis/redis.pid'), `${stranger.pid}\n`);

  await start(dataFolder);
  expect(stranger.hasEnded).toBe(false);
});

test('a server that dies is started again, and clients find it by themselves', async () => {
  const services = await start(join(folder, 'dying'));
  await withDatabase(services.database, async (database) => {
    const redis = connectRedis(services.redis);
    redis.on('error', () => undefined);
    onTestFinished(() => redis.disconnect());
    await redis.set('key', 'kept');
    // The append-only file is synced once a second.
    await eventually(async () => (await redis.info('persistence')).includes('aof_pending_bio_fsync:0'));
    for (const server of [services.postgresServer, services.redisServer]) process.kill(server?.pid ?? 0, 'SIGKILL');
    await eventually(() => database.isReady(), { what: 'PostgreSQL to be back' });
    expect(await eventually(() => redis.get('key'), { what: 'Redis to be back' })).toBe('kept');
  });
});

test('stops Redis before PostgreSQL and leaves nothing running', async () => {
  const host = await startHost(join(folder, 'stopping'));
  host.process.signal('SIGTERM');
  expect(await host.process.exit()).toBe(0);
  expect(await areGone(host.pids)).toBe(true);
  const said = host.process.stderr;
  expect(said.indexOf('"part":"Redis"')).toBeGreaterThan(0);
  expect(said.indexOf('"part":"PostgreSQL"')).toBeGreaterThan(said.indexOf('"part":"Redis"'));
});

test('a data folder with a very long path still gets sockets', async () => {
  const services = await start(join(folder, 'long'.repeat(30), 'path'.repeat(20)));
  await withDatabase(services.database, async (database) => expect(await database.isReady()).toBe(true));
});

test('text is UTF-8, sorts by bytes and knows upper and lower case beyond ASCII', async () => {
  const services = await start(join(folder, 'locale'));
  await withDatabase(services.database, async (database) => {
    const sorted = await database.many(`select x from (values ('b'), ('a'), ('B'), ('é')) as v (x) order by x`);
    expect(sorted.map((row) => row['x'])).toEqual(['B', 'a', 'b', 'é']);
    expect(await database.one(`select lower('ÉLAN') as x`)).toEqual({ x: 'élan' });
    expect(await database.one('show synchronous_commit')).toEqual({ synchronous_commit: 'on' });
  });
});

test('given both URLs it starts nothing', async () => {
  const services = await startServices({
    dataFolder: join(folder, 'none'),
    logger: silentLogger,
    databaseUrl: 'postgres://db.example/camfleet',
    redisUrl: 'redis://cache.example',
  });
  expect(services.database).toEqual({ connectionString: 'postgres://db.example/camfleet' });
  expect(services.redis).toEqual({ url: 'redis://cache.example' });
  expect(services.postgresServer ?? services.redisServer).toBeUndefined();
});

test.runIf(isRoot)(
  'as root, below a home that only root may enter, the database lies where its account can reach it',
  async () => {
    const home = join(folder, 'home');
    await mkdir(home, { mode: 0o700 });
    const dataFolder = join(home, 'data');
    const first = await start(dataFolder);
    await withDatabase(first.database, async (database) => {
      await database.query('create table notes (text text)');
    });
    await first.stop();
    const place = await readlink(join(dataFolder, 'services'));
    onTestFinished(() => rm(join(place, '..'), { recursive: true, force: true }));
    expect(JSON.parse(await readFile(join(place, '../owner.json'), 'utf8'))).toEqual({ dataFolder });

    const second = await start(dataFolder);
    await withDatabase(second.database, async (database) => {
      expect(await database.many('select * from notes')).toEqual([]);
    });
    await second.stop();

    const copied = join(home, 'copied');
    await mkdir(copied);
    await symlink(place, join(copied, 'services'));
    await expect(startServices({ dataFolder: copied, logger: silentLogger })).rejects.toMatchObject({
      code: 'SERVICES_FOLDER_SHARED',
    });
  },
);

test.runIf(isRoot)('as root, a backup restored below a closed home is put where the account can reach it', async () => {
  const original = join(folder, 'original');
  const first = await start(original);
  await withDatabase(first.database, async (database) => {
    await database.query('create table restored ()');
  });
  await first.stop();
  const home = join(folder, 'closed-home');
  await mkdir(home, { mode: 0o700 });
  const restored = join(home, 'data');
  await cp(original, restored, { recursive: true });

  const second = await start(restored);
  const place = await readlink(join(restored, 'services'));
  onTestFinished(() => rm(join(place, '..'), { recursive: true, force: true }));
  await withDatabase(second.database, async (database) => {
    expect(await database.many('select * from restored')).toEqual([]);
  });
  await second.stop();
});

async function start(dataFolder: string): Promise<Services> {
  const services = await startServices({ dataFolder, logger: silentLogger });
  onTestFinished(() => services.stop());
  return services;
}

interface Host {
  process: TestProcess;
  database: DatabaseConnection;
  /** PostgreSQL's and Redis'. */
  pids: number[];
}

/** The services in a process of their own, which can be killed. */
async function startHost(dataFolder: string): Promise<Host> {
  const host = startProcess(process.execPath, { args: ['--import', 'tsx', HOST, dataFolder] });
  const [, json] = (await host.says(/^ready (.*)$/m)) as RegExpExecArray;
  return { process: host, ...(JSON.parse(json ?? '') as Omit<Host, 'process'>) };
}

async function withDatabase<T>(
  connection: DatabaseConnection,
  work: (database: Awaited<ReturnType<typeof createDatabase>>) => Promise<T>,
): Promise<T> {
  const database = await createDatabase({ connection, logger: silentLogger, poolSize: 2 });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** A dead process whose new parent has not taken notice yet is gone too. */
async function areGone(pids: readonly number[]): Promise<boolean> {
  const starts = await Promise.all(pids.map((pid) => startOf(pid)));
  return starts.every((start) => start === undefined);
}
