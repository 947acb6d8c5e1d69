import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isActive, parseActiveHours } from '../../../common/domain/active-hours.ts';
import type { CameraMemory } from '../../../common/domain/fragment.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { AccessControl } from '../../../coordinator/platform/http/access.ts';
import { createHttp } from '../../../coordinator/platform/http/http.ts';
import type { Http } from '../../../coordinator/platform/http/http.ts';
import { createMetrics } from '../../../coordinator/platform/http/metrics.ts';
import { registryRoutes } from '../../../coordinator/registry/routes.ts';
import { Registry } from '../../../coordinator/registry/registry.ts';
import { takedownRoutes } from '../../../coordinator/registry/takedown-routes.ts';
import { Takedowns } from '../../../coordinator/registry/takedowns.ts';
import { runCommand } from '../../../scripts/camfleet/program.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';

let testDatabase: TestDatabase;
let registry: Registry;
let takedowns: Takedowns;
let http: Http;
let folder: string;
let viewer: string;
const changed: number[] = [];
const revisions: number[] = [];
const memories = new Map<number, CameraMemory>();

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const { database } = testDatabase;
  registry = new Registry({
    database,
    credentialsKey: Buffer.alloc(32, 7),
    onChanged: (ids) => void changed.push(...ids),
  });
  takedowns = new Takedowns({
    database,
    onCameras: (ids) => registry.changed(ids),
    onChanged: (revision) => void revisions.push(revision),
  });
  const access = new AccessControl(database);
  folder = await mkdtemp(join(tmpdir(), 'camfleet-polite-'));
  await mkdir(join(folder, 'keys'));
  await access.adminToken(join(folder, 'keys'));
  viewer = (await access.create('looker', 'viewer')).token;
  http = await createHttp({
    listen: { host: '127.0.0.1', port: 0 },
    version: 'test',
    access,
    sessions: { authenticate: () => Promise.resolve(undefined) },
    database,
    logger: silentLogger,
    metrics: createMetrics([]),
    ready: {},
    routes: [registryRoutes(registry, () => Promise.resolve(memories)), takedownRoutes(takedowns)],
    pageFolder: '/nowhere',
  });
  await http.start();
});
afterAll(async () => {
  await http.stop();
  await testDatabase.drop();
  await rm(folder, { recursive: true });
});

async function camfleet(...args: string[]) {
  let [stdout, stderr] = ['', ''];
  const terminal = {
    out: (text: string) => void (stdout += text),
    err: (text: string) => void (stderr += text),
    isInteractive: false,
    showsProgress: false,
  };
  const environment = { CAMFLEET_URL: http.url, CAMFLEET_DATA_FOLDER: folder };
  return { exit: await runCommand(args, { terminal, environment }, 'test'), stdout, stderr };
}

const add = async (snapshotUrl: string, more: Partial<Parameters<Registry['add']>[0]> = {}) =>
  (await registry.add({ source: 'test', snapshotUrl, ...more })).id;
const captured = async () => (await registry.plannableCameras()).map(({ id }) => id);

test('hours are set by query in each camera’s zone, reach the agent, and wrong ones are refused with the right form', async () => {
  const ids = [
    await add('http://hours.example/1.jpg', { timeZone: 'America/New_York', tags: ['hours'] }),
    await add('http://hours.example/2.jpg', { tags: ['hours'] }),
  ];
  const set = await camfleet('cameras', 'set', '--tag', 'hours', '--hours', 'mo-fr  06:00-20:00', '--exactly');
  expect(set).toMatchObject({
    exit: 0,
    stdout: '2 cameras were changed.\n1 of them have no time zone: their hours count in UTC.\n',
  });
  const assigned = await registry.assignmentsOf(ids);
  expect(assigned.map(({ hours, exactly }) => ({ hours, exactly }))).toEqual([
    { hours: { text: 'mo-fr 06:00-20:00', zone: 'America/New_York' }, exactly: true },
    { hours: { text: 'mo-fr 06:00-20:00', zone: 'UTC' }, exactly: true },
  ]);
  const wrong = await camfleet('cameras', 'set', '--tag', 'hours', '--hours', 'Mo-Fr 6-20');
  expect(wrong.exit).toBe(2);
  expect(wrong.stderr).toContain('"6-20" was not understood');
  expect(wrong.stderr).toContain('"Mo-Fr 06:00-20:00"');
  expect((await camfleet('cameras', 'set', '--tag', 'hours', '--hours', '24/7', '--no-exactly')).exit).toBe(0);
  expect((await registry.assignmentsOf(ids)).map((one) => 'hours' in one || 'exactly' in one)).toEqual([false, false]);
  const csv =
    'source,snapshot_url,active_hours\nfile,http://a.example/1.jpg,"Sa,Su 10:00-18:00"\nfile,http://a.example/2.jpg,never\n';
  const report = await registry.import(Readable.from([Buffer.from(csv)]), { format: 'csv' });
  expect(report).toMatchObject({ added: 1, rejected: 1 });
  expect(report.rejections[0]?.reason).toContain('"never" was not understood');
  expect((await registry.list({ host: 'a.example' })).cameras[0]?.activeHours).toBe('Sa,Su 10:00-18:00');
});

