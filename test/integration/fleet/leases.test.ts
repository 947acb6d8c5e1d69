import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { FleetBench, valueOf } from './support.ts';

let db: TestDatabase;
let bench: FleetBench;

beforeEach(async () => {
  db = await createTestDatabase();
  bench = new FleetBench(db.database, { ttlMs: 1_500, renewMs: 300 });
  bench.setCameras(40);
  await bench.fleet.start();
});
afterEach(async () => {
  await bench.fleet.stop();
  await db.drop();
});

test('one agent gets every camera exactly once', async () => {
  const agent = await bench.join('one');
  await eventually(async () => {
    await agent.renew();
    await agent.work();
    return agent.cameraIds.length === 40;
  });
  expect(new Set(agent.cameraIds).size).toBe(40);
  const grant = [...agent.grants.values()][0];
  expect(grant?.hosts[0]).toMatchObject({ minDelayMs: expect.any(Number) as number });
  const status = await bench.fleet.status();
  expect(status.agents[0]).toMatchObject({ state: 'online', cameras: 40 });
});

test('a second agent takes its share while the first goes on until each acceptance', async () => {
  const one = await bench.join('one');
  await eventually(async () => (await one.renew(), await one.work(), one.cameraIds.length === 40));
  const two = await bench.join('two');
  await eventually(async () => {
    await one.renew();
    await two.renew();
    await two.work();
    return two.grants.size > 0 && one.grants.size + two.grants.size === 4;
  });
  expect([one.grants.size, two.grants.size]).toEqual([2, 2]);
  expect(new Set([...one.cameraIds, ...two.cameraIds]).size).toBe(40);
  const lost = bench.told.filter(({ event, to }) => event === 'lease:lost' && to === one.agentId);
  expect(lost).toHaveLength(2);
});

test("a silent agent's shards are accepted by another, and its windows end there", async () => {
  const one = await bench.join('one');
  const two = await bench.join('two');
  await eventually(async () => {
    await Promise.all([one.renew(), two.renew()]);
    await Promise.all([one.work(), two.work()]);
    return one.cameraIds.length + two.cameraIds.length === 40 && one.grants.size > 0;
  });
  const old = [...one.grants.values()];
  await eventually(async () => {
    await two.renew();
    await two.work();
    return two.cameraIds.length === 40;
  });
  const answer = await one.renew();
  expect(answer.grants.map(({ state }) => state)).toEqual(old.map(() => 'taken'));
  const { windows } = await db.database.transaction((tx) =>
    bench.fleet.window.lockWindows(
      tx,
      [...old, ...two.grants.values()].map(({ token }) => token),
    ),
  );
  for (const { token, shardId } of old) {
    const successor = two.grants.get(shardId);
    expect(windows.get(token)?.until).toBeLessThanOrEqual(windows.get(successor?.token ?? 0)?.from ?? 0);
  }
});

test('an acceptance that is repeated gives the same grant, an offer serves one session only', async () => {
  const one = await bench.join('one');
  const two = await bench.join('two');
  const offer = await eventually(async () => (await one.request())[0]);
  const first = valueOf(await one.accept(offer));
  const second = valueOf(await one.accept(offer));
  expect(second.token).toBe(first.token);
  const stolen = await two.accept(offer);
  expect(stolen.ok).toBe(false);
});

test('a new session supersedes the old one, whose key and grants end', async () => {
  const one = await bench.join('one');
  await eventually(async () => (await one.work(), one.grants.size > 0));
  const old = { session: one.session, key: one.sessionKey, grants: [...one.grants.values()] };
  expect(await bench.fleet.sessions.authenticate(old.key)).toEqual(old.session);
  one.sessionId = crypto.randomUUID();
  await one.begin();
  expect(await bench.fleet.sessions.authenticate(old.key)).toBeUndefined();
  const answer = await bench.fleet.handlers['lease:renew'](old.session, {
    grants: old.grants.map(({ shardId, token, revision }) => ({ shardId, token, revision })),
    ...{ capacity: 1, rate: 0, late: 0, modelVersion: null, outboxBatches: 0, draining: false },
  });
  expect(valueOf(answer).grants.every(({ state }) => state === 'superseded')).toBe(true);
  one.grants.clear();
  await eventually(async () => (await one.work(), one.grants.size === old.grants.length || undefined));
});

test('a released shard goes to somebody else', async () => {
  const one = await bench.join('one');
  await eventually(async () => (await one.work(), one.cameraIds.length === 40));
  const two = await bench.join('two');
  const shards = [...one.grants.values()].map(({ shardId, token }) => ({ shardId, token }));
  valueOf(await one.handlers['work:release'](one.session, { shards, reason: 'disk full' }));
  one.grants.clear();
  await eventually(async () => (await one.renew(), await two.renew(), await two.work(), two.cameraIds.length === 40));
});

test('a draining agent keeps each shard until its successor has accepted', async () => {
  const one = await bench.join('one');
  await eventually(async () => (await one.work(), one.cameraIds.length === 40));
  expect(valueOf(await one.handlers['agent:drain'](one.session, {}))).toEqual({ successors: false });
  const two = await bench.join('two');
  expect(valueOf(await one.handlers['agent:drain'](one.session, {}))).toEqual({ successors: true });
  one.draining = true;
  await eventually(async () => {
    await one.renew();
    expect(new Set([...one.cameraIds, ...two.cameraIds]).size).toBe(40);
    await two.renew();
    await two.work();
    return two.cameraIds.length === 40;
  });
  await one.renew();
  expect(one.grants.size).toBe(0);
});

test('a grant that its session does not name for a TTL ends and is offered again', async () => {
  const one = await bench.join('one');
  await eventually(async () => (await one.work(), one.cameraIds.length === 40));
  one.grants.clear();
  await eventually(async () => (await one.renew(), await one.work(), one.cameraIds.length === 40));
});

test('tokens of a restored database start above all that an agent knows', async () => {
  const one = await bench.join('one');
  one.sessionId = crypto.randomUUID();
  one.highestToken = 5_000;
  await one.begin();
  await eventually(async () => (await one.work(), one.grants.size > 0));
  for (const { token } of one.grants.values()) expect(token).toBeGreaterThan(5_000);
});

test('after an outage longer than the TTL every holder carries on with its own token', async () => {
  const one = await bench.join('one');
  await eventually(async () => (await one.renew(), await one.work(), one.cameraIds.length === 40));
  const two = await bench.join('two');
  const tokens = [...one.grants.values()].map(({ token }) => token);
  await bench.fleet.stop();
  await db.database.query(
    `update agent_sessions set last_renewed_at = clock_timestamp() - interval '1 hour' where agent_id = $1`,
    [one.agentId],
  );
  await db.database.query(`update fleet_settings set alive_at = clock_timestamp() - interval '1 hour'`);
  // Before the coordinator is back nothing can be taken, whatever was planned.
  await two.work();
  const taken = new Set([...two.grants.values()].map(({ shardId }) => shardId));
  const fleet = new FleetBench(db.database, { ttlMs: 1_500 });
  fleet.setCameras(40);
  await fleet.fleet.start();
  try {
    const answer = await one.renew();
    const held = answer.grants.filter(({ state }) => state === 'held').map(({ token }) => token);
    expect(held).toHaveLength(tokens.length - taken.size);
    expect(held.every((token) => tokens.includes(token))).toBe(true);
    expect(taken.size).toBeLessThanOrEqual(2);
  } finally {
    await fleet.fleet.stop();
  }
});
