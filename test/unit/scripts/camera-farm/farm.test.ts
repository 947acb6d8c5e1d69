import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterEach, expect, test, vi } from 'vitest';
import { SimulatedClock } from '../../../../common/runtime/clock.ts';
import type { Farm, FarmOptions } from '../../../../scripts/camera-farm/farm.ts';
import { startFarm } from '../../../../scripts/camera-farm/farm.ts';
import type { FaultName } from '../../../../scripts/camera-farm/faults.ts';

const opened: { stop: () => Promise<unknown> }[] = [];
afterEach(async () => {
  for (const item of opened.splice(0).reverse()) await item.stop();
});

async function farmOf(options: Partial<FarmOptions>): Promise<Farm> {
  const farm = await startFarm({ cameras: 2, mjpegShare: 0, ...options });
  opened.push(farm);
  return farm;
}

function client(): Agent {
  const agent = new Agent({ connections: 64 });
  opened.push({ stop: () => agent.destroy() });
  return agent;
}

async function get(url: string, headers: Record<string, string> = {}, dispatcher = client()) {
  const answer = await request(url, { headers, dispatcher });
  return { status: answer.statusCode, headers: answer.headers, body: Buffer.from(await answer.body.arrayBuffer()) };
}

const isWholeJpeg = (body: Buffer) => body.readUInt16BE(0) === 0xffd8 && body.readUInt16BE(body.length - 2) === 0xffd9;

test('a healthy camera answers a JPEG and the log says so', async () => {
  const farm = await farmOf({});
  const { status, headers, body } = await get(farm.urlOf('cam0001'), { 'X-Camfleet-Attempt': 's/cam0001/1' });
  expect(status).toBe(200);
  expect(headers['content-type']).toBe('image/jpeg');
  expect(isWholeJpeg(body)).toBe(true);
  await vi.waitFor(() =>
    expect(farm.requests).toMatchObject([
      {
        camera: 'cam0001',
        attempt: 's/cam0001/1',
        status: 200,
        bytes: body.length,
        complete: true,
        kind: 'frame',
        fault: null,
      },
    ]),
  );
});

test('each picture of a scene comes with the truth about it, pictures that a fault made come without', async () => {
  const farm = await farmOf({ cameras: 2, mjpegShare: 0, conditionalShare: 0 });
  const { concept } = farm.truthOf('cam0001');
  const truth = async () => (await get(farm.urlOf('cam0001'))).headers['x-scene-label'];
  expect(await truth()).toBe(concept);
  for (const fault of ['black', 'placeholder', 'frozen', 'truncated', 'html'] as FaultName[]) {
    farm.setFault('cam0001', fault);
    expect([fault, await truth()]).toEqual([fault, undefined]);
  }
  farm.setFault('cam0001', null);
  expect(await truth()).toBe(concept);
});

test('half of the cameras answer 304 to what they served last, until the scene changes', async () => {
  const clock = new SimulatedClock();
  const farm = await farmOf({ clock, conditionalShare: 1, changeEverySeconds: 10 });
  const first = await get(farm.urlOf('cam0001'));
  const etag = String(first.headers['etag']);
  expect((await get(farm.urlOf('cam0001'), { 'If-None-Match': etag })).status).toBe(304);
  const since = String(first.headers['last-modified']);
  expect((await get(farm.urlOf('cam0001'), { 'If-Modified-Since': since })).status).toBe(304);
  await clock.advance(10_000);
  const later = await get(farm.urlOf('cam0001'), { 'If-None-Match': etag });
  expect(later.status).toBe(200);
  expect(later.body.equals(first.body)).toBe(false);
  await vi.waitFor(() =>
    expect(farm.requests.map((r) => r.kind)).toEqual(['frame', 'not-modified', 'not-modified', 'frame']),
  );
  const share = (await farmOf({ cameras: 200 })).population.filter((camera) => camera.conditional).length;
  expect(share).toBeGreaterThan(70);
  expect(share).toBeLessThan(130);
});

