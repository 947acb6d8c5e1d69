import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { HealthReport, LearnedCard } from '../../../common/protocol/health.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { AccessControl } from '../../../coordinator/platform/http/access.ts';
import { createHttp } from '../../../coordinator/platform/http/http.ts';
import type { Http } from '../../../coordinator/platform/http/http.ts';
import { createMetrics } from '../../../coordinator/platform/http/metrics.ts';
import { CameraHealth } from '../../../coordinator/results/health/health.ts';
import { cameraHealthRoutes } from '../../../coordinator/results/health/routes.ts';
import { runCommand } from '../../../scripts/camfleet/program.ts';
import { fleetThatAnswers, HealthBench } from './health-bench.ts';

const bench = HealthBench.use();
let http: Http;
let folder: string;

beforeAll(async () => {
  const { database } = bench;
  const access = new AccessControl(database);
  folder = await mkdtemp(join(tmpdir(), 'camfleet-health-'));
  await mkdir(join(folder, 'keys'));
  await access.adminToken(join(folder, 'keys'));
  const health = new CameraHealth({ database, fleet: fleetThatAnswers(), retentionDays: 90, logger: silentLogger });
  http = await createHttp({
    listen: { host: '127.0.0.1', port: 0 },
    ...{ version: 'test', access, database, logger: silentLogger, metrics: createMetrics([]), ready: {} },
    sessions: { authenticate: async () => undefined },
    routes: [cameraHealthRoutes(health)],
    pageFolder: '/nowhere',
  });
  await http.start();
});
afterAll(async () => {
  await http.stop();
  await rm(folder, { recursive: true });
});

async function camfleet(line: string) {
  let [stdout, stderr] = ['', ''];
  const terminal = {
    out: (text: string) => void (stdout += text),
    err: (text: string) => void (stderr += text),
    ...{ isInteractive: false, showsProgress: false },
  };
  const environment = { CAMFLEET_URL: http.url, CAMFLEET_DATA_FOLDER: folder };
  return { exit: await runCommand(line.split(' '), { terminal, environment }, 'test'), stdout, stderr };
}
const healthOf = async (conditions = ''): Promise<HealthReport> =>
  JSON.parse((await camfleet(`health --json${conditions}`)).stdout) as HealthReport;

test('health is asked of the cameras that match, under the conditions of lists of cameras', async () => {
  const [first, second] = [await bench.addAgent('first'), await bench.addAgent('second')];
  const pass = bench.passOf();
  const [north = 0, south = 0, other = 0] = await bench.addCameras(['one.example', 'one.example', 'two.example']);
  await bench.database.query(`update cameras set country = 'CZ', tags = '{bridge}' where id = any($1)`, [
    [south, other],
  ]);
  await bench.shows(pass, [north, south], ['good'], first);
  await bench.shows(pass, [other], ['good'], second);
  await bench.shows(pass, [south], ['http_error', 'http_error', 'http_error'], first);
  await bench.shows(pass, [other], ['black', 'black', 'black'], second);

  expect(await healthOf()).toMatchObject({ states: { online: 1, offline: 1, black: 1 }, openIncidents: 2 });
  const dark = await healthOf(' --country CZ --tag bridge --state black');
  expect(dark).toMatchObject({
    states: { black: 1 },
    openIncidents: 1,
    causes: [{ state: 'black', incidents: 1, cameras: 1 }],
    hosts: [{ key: 'two.example', cameras: 1, ill: 1 }],
    agents: [{ name: 'second', ill: 1 }],
  });
  expect(dark.states).toEqual({ black: 1 });
  for (const [conditions, states] of [
    ['--agent first', { online: 1, offline: 1 }],
    ['--host two.example', { black: 1 }],
    ['--verdict http_error', { offline: 1 }],
    ['--text one.example --country CZ', { offline: 1 }],
    ['--source elsewhere', {}],
  ] as const) {
    expect((await healthOf(` ${conditions}`)).states, conditions).toEqual(states);
  }
  expect((await healthOf(' --host one.example')).causes.map(({ cameras }) => cameras)).toEqual([1]);
  const mistaken = await camfleet('health --near 91,0');
  expect([mistaken.exit, mistaken.stderr]).toEqual([2, expect.stringMatching(/latitude/)]);
});

test('learned cards are listed and dismissed from the command line', async () => {
  const hash = 'ab'.repeat(24);
  await bench.database.query(
    `insert into placeholders (hash, host, cameras, learned_at) values ($1, 'one.example', 7, clock_timestamp()), ($2, 'two.example', 3, null)`,
    [hash, 'cd'.repeat(24)],
  );
  const { stdout } = await camfleet('cards list');
  expect(stdout).toMatch(new RegExp(`${hash} +one\\.example +7 .* card`));
  expect(stdout).toMatch(/two\.example +3 +not yet +candidate/);
  expect(await camfleet(`cards dismiss ${hash}`)).toMatchObject({ exit: 0, stderr: '' });
  const lines = (await camfleet('cards list --jsonl')).stdout.trim().split('\n');
  expect(lines.map((line) => JSON.parse(line) as LearnedCard)).toMatchObject([
    { host: 'two.example', dismissed: false },
    { hash, dismissed: true },
  ]);
  const unknown = await camfleet(`cards dismiss ${'ef'.repeat(24)}`);
  expect([unknown.exit, unknown.stderr]).toEqual([1, expect.stringContaining('No placeholder has the hash')]);
  expect((await camfleet('cards dismiss everything')).exit).toBe(2);
  expect((await camfleet('cards dismiss --help')).stdout).toContain('$ camfleet cards dismiss');
});
