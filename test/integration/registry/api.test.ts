import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { AccessControl } from '../../../coordinator/platform/http/access.ts';
import { createHttp } from '../../../coordinator/platform/http/http.ts';
import type { Http } from '../../../coordinator/platform/http/http.ts';
import { createMetrics } from '../../../coordinator/platform/http/metrics.ts';
import { registryRoutes } from '../../../coordinator/registry/routes.ts';
import type { Registry } from '../../../coordinator/registry/registry.ts';
import { runCommand } from '../../../scripts/camfleet/program.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { farmRows, registryOn } from './support.ts';

let testDatabase: TestDatabase;
let registry: Registry;
let http: Http;
let folder: string;
let viewer: string;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const { database } = testDatabase;
  registry = registryOn(database);
  const access = new AccessControl(database);
  folder = await mkdtemp(join(tmpdir(), 'camfleet-api-'));
  await mkdir(join(folder, 'keys'));
  await access.adminToken(join(folder, 'keys'));
  viewer = (await access.create('looker', 'viewer')).token;
  http = await createHttp({
    listen: { host: '127.0.0.1', port: 0 },
    version: 'test',
    access,
    sessions: { authenticate: async () => undefined },
    database,
    logger: silentLogger,
    metrics: createMetrics([]),
    ready: {},
    routes: [registryRoutes(registry)],
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

test('a camera is added, found, set, paused, resumed and removed from the command line', async () => {
  const added = await camfleet(
    'cameras',
    'add',
    'http://u:p@cam.example/a.jpg',
    '--name',
    'Bridge',
    '--near',
    '-17.7,179.9',
    '--json',
  );
  expect(added).toMatchObject({ exit: 0, stderr: '' });
  const { id } = JSON.parse(added.stdout) as { id: number };
  expect(added.stdout).not.toContain('"p"');
  expect((await camfleet('cameras', 'list', '--near', '-17.7,-179.9', '--km', '50', '--jsonl')).stdout).toContain(
    '"Bridge"',
  );
  expect((await camfleet('cameras', 'list', '--box', '170,-30,-170,0')).stdout).toContain('Bridge');
  expect((await camfleet('cameras', 'set', '--text', 'bridge', '--interval', '5s', '--tags', 'x')).stdout).toBe(
    '1 cameras were changed.\n',
  );
  expect((await camfleet('cameras', 'show', String(id))).stdout).toMatch(/intervalMs +5000/);
  for (const [verb, lifecycle] of [
    ['pause', 'paused'],
    ['resume', 'active'],
    ['remove', 'retired'],
  ] as const) {
    expect((await camfleet('cameras', verb, String(id))).exit).toBe(0);
    expect((await registry.get(id)).lifecycle).toBe(lifecycle);
  }
  expect(await camfleet('cameras', 'show', '999999')).toMatchObject({
    exit: 1,
    stderr: expect.stringContaining('no camera 999999'),
  });
  expect(await camfleet('cameras', 'list', '--kind', 'round')).toMatchObject({
    exit: 2,
    stderr: expect.stringContaining('kind'),
  });
  expect(await camfleet('cameras', 'list', '--near', '91,0')).toMatchObject({
    exit: 2,
    stderr: expect.stringContaining('near'),
  });
});

test('a viewer may look but not change', async () => {
  expect((await camfleet('cameras', 'list', '--token', viewer)).exit).toBe(0);
  expect((await camfleet('cameras', 'add', 'http://cam.example/b.jpg', '--token', viewer)).exit).toBe(3);
  expect((await camfleet('cameras', 'list', '--token', 'cft_of-nobody')).exit).toBe(3);
});

test('who may not change a camera does not see the passwords in its address', async () => {
  const address = 'http://u:inUserInfo@keys.example/live/user=root_password=inPath.jpg?pwd=inQuery&channel=1';
  const added = JSON.parse((await camfleet('cameras', 'add', address, '--json')).stdout) as { id: number };
  // Names go into data sets and pages of everybody.
  expect((await registry.get(added.id)).name).toBe('http://keys.example/live/user=***&channel=1');
  const show = async (...args: string[]): Promise<string> => (await camfleet('cameras', ...args, '--json')).stdout;
  expect(await show('show', String(added.id))).toContain('pwd=inQuery&channel=1');
  for (const args of [
    ['show', String(added.id)],
    ['list', '--text', 'keys.example'],
  ]) {
    const seen = await show(...args, '--token', viewer);
    expect(seen).toContain('http://keys.example/live/user=***');
    expect(seen).not.toMatch(/inUserInfo|inPath|inQuery/);
  }
});

test('an error of the API repeats no password', async () => {
  const { stderr } = await camfleet('cameras', 'add', 'gopher://u:inUserInfo@x/?pwd=inQuery');
  expect(stderr).not.toMatch(/inUserInfo|inQuery/);
});

test('a file is imported through the API, and a refused one says why although it was still being sent', async () => {
  const file = join(folder, 'farm.csv');
  await writeFile(file, farmRows(5_000));
  const { exit, stdout } = await camfleet('cameras', 'import', file, '--json');
  expect([exit, JSON.parse(stdout)]).toMatchObject([0, { read: 5_000, added: 5_000, rejections: [] }]);
  await writeFile(file, Buffer.alloc(8_000_000, 'a\0', 'latin1'));
  expect(await camfleet('cameras', 'import', file)).toMatchObject({
    exit: 1,
    stderr: expect.stringContaining('UTF-16'),
  });
});

test('an upload whose client goes away leaves nothing behind', async () => {
  const before = await registry.count({});
  const { port, hostname } = new URL(http.url);
  const token = (await new AccessControl(testDatabase.database).create('importer', 'operator')).token;
  const socket = connect(Number(port), hostname);
  const rows = Buffer.concat([...farmRows(20_000)])
    .toString()
    .replaceAll('farm,c', 'gone,c');
  socket.write(
    `POST /api/v1/cameras/import HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\nContent-Type: text/csv\r\nContent-Length: ${rows.length * 2}\r\n\r\n`,
  );
  socket.write(rows);
  const staging = `select count(*)::int as open from pg_stat_activity where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()`;
  const open = async () => (await testDatabase.database.one<{ open: number }>(staging)).open;
  await eventually(async () => (await open()) > 0, { what: 'the import to begin' });
  socket.destroy();
  await eventually(async () => (await open()) === 0, { what: 'the import to end' });
  expect(await registry.count({})).toBe(before);
});

test('the API describes itself with these routes', async () => {
  const token = `Bearer ${viewer}`;
  const document = (await (
    await fetch(`${http.url}/api/v1/openapi.json`, { headers: { authorization: token } })
  ).json()) as {
    paths: Record<string, unknown>;
  };
  expect(Object.keys(document.paths)).toEqual(expect.arrayContaining(['/api/v1/cameras', '/api/v1/cameras/import']));
});
