import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { CameraInput } from '../../../coordinator/registry/camera.ts';
import { loadCredentialsKey } from '../../../coordinator/registry/registry.ts';
import type { Registry } from '../../../coordinator/registry/registry.ts';
import type { CameraFilter } from '../../../coordinator/registry/search.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { registryOn } from './support.ts';

let testDatabase: TestDatabase;
let registry: Registry;
let heard: number[][];

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  registry = registryOn(testDatabase.database, { onChanged: (ids) => void heard.push([...ids]) });
});
afterAll(() => testDatabase.drop());
beforeEach(async () => {
  await testDatabase.database.query('truncate cameras cascade');
  heard = [];
});

const camera = (name: string, more: Partial<CameraInput> = {}): CameraInput => ({
  source: 'test',
  sourceCameraId: name,
  name,
  snapshotUrl: `http://${name.replaceAll(' ', '-')}.example/a.jpg`,
  ...more,
});
const at = (name: string, latitude: number, longitude: number): CameraInput => camera(name, { latitude, longitude });
const namesOf = async (filter: CameraFilter): Promise<string[]> =>
  (await registry.list(filter)).cameras.map(({ name }) => name).toSorted();

describe('adding', () => {
  test('takes each kind, and says how agents reach it', async () => {
    const { id: a } = await registry.add(camera('a'));
    const b = await registry.add({ source: 'test', host: 'http://u:p@Cam.Example:81', snapshotPath: 'now.jpg' });
    expect(b).toMatchObject({
      kind: 'ip',
      host: 'cam.example',
      port: 81,
      hasCredentials: true,
      priority: 5,
      intervalMs: 60_000,
    });
    const c = await registry.add({ source: 'test', host: 'fe80::1', scheme: 'https', videoPath: '/mjpg' });
    const d = await registry.add({ source: 'test', streamUrl: 'rtsp://cam.example/live' });
    expect(
      (await registry.assignmentsOf([a, b.id, c.id, d.id])).map(({ source, host }) => ({ ...source, host })),
    ).toEqual([
      { transport: 'snapshot', url: 'http://a.example/a.jpg', host: 'a.example' },
      {
        transport: 'snapshot',
        url: 'http://cam.example:81/now.jpg',
        credentials: { user: 'u', password: 'p' },
        host: 'cam.example',
      },
      { transport: 'mjpeg', url: 'https://[fe80::1]/mjpg', host: 'fe80::1' },
      { transport: 'rtsp', url: 'rtsp://cam.example/live', host: 'cam.example' },
    ]);
    expect((await registry.plannableCameras()).map(({ id }) => id)).toEqual([a, b.id, c.id, d.id]);
    expect(heard.flat()).toEqual([a, b.id, c.id, d.id]);
  });

  test('the same source and id twice is refused, and so is what has no address', async () => {
    await registry.add(camera('a'));
    await expect(registry.add(camera('a'))).rejects.toMatchObject({ code: 'CAMERA_EXISTS' });
    await expect(registry.add({ source: 'x' })).rejects.toMatchObject({ code: 'CAMERA_ADDRESS_INVALID' });
    await expect(registry.add(at('b', 91, 0))).rejects.toMatchObject({ code: 'CAMERA_INVALID' });
    await expect(registry.get(999_999)).rejects.toMatchObject({ code: 'CAMERA_NOT_FOUND' });
  });

  test('a folder is a camera only where the operator allows it', async () => {
    const folder = { source: 'test', snapshotUrl: 'file:///srv/pictures' };
    await expect(registry.add(folder)).rejects.toMatchObject({ code: 'CAMERA_ADDRESS_INVALID' });
    const { id, transport } = await registryOn(testDatabase.database, { allowFiles: true }).add(folder);
    expect(transport).toBe('file');
    expect(await registry.assignmentsOf([id])).toMatchObject([
      { source: { transport: 'file', url: 'file:///srv/pictures' }, host: 'file' },
    ]);
  });
});