test('pictures of a folder come byte by byte; where it has subfolders each camera shows those of one of them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'camfleet-farm-'));
  opened.push({ stop: () => Promise.resolve(rmSync(folder, { recursive: true })) });
  for (const sub of ['east', 'west', 'notes']) mkdirSync(join(folder, sub));
  for (const name of ['east/1.jpg', 'east/2.jpg', 'west/1.png', 'west/2.png', 'notes/readme.txt'])
    writeFileSync(join(folder, name), name);
  const farm = await farmOf({ cameras: 4, picturesFrom: folder, changeEverySeconds: 0 });
  const shown = async (id: string): Promise<{ pictures: string[]; type: unknown }> => {
    const answers = [await get(farm.urlOf(id)), await get(farm.urlOf(id)), await get(farm.urlOf(id))];
    const pictures = [...new Set(answers.map(({ body }) => body.toString()))].toSorted();
    return { pictures, type: answers[0]?.headers['content-type'] };
  };
  const ids = farm.population.map(({ id }) => id);
  const east = { pictures: ['east/1.jpg', 'east/2.jpg'], type: 'image/jpeg' };
  const west = { pictures: ['west/1.png', 'west/2.png'], type: 'image/png' };
  expect(await Promise.all(ids.map(shown))).toEqual([east, west, east, west]);

  const empty = join(folder, 'notes');
  await expect(startFarm({ cameras: 1, picturesFrom: empty })).rejects.toMatchObject({ code: 'FARM_PICTURES' });
});

test('every fault does to a snapshot what it says', async () => {
  const farm = await farmOf({ cameras: 1, changeEverySeconds: 0 });
  const url = farm.urlOf('cam0001');
  const faulty = async (fault: FaultName) => {
    farm.setFault('cam0001', fault);
    return get(url);
  };
  expect((await faulty('404')).status).toBe(404);
  expect((await faulty('500')).status).toBe(500);
  expect(await faulty('html')).toMatchObject({ status: 200, headers: { 'content-type': 'text/html' } });
  expect(await faulty('empty')).toMatchObject({ status: 200, body: Buffer.alloc(0) });
  const cut = await faulty('truncated');
  expect(cut.status).toBe(200);
  expect(cut.body.readUInt16BE(0)).toBe(0xffd8);
  expect(isWholeJpeg(cut.body)).toBe(false);
  expect((await faulty('frozen')).body.equals((await get(url)).body)).toBe(true);
  for (const fault of ['black', 'blank', 'placeholder'] as const)
    expect(isWholeJpeg((await faulty(fault)).body)).toBe(true);
  await expect(faulty('dropped')).rejects.toThrow();
  farm.setFault('cam0001', null);
  expect((await get(url)).body.equals((await get(url)).body)).toBe(false);
  await vi.waitFor(() => expect(farm.requests).toHaveLength(13));
  const dropped = farm.requests.find((r) => r.fault === 'dropped');
  expect(dropped).toMatchObject({ complete: false, kind: 'fault' });
});

test('a hanging camera never answers, and what was waiting for it is logged as incomplete', async () => {
  const farm = await farmOf({ faultOf: { cam0001: 'hang' } });
  const outcome = (headers: Record<string, string>, signal?: AbortSignal) =>
    request(farm.urlOf('cam0001'), { dispatcher: client(), headers, ...(signal ? { signal } : {}) }).catch((error: unknown) => error); // prettier-ignore
  const giveUp = new AbortController();
  const abandoned = outcome({ 'X-Camfleet-Attempt': 'abandoned' }, giveUp.signal);
  const patient = outcome({ 'X-Camfleet-Attempt': 'patient' });
  expect((await get(farm.urlOf('cam0002'))).status).toBe(200);
  giveUp.abort();
  expect(await abandoned).toBeInstanceOf(Error);
  await farm.stop();
  expect(await patient).toBeInstanceOf(Error);
  const hanging = farm.requests.filter((r) => r.camera === 'cam0001');
  expect(hanging).toContainEqual(
    expect.objectContaining({ attempt: 'patient', status: 0, complete: false, fault: 'hang' }),
  );
  expect(hanging.every((r) => !r.complete)).toBe(true);
});

