import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Registry } from '../../../coordinator/registry/registry.ts';
import type { Rejection } from '../../../coordinator/registry/import/import.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { REPOSITORY } from '../../support/processes.ts';
import { farmRows, importText, registryOn } from './support.ts';

let testDatabase: TestDatabase;
let registry: Registry;
let heard: number[];

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  registry = registryOn(testDatabase.database, { onChanged: (ids) => void heard.push(...ids) });
});
afterAll(() => testDatabase.drop());
beforeEach(async () => {
  await testDatabase.database.query('truncate cameras cascade');
  heard = [];
});

const CSV = `id,url,lat,lon,country,name
a,http://one.example/a.jpg,51.5,-1,GB,Bridge
b,http://one.example/b.jpg,52.5,-1,United Kingdom,"Yard, ""north"""
`;

describe('the same file', () => {
  test('adds once, then changes nothing, and says so to nobody', async () => {
    expect(await importText(registry, CSV)).toMatchObject({ read: 2, added: 2, rejected: 0 });
    expect(heard).toHaveLength(2);
    expect(await importText(registry, CSV)).toMatchObject({ read: 2, added: 0, changed: 0, unchanged: 2 });
    expect(heard).toHaveLength(2);
    expect((await registry.list({})).cameras.map(({ name, country }) => [name, country])).toEqual([
      ['Bridge', 'GB'],
      ['Yard, "north"', 'GB'],
    ]);
  });

  test('with one row changed updates that row and keeps what the file does not say', async () => {
    await importText(registry, CSV);
    await registry.set({}, { intervalMs: 5_000, addTags: ['mine'] });
    expect(await importText(registry, CSV.replace('Bridge', 'Tower'))).toMatchObject({ changed: 1, unchanged: 1 });
    const [tower] = (await registry.list({ text: 'tower' })).cameras;
    expect(tower).toMatchObject({ name: 'Tower', intervalMs: 5_000, tags: ['mine'] });
  });

  test('with a row less keeps its camera, with sync retires it, and brings it back when it returns', async () => {
    await importText(registry, CSV);
    const short = CSV.split('\n').slice(0, 2).join('\n');
    expect(await importText(registry, short)).toMatchObject({ retired: 0 });
    expect(await importText(registry, short, { sync: true })).toMatchObject({ retired: 1 });
    expect(await registry.count({ lifecycle: 'retired' })).toBe(1);
    expect(await importText(registry, CSV)).toMatchObject({ changed: 1, unchanged: 1 });
    expect(await registry.count({ lifecycle: 'active' })).toBe(2);
  });

  test('with a broken row retires nobody: that camera may be the broken one', async () => {
    await importText(registry, CSV);
    const report = await importText(registry, CSV.replace('52.5', '91'), { sync: true });
    expect(report).toMatchObject({ rejected: 1, retired: 0 });
    expect(report.notes[0]?.reason).toContain('nothing was retired');
  });
});