describe('searching', () => {
  test('by words, misspelt words, place names, tag, kind and lifecycle', async () => {
    await registry.add(camera('Harbour bridge', { city: 'Sydney', country: 'Australia', tags: ['water', 'bridge'] }));
    const { id } = await registry.add(camera('Main street', { city: 'Lafayette', region: 'Indiana', country: 'US' }));
    await registry.add({ ...camera('Airport'), snapshotUrl: undefined, host: '10.0.0.1', snapshotPath: '/a' });
    expect(await namesOf({ text: 'bridge SYD' })).toEqual(['Harbour bridge']);
    expect(await namesOf({ text: 'lafayete' })).toEqual(['Main street']);
    expect(await namesOf({ text: '100%' })).toEqual([]);
    expect(await namesOf({ country: 'AU' })).toEqual(['Harbour bridge']);
    expect(await namesOf({ region: 'indiana', city: 'LAFAYETTE' })).toEqual(['Main street']);
    expect(await namesOf({ tag: 'water' })).toEqual(['Harbour bridge']);
    expect(await namesOf({ kind: 'ip' })).toEqual(['Airport']);
    await registry.remove([id]);
    expect(await namesOf({})).toEqual(['Airport', 'Harbour bridge']);
    expect(await namesOf({ lifecycle: 'retired' })).toEqual(['Main street']);
  });

  test('by the state of health, which is unknown or paused for cameras that were never looked at', async () => {
    const { id } = await registry.add(camera('frozen one'));
    const other = await registry.add(camera('new one'));
    await testDatabase.database.query(
      `insert into camera_health (camera_id, state, since, recent, turned_at, seen_at) values ($1, 'frozen', now(), 'fff', now(), now())`,
      [id],
    );
    expect(await namesOf({ state: 'frozen' })).toEqual(['frozen one']);
    expect(await namesOf({ state: 'unknown' })).toEqual(['new one']);
    expect((await registry.get(id)).state).toBe('frozen');
    await registry.pause([other.id]);
    expect(await namesOf({ state: 'paused' })).toEqual(['new one']);
  });

  test('by the agent that tried it last and by incident, and counted by state', async () => {
    const { database } = testDatabase;
    const ids: number[] = [];
    for (const name of ['one', 'two', 'three']) ids.push((await registry.add(camera(name))).id);
    const agent = randomUUID();
    await database.query(`insert into agents (id, name, public_key) values ($1::uuid, 'north', $1::text)`, [agent]);
    await database.query(
      `insert into camera_state (camera_id, verdict, since, last_attempt_at, evidence, agent_id, token)
       select id, 'black', now(), now(), '{}', $2, 1 from unnest($1::int[]) id`,
      [ids.slice(0, 2), agent],
    );
    const incident = await database.one<{ id: number }>(
      `insert into incidents (kind, key, state, verdict, opened_at) values ('host', 'h', 'black', 'black', now()) returning id`,
    );
    await database.query(
      `insert into camera_health (camera_id, state, since, recent, turned_at, seen_at) values ($1, 'black', now(), 'bbb', now(), now())`,
      [ids[0]],
    );
    await database.query(
      `insert into incident_cameras (incident_id, camera_id, joined_at, left_at) values ($1, $2, now(), null), ($1, $3, now(), now())`,
      [incident.id, ids[0], ids[1]],
    );
    expect(await namesOf({ agent: 'north' })).toEqual(['one', 'two']);
    expect(await namesOf({ agent })).toEqual(['one', 'two']);
    expect(await namesOf({ agent: 'south' })).toEqual([]);
    expect(await namesOf({ incident: incident.id })).toEqual(['one']);
    expect(await registry.countStates({ agent: 'north' })).toEqual({ black: 1, unknown: 1 });
  });

  test('by the verdict of the newest frame', async () => {
    const { id } = await registry.add(camera('dark'));
    await registry.add(camera('new'));
    await testDatabase.database.query(
      `insert into camera_state (camera_id, verdict, since, last_attempt_at, evidence, agent_id, token)
       values ($1, 'black', now(), '2026-01-02T03:04:05Z', '{}', gen_random_uuid(), 1)`,
      [id],
    );
    expect(await namesOf({ verdict: 'black' })).toEqual(['dark']);
    expect(await registry.get(id)).toMatchObject({ verdict: 'black', lastTriedAt: '2026-01-02T03:04:05.000Z' });
  });

  test('in a box, right across the date line', async () => {
    for (const input of [at('fiji', -17.7, 178), at('samoa', -13.8, -172), at('london', 51.5, 0)])
      await registry.add(input);
    expect(await namesOf({ box: { west: 170, south: -30, east: -170, north: 0 } })).toEqual(['fiji', 'samoa']);
    expect(await namesOf({ box: { west: -10, south: 50, east: 10, north: 60 } })).toEqual(['london']);
  });

  test('in a circle, right across the date line and over the poles', async () => {
    for (const input of [
      at('east', 0, 179.9),
      at('west', 0, -179.9),
      at('pole a', 89.9, 10),
      at('pole b', 89.9, -170),
    ]) {
      await registry.add(input);
    }
    await registry.add(camera('nowhere'));
    expect(await namesOf({ near: { latitude: 0, longitude: 179.95, km: 20 } })).toEqual(['east', 'west']);
    expect(await namesOf({ near: { latitude: 0, longitude: 179.95, km: 10 } })).toEqual(['east']);
    expect(await namesOf({ near: { latitude: 89.9, longitude: 10, km: 23 } })).toEqual(['pole a', 'pole b']);
    expect(await namesOf({ near: { latitude: -90, longitude: 0, km: 20_038 } })).toHaveLength(4);
  });

  test('pages follow each other without gap or repetition while cameras are added', async () => {
    for (let i = 0; i < 7; i++) await registry.add(camera(`c${i}`));
    const seen: number[] = [];
    for (let after: number | null = 0; after !== null;) {
      const page = await registry.list({}, { after, limit: 3 });
      seen.push(...page.cameras.map(({ id }) => id));
      after = page.next;
      if (seen.length === 3) await registry.add(camera('late'));
    }
    expect(seen).toHaveLength(8);
    expect(new Set(seen).size).toBe(8);
    expect(await registry.count({})).toBe(8);
  });
});