test('an answer that the client broke off is not complete', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'farm-'));
  opened.push({ stop: () => Promise.resolve(rmSync(folder, { recursive: true })) });
  // More than the kernel buffers, so that the farm cannot have handed over all of it.
  writeFileSync(join(folder, 'large.jpg'), Buffer.alloc(32 * 1024 * 1024, 1));
  const farm = await farmOf({ picturesFrom: folder });
  const socket = connect(farm.port, farm.population[0]!.host);
  socket.write(`GET /cam/cam0001/snapshot.jpg HTTP/1.1\r\nHost: x\r\nX-Camfleet-Attempt: s/c/9\r\n\r\n`);
  socket.once('data', () => socket.destroy());
  await vi.waitFor(() => expect(farm.requests).toHaveLength(1));
  expect(farm.requests[0]).toMatchObject({ attempt: 's/c/9', complete: false, kind: 'frame' });
});

test('an MJPEG camera streams parts with serials that go on over connections', async () => {
  const farm = await farmOf({ cameras: 1, mjpegShare: 1, partsPerSecond: 50, changeEverySeconds: 0 });
  const serials: number[] = [];
  for (const wanted of [3, 6]) {
    const { body, headers } = await request(farm.urlOf('cam0001'), { dispatcher: client() });
    expect(headers['content-type']).toMatch(/^multipart\/x-mixed-replace; boundary=/);
    let text = '';
    for await (const chunk of body) {
      text += (chunk as Buffer).toString('latin1');
      const seen = [...text.matchAll(/\r\nContent-Length: \d+\r\nX-Part-Serial: (\d+)\r\n\r\n/g)].map((m) =>
        Number(m[1]),
      );
      if (serials.length + seen.length >= wanted) {
        serials.push(...seen);
        break;
      }
    }
  }
  expect(serials).toEqual([...new Set(serials)].sort((a, b) => a - b));
  await vi.waitFor(() => expect(farm.requests.map((r) => r.serial)).toEqual(expect.arrayContaining(serials)));
});

test('a fault that is no picture ends an open stream; one that is goes into its parts', async () => {
  const farm = await farmOf({ cameras: 1, mjpegShare: 1, partsPerSecond: 50 });
  const { body } = await request(farm.urlOf('cam0001'), { dispatcher: client() });
  body.on('error', () => {}).resume();
  farm.setFault('cam0001', 'black');
  await vi.waitFor(() => expect(farm.requests.at(-1)).toMatchObject({ fault: 'black', complete: true }));
  farm.setFault('cam0001', '404');
  await vi.waitFor(() => expect(body.destroyed || body.readableEnded).toBe(true));
  expect((await get(farm.urlOf('cam0001'))).status).toBe(404);
});

test('faults are switched, and the truth is told, on the main address', async () => {
  const farm = await farmOf({});
  const post = (body: unknown) =>
    request(`${farm.url}/control`, { method: 'POST', body: JSON.stringify(body), dispatcher: client() });
  expect((await post({ camera: 'cam0002', fault: 'black' })).statusCode).toBe(200);
  const truth = JSON.parse((await get(`${farm.url}/truth/cam0002`)).body.toString()) as unknown;
  expect(truth).toMatchObject({ camera: 'cam0002', concept: farm.population[1]!.concept, fault: 'black' });
  expect((await post({ camera: 'cam0002', fault: 'sleepy' })).statusCode).toBe(400);
  expect((await post({ camera: 'cam9999', fault: null })).statusCode).toBe(400);
});

