import { expect, test } from 'vitest';
import type { Verdict } from '../../../common/domain/verdict.ts';
import { listIncidents, readIncident } from '../../../coordinator/results/health/incident-queries.ts';
import type { IncidentFilter } from '../../../coordinator/results/health/incident-queries.ts';
import { readHealth } from '../../../coordinator/results/health/report.ts';
import { HealthBench } from './health-bench.ts';

const bench = HealthBench.use();

test('cameras of one host that fall ill share one incident, which closes with the last recovery', async () => {
  const agent = await bench.addAgent();
  const pass = bench.passOf();
  const cameras = await bench.addCameras(['one.example', 'one.example', 'two.example']);
  await bench.shows(pass, cameras, ['good', 'http_error', 'http_error'], agent);
  expect(await bench.statesOf(cameras)).toEqual(['online', 'online', 'online']);
  expect(await bench.openIncidents()).toEqual([]);

  await bench.shows(pass, cameras, ['http_error'], agent);
  expect(await bench.statesOf(cameras)).toEqual(['offline', 'offline', 'offline']);
  const incidents = await bench.openIncidents();
  expect(incidents.map(({ kind, key, state, cameras: ill }) => ({ kind, key, state, ill }))).toEqual([
    { kind: 'host', key: 'two.example', state: 'offline', ill: 1 },
    { kind: 'host', key: 'one.example', state: 'offline', ill: 2 },
  ]);
  expect(incidents[1]?.reason).toBe('2 cameras of host one.example bring no picture: the host answered with an error.');

  await bench.shows(pass, [cameras[0] as number], ['good', 'good', 'good'], agent);
  expect((await readIncident(bench.database, incidents[1]?.id ?? 0)).cameras).toBe(1);
  await bench.shows(pass, cameras, ['good', 'good', 'good'], agent);
  expect(await bench.openIncidents()).toEqual([]);
  const closed = await readIncident(bench.database, incidents[1]?.id ?? 0);
  expect(closed).toMatchObject({ cameras: 0, total: 2, closedAt: expect.any(Number) });
  expect(closed.members).toHaveLength(2);
  expect((await readHealth(bench.database, 10)).states).toEqual({ online: 3 });
});

test('incidents are found by cause, and by what their cameras are; the largest come first where that is asked', async () => {
  const agent = await bench.addAgent('finder');
  const pass = bench.passOf();
  const cameras = await bench.addCameras(['one.example', 'one.example', 'two.example']);
  await bench.database.query(`update cameras set country = 'CZ', tags = '{bridge}' where host = 'two.example'`);
  await bench.shows(pass, cameras, ['good'], agent);
  await bench.shows(pass, cameras.slice(0, 2), ['timeout', 'timeout', 'timeout'], agent);
  await bench.shows(pass, cameras.slice(2), ['frozen', 'frozen', 'frozen'], agent);
  const keys = async (filter: IncidentFilter, order?: 'cameras') =>
    (await listIncidents(bench.database, filter, { limit: 10, order })).incidents.map(({ key }) => key);
  expect(await keys({})).toEqual(['two.example', 'one.example']);
  expect(await keys({ open: true }, 'cameras')).toEqual(['one.example', 'two.example']);
  expect(await keys({ verdict: 'timeout' })).toEqual(['one.example']);
  for (const filter of [{ host: 'two.example' }, { country: 'CZ' }, { tag: 'bridge' }, { state: 'frozen' }]) {
    expect(await keys(filter), JSON.stringify(filter)).toEqual(['two.example']);
  }
  expect(await keys({ agent: 'finder', source: 'test' })).toHaveLength(2);
  expect(await keys({ agent: 'another' })).toEqual([]);
  await bench.database.query(
    'insert into camera_memories (camera_id, last_attempt_at, memory) values ($1, now(), $2)',
    [cameras[2], JSON.stringify({ lastAttemptAt: 0, pace: { nextDueAt: 4_000_000_000_000 } })],
  );
  const [incident] = (await listIncidents(bench.database, { host: 'two.example' }, { limit: 1 })).incidents;
  const { doing, nextTryAt } = await readIncident(bench.database, incident?.id ?? 0);
  expect(doing).toBe('Its cameras are asked as often as ever. Three good pictures in a row bring a camera back.');
  expect(nextTryAt).toBe(4_000_000_000_000);
});

test('the evidence picture of an open incident is pinned, and free again afterwards', async () => {
  const agent = await bench.addAgent();
  const pass = bench.passOf();
  const [camera = 0] = await bench.addCameras(['one.example']);
  const keep = (digest: string, verdict: Verdict, ago: number) =>
    bench.database.query(
      `insert into frames (digest, camera_id, at, reason, bytes, verdict)
       values ($1, $2, clock_timestamp() - make_interval(secs => $4), 'verdict', 10, $3)`,
      [digest, camera, verdict, ago],
    );
  await keep('a'.repeat(64), 'black', 500);
  await keep('b'.repeat(64), 'good', 100);
  await bench.shows(pass, [camera], ['good', 'black', 'black', 'black'], agent);
  expect(await bench.openIncidents()).toMatchObject([{ evidenceDigest: 'a'.repeat(64), evidenceFits: true }]);
  const pins = () => bench.database.many(`select digest from frame_references where kind = 'incident'`);
  expect(await pins()).toEqual([{ digest: 'a'.repeat(64) }]);
  await bench.shows(pass, [camera], ['good', 'good', 'good'], agent);
  expect(await pins()).toEqual([]);
  // What is of no use may be a picture, too.
  await keep('c'.repeat(64), 'blank', 50);
  await bench.shows(pass, [camera], ['blank', 'blank', 'blank', 'blank', 'blank'], agent);
  expect(await bench.openIncidents()).toMatchObject([
    { state: 'degraded', evidenceDigest: 'c'.repeat(64), evidenceFits: true },
  ]);
});

test('half of a source on many hosts is one incident of the source, which hosts that fail later join', async () => {
  const agent = await bench.addAgent();
  const pass = bench.passOf();
  const hosts = Array.from({ length: 12 }, (_, i) => `h${i}.example`);
  const cameras = await bench.addCameras(hosts, 'big');
  await bench.addCameras(['well.example'], 'other');
  await bench.shows(pass, cameras, ['good'], agent);
  await bench.shows(pass, cameras.slice(0, 11), ['http_error', 'http_error', 'http_error'], agent);
  expect(await bench.openIncidents()).toHaveLength(11);
  await pass.upkeep();
  expect(await bench.openIncidents()).toMatchObject([{ kind: 'source', key: 'big', state: 'offline', cameras: 11 }]);
  await bench.shows(pass, cameras.slice(11), ['http_error', 'http_error', 'http_error'], agent);
  expect(await bench.openIncidents()).toMatchObject([{ kind: 'source', cameras: 12 }]);
  await bench.shows(pass, cameras, ['good', 'good', 'good'], agent);
  expect(await bench.openIncidents()).toEqual([]);
});