test('the database calls a camera paused in just the moments in which its agent does not fetch it', async () => {
  const { database } = testDatabase;
  const zones = ['Europe/Berlin', 'America/Indiana/Indianapolis', 'Australia/Lord_Howe'];
  const tables = ['Mo-Fr 06:00-20:00', 'Su 22:00-05:00', 'Su 02:30-03:30', '24/7'];
  for (const [index, timeZone] of zones.entries()) {
    for (const [row, activeHours] of tables.entries()) {
      const id = await add(`http://zone${index}.example/${row}.jpg`, { timeZone, activeHours });
      const hours = parseActiveHours(activeHours);
      if ('problem' in hours) throw new Error(hours.problem);
      // Every 35 minutes around both changes of the clocks, in either half of the world.
      const instants = ['2026-03-28', '2026-04-04', '2026-10-03', '2026-10-24'].flatMap((day) =>
        Array.from({ length: 70 }, (_, step) => Date.parse(`${day}T00:00:00Z`) + step * 35 * 60_000),
      );
      const rows = await database.many<{ paused: boolean }>(
        `select camera_is_paused(c, to_timestamp(t.at / 1000)) as paused from cameras c, unnest($2::float8[]) with ordinality as t (at, n)
         where c.id = $1 order by t.n`,
        [id, instants],
      );
      expect(rows.map(({ paused }) => !paused)).toEqual(instants.map((at) => isActive(hours, timeZone, at)));
    }
  }
});

test('what is taken down is captured no more, whoever adds it, and again after that', async () => {
  const [own, below, path, elsewhere] = [
    await add('http://down.example/a.jpg'),
    await add('http://cam1.down.example:8080/b.jpg'),
    await add('https://portal.example/cams/c.jpg'),
    await add('https://portal.example/other/d.jpg'),
  ];
  const ip = (await registry.add({ source: 'test', host: '192.0.2.7', port: 8080, snapshotPath: '/x/now.jpg' })).id;
  changed.length = 0;
  const added = await camfleet('takedown', 'add', 'Down.example', '--reason', 'asked by the owner');
  expect(added.stdout).toBe('down.example is taken down; 2 cameras are no longer fetched.\n');
  expect(changed.toSorted()).toEqual([own, below].toSorted());
  expect((await camfleet('takedown', 'add', 'https://PORTAL.example:443/cams/')).stdout).toContain('1 cameras');
  expect((await camfleet('takedown', 'add', 'http://192.0.2.7:8080/x/')).stdout).toContain('1 cameras');
  expect(await captured()).toContain(elsewhere);
  for (const id of [own, below, path, ip]) expect(await captured()).not.toContain(id);
  expect(await registry.assignmentsOf([own, below, path, ip])).toEqual([]);
  expect((await camfleet('cameras', 'show', String(own))).stdout).toContain('down.example: asked by the owner');
  // Also what is added or moved there later.
  const late = await add('rtsp://cam9.down.example/live', {
    snapshotUrl: undefined,
    streamUrl: 'rtsp://cam9.down.example/live',
  } as never);
  expect(await captured()).not.toContain(late);

  const { revision, takedowns: list } = await takedowns.current();
  expect(list.map(({ kind, value }) => `${kind} ${value}`)).toEqual([
    'host down.example',
    'prefix https://portal.example/cams/',
    'prefix http://192.0.2.7:8080/x/',
  ]);
  expect(revisions.at(-1)).toBe(revision);
  const shown = await camfleet('takedown', 'list', '--json');
  expect((JSON.parse(shown.stdout) as { takedowns: object[] }).takedowns[0]).toMatchObject({
    cameras: 3,
    reason: 'asked by the owner',
    createdBy: 'first administrator',
  });

  expect((await camfleet('takedown', 'remove', 'down.example')).stdout).toBe(
    'down.example may be fetched again; 3 cameras are.\n',
  );
  expect(await captured()).toEqual(expect.arrayContaining([own, below, late]));
  expect(await camfleet('takedown', 'remove', 'down.example')).toMatchObject({
    exit: 1,
    stderr: expect.stringContaining('not on the list') as string,
  });
  expect(await camfleet('takedown', 'add', 'not a host')).toMatchObject({
    exit: 2,
    stderr: expect.stringContaining('write it like') as string,
  });
  const refused = await fetch(`${http.url}/api/v1/takedowns`, {
    method: 'POST',
    headers: { authorization: `Bearer ${viewer}`, 'content-type': 'application/json' },
    body: JSON.stringify({ value: 'x.example' }),
  });
  expect(refused.status).toBe(403);
  const audits = await testDatabase.database.many<{ action: string }>(
    `select action from audit where action like '%takedowns%' and status < 300 order by id`,
  );
  expect(audits.map(({ action }) => action.split(' ')[0])).toEqual(['POST', 'POST', 'POST', 'DELETE']);
});

test('a camera shows when it is due next, how often it failed, and what was learned of it', async () => {
  const id = await add('http://pace.example/1.jpg', { intervalMs: 60_000 });
  const show = async () => JSON.parse((await camfleet('cameras', 'show', String(id), '--json')).stdout) as object;
  expect(await show()).toMatchObject({
    nextDueAt: null,
    failuresInARow: 0,
    learnedRefreshMs: null,
    staleAfterMs: 180_000,
  });
  const nextDueAt = Date.parse('2026-03-01T12:00:00Z');
  memories.set(id, {
    lastAttemptAt: nextDueAt - 1e6,
    pace: { nextDueAt, failures: 4, retryAt: nextDueAt, refresh: { ms: 300_000, count: 20, streak: 0, since: 0 } },
  });
  expect(await show()).toMatchObject({
    nextDueAt: '2026-03-01T12:00:00.000Z',
    failuresInARow: 4,
    learnedRefreshMs: 300_000,
    staleAfterMs: 900_000,
  });
});
