import { mkdir, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pullDataset } from '../../../common/dataset/pull.ts';
import type { DatasetApi } from '../../../common/dataset/pull.ts';
import type { Sample } from '../../../common/domain/dataset.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { datasetRoutes } from '../../../coordinator/learning/datasets/routes.ts';
import { labelRoutes } from '../../../coordinator/learning/labels/routes.ts';
import { camerasMatching } from '../../../coordinator/matching-cameras.ts';
import { AccessControl } from '../../../coordinator/platform/http/access.ts';
import { createHttp } from '../../../coordinator/platform/http/http.ts';
import type { Http } from '../../../coordinator/platform/http/http.ts';
import { createMetrics } from '../../../coordinator/platform/http/metrics.ts';
import { resultRoutes } from '../../../coordinator/results/routes.ts';
import { connect } from '../../../scripts/camfleet/api.ts';
import { runCommand } from '../../../scripts/camfleet/program.ts';
import { LearningBench } from './support.ts';

let bench: LearningBench;
let http: Http;
let folder: string;
let tokens: Record<'viewer' | 'researcher', string>;
let environment: NodeJS.ProcessEnv;
let cameras: number[];

beforeAll(async () => {
  bench = await LearningBench.create();
  const { database } = bench;
  const access = new AccessControl(database);
  folder = await mkdtemp(join(tmpdir(), 'camfleet-pull-'));
  await mkdir(join(folder, 'keys'));
  await access.adminToken(join(folder, 'keys'));
  tokens = {
    viewer: (await access.create('looker', 'viewer')).token,
    researcher: (await access.create('anna', 'researcher')).token,
  };
  http = await createHttp({
    listen: { host: '127.0.0.1', port: 0 },
    version: 'test',
    access,
    sessions: { authenticate: async () => undefined },
    database,
    logger: silentLogger,
    metrics: createMetrics([]),
    ready: {},
    routes: [
      labelRoutes(bench.labels),
      datasetRoutes({
        datasets: bench.datasets,
        camerasMatching: (query) => camerasMatching(bench.registry, query),
      }),
      resultRoutes({ results: bench.results, wantedFor: async () => undefined, countedAttempts: undefined }),
    ],
    pageFolder: '/nowhere',
  });
  await http.start();
  environment = { CAMFLEET_URL: http.url, CAMFLEET_TOKEN: tokens.researcher };
  cameras = [];
  for (const label of ['street', 'street', 'street', '.beach/north']) {
    cameras.push(await bench.labelledCamera(label, [3, 2]));
  }
});
afterAll(async () => {
  await http.stop();
  await bench.drop();
  await rm(folder, { recursive: true });
});

async function camfleet(line: string[], more: NodeJS.ProcessEnv = {}) {
  let [stdout, stderr] = ['', ''];
  const terminal = {
    out: (text: string) => void (stdout += text),
    err: (text: string) => void (stderr += text),
    isInteractive: false,
    showsProgress: false,
  };
  const exit = await runCommand(line, { terminal, environment: { ...environment, ...more } }, 'test');
  return { exit, stdout, stderr };
}
const json = <T>(stdout: string): T => JSON.parse(stdout) as T;

test('labels are imported, counted, listed and exported from the command line, each by who may', async () => {
  const camera = await bench.camera('study');
  const digest = await bench.frame(camera, bench.now - 5_000);
  const file = join(folder, 'labels.csv');
  await writeFile(file, `digest,label\n${digest},=street\n${'1'.repeat(64)},street\n`);
  const refused = await camfleet(['labels', 'import', file], { CAMFLEET_TOKEN: tokens.viewer });
  expect(refused).toMatchObject({ exit: 3, stdout: '' });
  const rejected = join(folder, 'rejected.jsonl');
  const report = await camfleet(['labels', 'import', file, '--rejected', rejected, '--json']);
  expect(json(report.stdout)).toMatchObject({ read: 2, added: 1, rejected: 1 });
  expect(json(await readFile(rejected, 'utf8'))).toMatchObject({ line: 3 });
  const counts = await camfleet(['labels', 'classes', '--json'], { CAMFLEET_TOKEN: tokens.viewer });
  expect(json<{ classes: object[] }>(counts.stdout).classes).toMatchObject([
    { label: '.beach/north', frames: 2, cameras: 1 },
    { label: '=street', frames: 1, cameras: 1 },
    { label: 'street', frames: 6, cameras: 3 },
  ]);
  expect((await camfleet(['labels', 'list', '--label', '=street', '--jsonl'])).stdout).toContain('"import by anna"');
  const exported = await camfleet(['labels', 'export', '--camera', String(camera)]);
  expect(exported.stdout).toMatch(new RegExp(`^digest,label,camera,time,.*\n${digest},'=street,${camera},`));
  expect((await camfleet(['labels', 'import', join(folder, 'absent.csv')])).exit).toBe(2);
  const audit = await bench.database.many('select actor, status from audit where action like $1 order by id', [
    'POST%/labels/import',
  ]);
  expect(audit).toMatchObject([{ status: 200 }]);
});

test('good frames without label are listed as a file to fill in and import', async () => {
  const camera = await bench.camera('study');
  const at = bench.now - 4_000;
  const digest = await bench.frame(camera, at);
  await bench.frame(await bench.camera('study'), at, { verdict: 'black' });
  const { stdout } = await camfleet(['labels', 'missing', '--since', new Date(at).toISOString()]);
  const [header, row = '', rest] = stdout.split('\n');
  expect([header, rest]).toEqual(['digest,label,camera,time,name', '']);
  expect(row).toMatch(new RegExp(`^${digest},,${camera},${new Date(at).toISOString()},Camera`));
  const file = join(folder, 'filled.csv');
  await writeFile(file, `${header}\n${row.replace(',,', ',mountain,')}\n`);
  expect(json((await camfleet(['labels', 'import', file, '--json'])).stdout)).toMatchObject({ added: 1, rejected: 0 });
  expect((await camfleet(['labels', 'missing', '--json'])).stdout).toBe('{"frames":[]}\n');
});