describe('formats', () => {
  const expected = { sourceCameraId: '7', snapshotUrl: 'http://x.example/7.jpg', latitude: -33.9, longitude: 151.2 };
  test.each([
    [
      'JSON',
      JSON.stringify([{ cameraID: 7, snapshot_url: 'http://x.example/7.jpg', latitude: -33.9, longitude: 151.2 }]),
    ],
    ['JSON lines', '{"id":"7","url":"http://x.example/7.jpg","lat":"-33.9","lng":151.2}\n\n'],
    [
      'GeoJSON',
      JSON.stringify({
        type: 'FeatureCollection',
        features: [
          {
            type: 'Feature',
            id: 7,
            geometry: { type: 'Point', coordinates: [151.2, -33.9] },
            properties: { url: 'http://x.example/7.jpg', type: 'non_ip' },
          },
        ],
      }),
    ],
    ['semicolons and a byte order mark', '\ufeffID;URL;Lat;Lon\r\n7;http://x.example/7.jpg;-33.9;151.2\r\n'],
    ['stray spaces', 'id , url,lat,lon\n7\t,\thttp://x.example/7.jpg\t,\t-33.9\t,\t151.2\n'],
  ])('%s', async (_, text) => {
    expect(await importText(registry, text)).toMatchObject({ added: 1, rejected: 0, rejections: [] });
    expect((await registry.list({})).cameras[0]).toMatchObject(expected);
  });

  test("CAM2's records keep their retrieval, place, resolution, frame rate and activity", async () => {
    const common = {
      source: 'cam2',
      country: 'USA',
      state: 'IN',
      city: 'West Lafayette',
      latitude: 40.4,
      longitude: -86.9,
    };
    const records = [
      {
        ...common,
        cameraID: '5b',
        legacy_cameraID: 3,
        type: 'ip',
        frame_rate: 0.5,
        resolution_width: 640,
        resolution_height: 480,
        is_active_image: true,
        timezone_id: 'America/Indiana/Indianapolis',
        retrieval: {
          ip: '10.1.2.3',
          port: '8000',
          brand: 'Axis',
          image_path: '/axis-cgi/jpg/image.cgi',
          video_path: '/mjpg',
        },
      },
      {
        ...common,
        cameraID: '5c',
        type: 'non_ip',
        is_active_image: false,
        is_active_video: false,
        utc_offset: -18000,
        retrieval: { snapshot_url: 'http://dot.example/c.jpg' },
      },
      { ...common, cameraID: '5d', type: 'stream', retrieval: { m3u8_url: 'https://s.example/live.m3u8' } },
    ];
    const report = await importText(registry, JSON.stringify({ cameras: records }, null, 1));
    expect(report).toMatchObject({ added: 3, rejections: [] });
    const [ip, page, stream] = (await registry.list({})).cameras;
    expect(ip).toMatchObject({
      kind: 'ip',
      host: '10.1.2.3',
      port: 8000,
      brand: 'Axis',
      videoPath: '/mjpg',
      country: 'US',
      region: 'IN',
      width: 640,
      frameRate: 0.5,
      timeZone: 'America/Indiana/Indianapolis',
      lifecycle: 'active',
    });
    expect(page).toMatchObject({ kind: 'non_ip', lifecycle: 'paused', timeZone: 'Etc/GMT+5' });
    expect(stream).toMatchObject({ kind: 'stream', transport: 'hls' });
    expect((await registry.plannableCameras()).map(({ id }) => id)).toEqual([ip?.id, stream?.id]);
  });

  const helios = resolve(process.env['CAMFLEET_SHARED'] ?? resolve(REPOSITORY, '../shared'), 'cameras/helios.csv');
  test.skipIf(!existsSync(helios))(
    'the real list of a road operator (skipped where the shared data is absent)',
    async () => {
      const report = await importText(registry, readFileSync(helios), { source: 'helios' });
      expect(report.rejections.slice(0, 3)).toEqual([]);
      expect(report.added).toBeGreaterThan(900);
    },
  );
});