test('the camera list has the columns of an import, and at most ten cameras share a host', async () => {
  const farm = await farmOf({ cameras: 60, bigHost: 20, mjpegShare: 0.3 });
  const [header, ...rows] = farm.camerasAs('csv').trimEnd().split('\n');
  expect(header).toBe(
    'source,source_camera_id,kind,scheme,host,port,snapshot_path,video_path,snapshot_url,name,latitude,longitude,country,region,city,time_zone,interval_seconds,priority,tags,width,height',
  );
  expect(rows).toHaveLength(60);
  const counts = new Map<string, number>();
  for (const { host } of farm.population) counts.set(host, (counts.get(host) ?? 0) + 1);
  expect([...counts.values()]).toEqual([10, 10, 10, 10, 20]);
  for (const camera of farm.cameras()) {
    const fetchable = [camera.snapshot_path, camera.video_path, camera.snapshot_url].filter(Boolean);
    expect(fetchable).toHaveLength(1);
  }
  expect(farm.camerasAs('jsonl').trimEnd().split('\n').map((line) => JSON.parse(line) as unknown)).toEqual(farm.cameras()); // prettier-ignore
});

test('a ring serves its frames in turn, equal bytes, or 304', async () => {
  const ring = { frames: 3, scenes: 2 };
  const changed = await farmOf({ ring: { ...ring, mode: 'changed' }, log: 'memory' });
  const bodies: string[] = [];
  for (let i = 0; i < 4; i++)
    bodies.push((await get(changed.urlOf('cam0001'), { 'X-Camfleet-Attempt': `s/c/${i}` })).body.toString('base64'));
  expect(new Set(bodies.slice(0, 3)).size).toBe(3);
  expect(bodies[3]).toBe(bodies[0]);
  expect(changed.requests.map((r) => r.attempt)).toEqual(['s/c/0', 's/c/1', 's/c/2', 's/c/3']);
  const unchanged = await farmOf({ ring: { ...ring, mode: 'unchanged' } });
  const first = await get(unchanged.urlOf('cam0002'));
  const known = { 'If-None-Match': String(first.headers['etag']) };
  expect((await get(unchanged.urlOf('cam0002'), known)).body.equals(first.body)).toBe(true);
  const notModified = await farmOf({ ring: { ...ring, mode: 'not-modified' } });
  const { status, headers } = await get(notModified.urlOf('cam0002'));
  expect(status).toBe(200);
  expect((await get(notModified.urlOf('cam0002'), { 'If-None-Match': String(headers['etag']) })).status).toBe(304);
});

test('two thousand cameras start and answer', async () => {
  const started = performance.now();
  const farm = await farmOf({ cameras: 2000, bigHost: 300, faultShares: { '404': 0.01 } });
  expect(performance.now() - started).toBeLessThan(5000);
  const agent = client();
  const some = farm.population.filter((_, i) => i % 40 === 0);
  const answers = await Promise.all(some.map((camera) => get(farm.urlOf(camera.id), {}, agent)));
  answers.forEach(({ status }, i) => expect(status).toBe(farm.truthOf(some[i]!.id).fault === '404' ? 404 : 200));
  expect(farm.population.filter((camera) => farm.truthOf(camera.id).fault === '404')).toHaveLength(20);
});

test('a log file has one JSON line per answer', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'farm-'));
  opened.push({ stop: () => Promise.resolve(rmSync(folder, { recursive: true })) });
  const file = join(folder, 'requests.jsonl');
  const farm = await farmOf({ log: { file } });
  await get(farm.urlOf('cam0001'));
  await farm.stop();
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ camera: 'cam0001', complete: true });
});

test('an option that cannot be is refused by name', async () => {
  await expect(startFarm({ cameras: 0 })).rejects.toMatchObject({ code: 'FARM_OPTION' });
  await expect(startFarm({ cameras: 1, ring: { mode: 'changed', frames: 1, scenes: 1 }, faultOf: { cam0001: 'hang' } })).rejects.toThrow(/ring.*no faults/); // prettier-ignore
  await expect(startFarm({ cameras: 1, addressBase: '10.0.0.1' })).rejects.toThrow(/addressBase.*127/);
});