test('a snapshot is made, listed, shown and pulled with everything that a researcher needs and no credentials', async () => {
  const made = await camfleet([
    'datasets',
    'create',
    'spring',
    '--per-camera',
    '2',
    '--country',
    'fj',
    '--classes',
    'street,.beach/north',
    '--json',
  ]);
  expect(made).toMatchObject({ exit: 0, stderr: '' });
  expect(json(made.stdout)).toMatchObject({ name: 'spring', samples: 8, cameras: 4 });
  expect((await camfleet(['datasets', 'create', 'spring'])).stderr).toMatch(/already/);
  expect((await camfleet(['datasets', 'create', 'none', '--country', 'US'])).stderr).toMatch(/No good frame/);
  expect((await camfleet(['datasets', 'create', 'x', '--since', '2026-01-01'])).exit).toBe(2);
  expect((await camfleet(['datasets', 'list'])).stdout).toMatch(/spring +8 +4 +2/);
  expect((await camfleet(['datasets', 'show', 'spring'])).stdout).toMatch(/street +camera +2 +2 +2/);

  const into = join(folder, 'spring');
  const pulled = await camfleet(['datasets', 'pull', 'spring', into, '--json']);
  expect(json(pulled.stdout)).toMatchObject({ files: 8, downloaded: 8, kept: 0 });
  expect((await readdir(into)).toSorted()).toEqual(
    ['%2Ebeach%2Fnorth', '.camfleet-pull', 'dataset.json', 'metadata.csv', 'street'].toSorted(),
  );
  const dataset = json<{ samples: (Sample & { file: string })[] }>(await readFile(join(into, 'dataset.json'), 'utf8'));
  for (const { file, bytes } of dataset.samples) expect((await readFile(join(into, file))).length).toBe(bytes);
  const metadata = await readFile(join(into, 'metadata.csv'), 'utf8');
  const [header, first] = metadata.split('\n');
  expect(header).toBe(
    'file,label,split,digest,bytes,labelled_by,labelled_at,captured_utc,captured_local,time_zone,camera,camera_name,source,latitude,longitude,city,region,country,licence,attribution,terms,model_version,scores',
  );
  expect(first).toMatch(
    /^street\/[0-9a-f]{64}\.jpg,street,training,[0-9a-f]{64},100,farm,[^,]+Z,[^,]+Z,[^,]+\+12:00,Pacific\/Fiji,\d+,Camera \d+,farm,-17\.5,179\.25,Suva,,FJ,CC-BY-4\.0,'=Example & Co,,,$/,
  );
  expect(metadata).not.toMatch(/user|pass|hidden|http/);

  const again = await camfleet(['datasets', 'pull', 'spring', into, '--json']);
  expect(json(again.stdout)).toMatchObject({ files: 8, downloaded: 0, kept: 8 });
  await camfleet(['datasets', 'create', 'other', '--per-camera', '1']);
  expect(await camfleet(['datasets', 'pull', 'other', into])).toMatchObject({ exit: 2 });
  await writeFile(join(into, 'street', 'stranger.jpg'), 'x');
  expect((await camfleet(['datasets', 'pull', 'spring', into])).stderr).toMatch(/1 files too many/);
});

test('a pull that was broken off goes on, mends what is broken, and tries again what came broken', async () => {
  await bench.datasets.create({ name: 'torn', perCamera: 2 }, 'anna');
  const into = join(folder, 'torn');
  const api = await connect({}, environment);
  let downloads = 0;
  const breaking: DatasetApi = {
    get: (path, query) => api.get(path, query),
    bytes: async (path) => {
      downloads++;
      if (downloads === 2) return (await api.bytes(path)).subarray(1);
      if (downloads === 5) throw new AppError('HTTP_STATUS', 'gone', { details: { status: 404 } });
      return api.bytes(path);
    },
  };
  await expect(pullDataset(breaking, 'torn', into, { parallel: 1 })).rejects.toMatchObject({ code: 'HTTP_STATUS' });
  expect(await readdir(into)).not.toContain('dataset.json');
  const [done] = (await readdir(join(into, 'street'))).filter((name) => name.endsWith('.jpg'));
  await truncate(join(into, 'street', done ?? ''), 50);
  const pulled = await pullDataset(api, 'torn', into);
  expect(pulled.kept).toBe(2);
  expect(pulled.kept + pulled.downloaded).toBe(pulled.files);
});

test('whoever may only look may not label, snapshot or capture', async () => {
  for (const [method, path] of [
    ['POST', '/datasets'],
    ['POST', '/captures'],
    ['GET', '/labels'],
    ['PUT', `/labels/${'0'.repeat(64)}`],
  ] as const) {
    const response = await fetch(`${http.url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${tokens.viewer}`, 'content-type': 'application/json' },
      ...(method !== 'GET' && { body: '{}' }),
    });
    expect([path, response.status]).toEqual([path, 403]);
  }
});

test('--capture-now says how many cameras gave a fresh frame', async () => {
  const running = camfleet(['datasets', 'create', 'run', '--capture-now', '--wait', '1s', '--json']);
  const { exit, stdout, stderr } = await running;
  expect([exit, stderr]).toEqual([0, expect.stringMatching(/^0 of \d+ cameras gave a good frame/)]);
  expect(json(stdout)).toMatchObject({ captured: { came: 0 } });
  expect(bench.hurried.length).toBeGreaterThanOrEqual(cameras.length);
});