describe('hostile input', () => {
  test('a line of a gigabyte is rejected and the memory stays flat', async () => {
    const block = Buffer.alloc(1 << 20, 'x');
    let most = 0;
    function* chunks(): Generator<Buffer> {
      yield Buffer.from(CSV);
      for (let i = 0; i < 1_024; i++) yield block;
      yield Buffer.from('\nc,http://one.example/c.jpg,1,1,GB,After\n');
    }
    const before = process.memoryUsage().rss;
    const report = await registry.import(Readable.from(chunks()), {
      onProgress: () => (most = Math.max(most, process.memoryUsage().rss)),
    });
    expect(report).toMatchObject({
      read: 4,
      added: 3,
      rejected: 1,
      rejections: [{ line: 4, reason: expect.stringContaining('longer') }],
    });
    expect((most - before) / 2 ** 20).toBeLessThan(150);
  });

  test('each bad row is reported with its line and reason, the good ones are taken', async () => {
    const all: Rejection[] = [];
    const report = await importText(
      registry,
      `id,url,lat,lon,name,country
1,http://x.example/1.jpg,91,0,North,GB
2,http://x.example/2.jpg,0,0,=HYPERLINK("http://evil"),GB
3,http://x.example/3.jpg,0,0,Three,GB
3,http://x.example/4.jpg,0,0,Again,GB
5,ftp://x.example/5.jpg,0,0,Five,GB
6,file:///etc/passwd,0,0,Six,GB
7,http://x.example/7.jpg,0,0,Seven,Atlantis
8,http://x.example/8.jpg,0,,Eight,GB
9,,0,0,Nine,GB
10,"http://x.example/10.jpg,0,0,Open
`,
      { onRejected: (rejection) => all.push(rejection) },
    );
    expect(report).toMatchObject({ read: 10, added: 2, rejected: 8 });
    expect(all.map(({ line, reason }) => [line, reason])).toEqual([
      [2, expect.stringMatching(/latitude.*90.*found 91/)],
      [5, 'same source and camera id as line 4'],
      [6, expect.stringContaining('ftp:')],
      [7, expect.stringContaining('not allowed')],
      [8, expect.stringMatching(/country.*Atlantis/)],
      [9, expect.stringContaining('belong together')],
      [10, expect.stringContaining('no address')],
      [11, expect.stringContaining('quote')],
    ]);
    expect(report.notes).toEqual([{ line: 3, reason: expect.stringContaining('formula') }]);
  });

  test('UTF-16 is refused as a whole, a Latin-1 line alone', async () => {
    await expect(importText(registry, Buffer.from(`\ufeff${CSV}`, 'utf16le'))).rejects.toMatchObject({
      code: 'IMPORT_ENCODING_UNSUPPORTED',
    });
    const report = await importText(registry, Buffer.from(CSV.replace('Bridge', 'Brücke'), 'latin1'));
    expect(report).toMatchObject({ added: 1, rejections: [{ line: 2, reason: expect.stringContaining('UTF-8') }] });
  });

  test('a document that ends too early and an import that is broken off change nothing', async () => {
    await expect(importText(registry, '[{"id":1,"url":"http://x.example/1.jpg"},{"id":2')).rejects.toMatchObject({
      code: 'IMPORT_FILE_INVALID',
    });
    const stop = new AbortController();
    const broken = registry.import(Readable.from(farmRows(20_000)), {
      signal: stop.signal,
      onProgress: ({ rows }) => rows > 5_000 && stop.abort(),
    });
    await expect(broken).rejects.toThrow();
    expect(await registry.count({})).toBe(0);
    expect(heard).toEqual([]);
  });

  test('credentials in a URL go to a column of their own', async () => {
    const report = await importText(registry, 'id,url\n1,http://me:s%3Acret@x.example/1.jpg\n');
    expect(report.added).toBe(1);
    const [camera] = (await registry.list({})).cameras;
    expect(JSON.stringify(camera)).not.toContain('cret');
    expect(camera).toMatchObject({ snapshotUrl: 'http://x.example/1.jpg', hasCredentials: true });
    expect((await registry.assignmentsOf([camera?.id ?? 0]))[0]?.source).toMatchObject({
      url: 'http://x.example/1.jpg',
      credentials: { user: 'me', password: 's:cret' },
    });
    const { row } = await testDatabase.database.one<{ row: string }>('select cameras::text as row from cameras');
    expect(row).not.toContain('cret');
  });
});

// The promise is 120,000 rows in 30 s on a machine of its own: CAMFLEET_TEST_ROWS=120000 measures it.
const ROWS = Number(process.env['CAMFLEET_TEST_ROWS'] ?? 20_000);

test(`${ROWS} rows are imported and planned from at a rate of 4,000 rows a second`, async () => {
  const started = performance.now();
  const report = await registry.import(Readable.from(farmRows(ROWS)));
  const first = performance.now();
  expect(report).toMatchObject({ read: ROWS, added: ROWS, rejected: 0, rejections: [] });
  expect(await registry.import(Readable.from(farmRows(ROWS)))).toMatchObject({ unchanged: ROWS, changed: 0 });
  const second = performance.now();
  expect(await registry.plannableCameras()).toHaveLength(ROWS);
  const planned = performance.now();
  const spent = [first - started, second - first, planned - second].map((ms) => `${Math.round(ms)} ms`);
  // Other test files share the cores: twice the promise, and a second to begin.
  expect(first - started, `import, again, plan: ${spent.join(', ')}`).toBeLessThan(1_000 + (ROWS / 4_000) * 2_000);
}, 180_000);
