import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PlannableCamera } from '../../../coordinator/fleet/types.ts';
import { membershipKey } from '../../../coordinator/fleet/window.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { FleetBench, valueOf } from './support.ts';
import type { TestAgent } from './support.ts';

let db: TestDatabase;
let bench: FleetBench;
let agent: TestAgent;

beforeEach(async () => {
  db = await createTestDatabase();
  bench = new FleetBench(db.database);
  bench.setCameras(20);
  await bench.fleet.start();
  agent = await bench.join('one');
  await eventually(async () => (await agent.work(), agent.cameraIds.length === 20));
});
afterEach(async () => {
  await bench.fleet.stop();
  await db.drop();
});

const grantOf = (cameraId: number) => {
  const grant = [...agent.grants.values()].find(({ cameras }) => cameras.some((one) => one.cameraId === cameraId));
  if (!grant) throw new Error(`nobody holds camera ${cameraId}`);
  return grant;
};

const sync = async ({ shardId, token, revision }: { shardId: number; token: number; revision: number }) =>
  valueOf(await agent.handlers['shard:sync'](agent.session, { shardId, token, revision }));

const membershipIn = async (cameraId: number, shardId: number) => {
  const spans = await db.database.transaction((tx) => bench.fleet.window.membershipsOf(tx, [{ cameraId, shardId }]));
  return spans.get(membershipKey(cameraId, shardId)) ?? [];
};

const camera = (id: number, change: Partial<PlannableCamera> = {}): void => {
  bench.cameras.set(id, { id, host: 'host-1', place: null, intervalMs: 1_000, priority: 5, ...change });
};

/** What its holder knows of the camera's shard once it was told and has asked, which takes at most two seconds from the change on. */
async function deltaInTime(grant: { shardId: number; token: number; revision: number }, change: () => Promise<void>) {
  const began = performance.now();
  const told = bench.told.length;
  await change();
  await eventually(() =>
    bench.told.slice(told).some(({ to, event, payload }) => {
      const { shardId } = payload as { shardId?: number };
      return to === agent.agentId && event === 'shard:changed' && shardId === grant.shardId;
    }),
  );
  const delta = await sync(grant);
  expect(performance.now() - began).toBeLessThan(2_000);
  return delta;
}

test('a changed camera reaches its holder within two seconds as one delta that leaves the others alone', async () => {
  const grant = grantOf(3);
  camera(3, { intervalMs: 7_000 });
  const delta = await deltaInTime(grant, () => bench.fleet.camerasChanged([3]));
  expect(bench.told).toContainEqual({
    to: agent.agentId,
    event: 'shard:changed',
    payload: { shardId: grant.shardId, revision: grant.revision + 1 },
  });
  expect(delta.upsert.map(({ cameraId, intervalMs }) => ({ cameraId, intervalMs }))).toEqual([
    { cameraId: 3, intervalMs: 7_000 },
  ]);
  expect(delta.remove).toEqual([]);
});

test('a paused camera leaves its shard at once, and its holder knows within two seconds', async () => {
  const grant = grantOf(3);
  bench.cameras.delete(3);
  const delta = await deltaInTime(grant, () => bench.fleet.camerasChanged([3]));
  expect((await membershipIn(3, grant.shardId)).every(({ until }) => until !== null)).toBe(true);
  expect(delta).toMatchObject({ upsert: [], remove: [3] });
});

test('a new camera is announced within two seconds and belongs to the shard from its acknowledgement on', async () => {
  camera(21);
  const began = performance.now();
  await bench.fleet.camerasChanged([21]);
  const hint = await eventually(
    () => bench.told.find(({ event }) => event === 'shard:changed')?.payload as { shardId: number; revision: number },
  );
  expect(performance.now() - began).toBeLessThan(2_000);
  const grant = agent.grants.get(hint.shardId);
  if (!grant) throw new Error('the hint names a shard that nobody holds');
  const delta = await sync(grant);
  expect(delta.upsert.map(({ cameraId }) => cameraId)).toEqual([21]);
  expect(delta.hosts.map(({ host }) => host)).toContain('host-1');
  expect(await membershipIn(21, hint.shardId)).toEqual([]);
  const version = { shardId: hint.shardId, token: grant.token, revision: delta.revision };
  valueOf(await agent.handlers['shard:acknowledge'](agent.session, version));
  valueOf(await agent.handlers['shard:acknowledge'](agent.session, version));
  expect(await membershipIn(21, hint.shardId)).toEqual([{ from: expect.any(Number) as number, until: null }]);
});