describe('changing', () => {
  test('sets for one or for a query, and tells only of what really changed', async () => {
    const { id } = await registry.add(camera('a', { tags: ['x'] }));
    await registry.add(camera('b', { country: 'US' }));
    heard = [];
    expect(
      await registry.set({ ids: [id] }, { intervalMs: 1_000, priority: 9, addTags: ['y'], removeTags: ['x'] }),
    ).toBe(1);
    expect(await registry.get(id)).toMatchObject({ intervalMs: 1_000, priority: 9, tags: ['y'] });
    expect(await registry.set({}, { priority: 9 })).toBe(1);
    expect(await registry.set({}, { priority: 9 })).toBe(0);
    expect(await registry.set({ country: 'US' }, { tags: ['b', 'a'] })).toBe(1);
    expect(heard).toHaveLength(3);
  });

  test('pausing, resuming and removing move only those that are not there yet', async () => {
    const { id } = await registry.add(camera('a'));
    expect([await registry.pause([id]), await registry.pause([id])]).toEqual([1, 0]);
    expect(await registry.plannableCameras()).toEqual([]);
    expect(await registry.resume([id])).toBe(1);
    expect(await registry.remove([id])).toBe(1);
    expect((await registry.get(id)).lifecycle).toBe('retired');
  });
});

describe('credentials', () => {
  test('need the key that sealed them', async () => {
    const { id } = await registry.add({ ...camera('a'), credentials: { user: 'u', password: 'p' } });
    const other = registryOn(testDatabase.database, { credentialsKey: randomBytes(32) });
    await expect(other.assignmentsOf([id])).rejects.toMatchObject({ code: 'CREDENTIALS_UNREADABLE' });
  });

  test('the key is made once, for its owner only', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'camfleet-keys-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const key = await loadCredentialsKey(folder);
    expect(await loadCredentialsKey(folder)).toEqual(key);
    expect((await stat(join(folder, 'credentials-key'))).mode & 0o777).toBe(0o600);
  });
});