test('a lost acknowledgement is made good by the next renewal', async () => {
  camera(21);
  await bench.fleet.camerasChanged([21]);
  const hint = await eventually(
    () => bench.told.find(({ event }) => event === 'shard:changed')?.payload as { shardId: number; revision: number },
  );
  const grant = agent.grants.get(hint.shardId);
  if (!grant) throw new Error('the hint names a shard that nobody holds');
  grant.revision = (await sync(grant)).revision;
  await agent.renew();
  expect(await membershipIn(21, hint.shardId)).toHaveLength(1);
});

test('a camera moves between held shards at one instant, when the receiver acknowledges', async () => {
  const from = grantOf(3);
  const to = [...agent.grants.values()].find(({ shardId }) => shardId !== from.shardId);
  if (!to) throw new Error('one shard only');
  const revision = to.revision + 1;
  await db.database.query('update shards set revision = $2 where id = $1', [to.shardId, revision]);
  const move = [3, to.shardId, revision];
  await db.database.query(
    `insert into moves (camera_id, to_shard, host, revision) values ($1, $2, 'host-1', $3)`,
    move,
  );
  await db.database.query('insert into shard_changes (shard_id, camera_id, revision) values ($2, $1, $3)', move);
  expect((await sync(to)).upsert.map(({ cameraId }) => cameraId)).toEqual([3]);
  valueOf(await agent.handlers['shard:acknowledge'](agent.session, { ...to, revision }));
  const [before] = await membershipIn(3, from.shardId);
  const [after] = await membershipIn(3, to.shardId);
  expect(after?.until).toBeNull();
  expect(before?.until).toBe(after?.from);
  expect((await sync(from)).remove).toEqual([3]);
});

test('who ends a window waits for a batch that is being counted, and ends it after the arrival', async () => {
  const [grant] = [...agent.grants.values()];
  if (!grant) throw new Error('nothing held');
  let release: Promise<unknown> = Promise.resolve();
  const arrivedAt = await db.database.transaction(async (tx) => {
    const locked = await bench.fleet.window.lockWindows(tx, [grant.token]);
    expect(locked.windows.get(grant.token)).toMatchObject({ ...agent.session, shardId: grant.shardId, until: null });
    release = agent.handlers['work:release'](agent.session, { shards: [grant], reason: 'test' });
    await eventually(async () => {
      const { waiting } = await db.database.one<{ waiting: number }>(
        `select count(*)::int as waiting from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return waiting > 0;
    });
    return locked.arrivedAt;
  });
  await release;
  const { windows } = await db.database.transaction((tx) => bench.fleet.window.lockWindows(tx, [grant.token]));
  expect(windows.get(grant.token)?.until).toBeGreaterThan(arrivedAt);
});

test('many agents that accept, release and fall silent at once never share a moment of a shard', async () => {
  const others = await Promise.all(['two', 'three', 'four'].map((name) => bench.join(name)));
  const all = [agent, ...others];
  for (let round = 0; round < 6; round++) {
    await bench.fleet.requestPlan();
    await Promise.all(
      all.map(async (one, index) => {
        await one.renew();
        await Promise.all((await one.request()).map((offer) => one.accept(offer)));
        if (round % 4 === index) {
          const shards = [...one.grants.values()].map(({ shardId, token }) => ({ shardId, token }));
          await one.handlers['work:release'](one.session, { shards, reason: 'test' });
        }
      }),
    );
  }
  const { overlaps } = await db.database.one<{ overlaps: number }>(
    `select count(*)::int as overlaps from grants a join grants b on a.shard_id = b.shard_id and a.token < b.token
     where tstzrange(a.from_at, a.until_at) && tstzrange(b.from_at, b.until_at)`,
  );
  expect(overlaps).toBe(0);
});
