import { afterEach, beforeEach, expect, test } from 'vitest';
import { groupHosts } from '../../../coordinator/fleet/hosts/grouping.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { FleetBench, valueOf } from './support.ts';
import type { TestAgent } from './support.ts';

let db: TestDatabase;
let bench: FleetBench;
let agent: TestAgent;
let other: TestAgent;

beforeEach(async () => {
  db = await createTestDatabase();
  bench = new FleetBench(db.database, { hosts: { concurrency: 4, minDelayMs: 50 } });
  // Ten hosts of five cameras.
  bench.setCameras(50);
  await bench.fleet.start();
  agent = await bench.join('one');
  other = await bench.join('two');
  await bothAtWork();
});
afterEach(async () => {
  await bench.fleet.stop();
  await db.drop();
});

async function bothAtWork(): Promise<void> {
  await eventually(async () => {
    for (const one of [agent, other]) {
      await one.renew();
      await one.work();
    }
    return (
      agent.cameraIds.length > 0 && other.cameraIds.length > 0 && agent.cameraIds.length + other.cameraIds.length === 50
    );
  });
}

const now = async () =>
  (await db.database.one<{ now: number }>('select extract(epoch from clock_timestamp()) * 1000 as now')).now;
const hostOf = (one: TestAgent) => [...one.grants.values()].flatMap(({ hosts }) => hosts)[0]!.host;
const budgetOf = async (one: TestAgent, host: string) => {
  for (const { shardId, token } of one.grants.values()) {
    const delta = valueOf(await one.handlers['shard:sync'](one.session, { shardId, token, revision: 0 }));
    const found = delta.hosts.find((budget) => budget.host === host);
    if (found) return found;
  }
  return undefined;
};
const news = (rests: { host: string; kind: 'asked' | 'failing'; until: number }[]) => ({
  hosts: { rests, addresses: [] },
});

test('that a host asked for rest survives its cameras’ move to another agent', async () => {
  const host = hostOf(agent);
  const until = (await now()) + 600_000;
  await agent.renew(news([{ host, kind: 'asked', until }]));
  expect((await budgetOf(agent, host))?.rest).toEqual({ kind: 'asked', until: expect.closeTo(until, 0) as number });

  await bench.fleet.agents.revoke(agent.agentId);
  await eventually(async () => (await other.renew(), await other.work(), other.cameraIds.length === 50));
  const rest = [...other.grants.values()].flatMap(({ hosts }) => hosts).find((budget) => budget.host === host)?.rest;
  expect(rest).toEqual({ kind: 'asked', until: expect.closeTo(until, 0) as number });
});

test('an hour is the most, a found failure yields to what the host said, and an agent speaks for its own hosts only', async () => {
  const host = hostOf(agent);
  const begun = await now();
  await agent.renew(news([{ host, kind: 'asked', until: begun + 1e9 }]));
  await agent.renew(news([{ host, kind: 'failing', until: begun + 1_000 }]));
  const rest = (await budgetOf(agent, host))!.rest!;
  expect(rest.kind).toBe('asked');
  expect(rest.until - begun).toBeGreaterThan(3_590_000);
  expect(rest.until - begun).toBeLessThan(3_660_000);
  const foreign = hostOf(other);
  await agent.renew(news([{ host: foreign, kind: 'asked', until: begun + 600_000 }]));
  expect((await budgetOf(other, foreign))?.rest).toBeUndefined();
});

test('a host that failed for one agent is tried by another after a minute, and by itself when it is time', async () => {
  const host = hostOf(agent);
  const begun = await now();
  await agent.renew(news([{ host, kind: 'failing', until: begun + 1_800_000 }]));
  expect((await budgetOf(agent, host))!.rest!.until - begun).toBeGreaterThan(1_790_000);
  await bench.fleet.agents.revoke(agent.agentId);
  await eventually(async () => (await other.renew(), await other.work(), other.cameraIds.length === 50));
  const rest = [...other.grants.values()].flatMap(({ hosts }) => hosts).find((budget) => budget.host === host)!.rest!;
  expect(rest.kind).toBe('failing');
  expect(rest.until - begun).toBeLessThan(75_000);
  // It answers again.
  await other.renew(news([{ host, kind: 'failing', until: await now() }]));
  expect((await budgetOf(other, host))?.rest).toBeUndefined();
});

test('two agents with cameras of one host hear of its rest at their next renewals, and their parts add up to its budget', async () => {
  // One host that is too large for a shard.
  bench.setCameras(400, { host: 'large', intervalMs: 60_000 });
  for (let id = 1; id <= 50; id++) bench.cameras.delete(id);
  await bench.fleet.camerasChanged(Array.from({ length: 400 }, (_, index) => index + 1));
  await bench.fleet.requestPlan();
  await eventually(
    async () => {
      for (const one of [agent, other]) {
        await one.work();
        for (const grant of one.grants.values()) {
          const version = { shardId: grant.shardId, token: grant.token, revision: grant.revision };
          const delta = await one.handlers['shard:sync'](one.session, version);
          if (!delta.ok) continue;
          grant.revision = delta.value.revision;
          grant.hosts = delta.value.hosts;
          await one.handlers['shard:acknowledge'](one.session, { ...version, revision: grant.revision });
        }
        await one.renew();
      }
      const { settled } = await db.database.one<{ settled: boolean }>(
        `select count(*) = 350 and not exists (select from moves) as settled from memberships where until_at is null`,
      );
      return settled;
    },
    { withinMs: 20_000 },
  );
  const parts = [...agent.grants.values(), ...other.grants.values()];
  const budgets = await Promise.all(
    [agent, other].map(async (one) =>
      Promise.all(
        [...one.grants.values()].map(
          async ({ shardId, token }) =>
            valueOf(await one.handlers['shard:sync'](one.session, { shardId, token, revision: 0 })).hosts,
        ),
      ),
    ),
  );
  const large = budgets.flat(2).filter(({ host }) => host === 'large');
  expect(large.length).toBeGreaterThan(1);
  expect(parts.length).toBeGreaterThanOrEqual(large.length);
  expect(large.reduce((sum, { concurrency }) => sum + concurrency, 0)).toBeLessThanOrEqual(4);
  expect(large.reduce((sum, { minDelayMs }) => sum + 1 / minDelayMs, 0)).toBeLessThanOrEqual(1 / 50 + 1e-9);

  const holders = [agent, other].filter((one, index) => budgets[index]!.flat().some(({ host }) => host === 'large'));
  const until = (await now()) + 300_000;
  await holders[0]!.renew(news([{ host: 'large', kind: 'asked', until }]));
  if (holders[1]) {
    const { rests } = await holders[1].renew();
    expect(rests).toEqual([{ host: 'large', kind: 'asked', until: expect.closeTo(until, 0) as number }]);
    expect((await holders[0]!.renew()).rests).toBeUndefined();
  }
});

test('names that share an address become one host for planner, budgets and assignments, and part again', async () => {
  const addresses = (list: Record<string, string[]>) => ({
    hosts: { rests: [], addresses: Object.entries(list).map(([host, known]) => ({ host, addresses: known })) },
  });
  await agent.renew(
    addresses({ 'host-3': ['192.0.2.1', '192.0.2.2'], 'host-7': ['192.0.2.2'], unknown: ['192.0.2.2'] }),
  );
  await other.renew(addresses({ 'host-5': ['192.0.2.9'], 'host-9': ['2001:db8::1', 'no address'] }));
  const leaders = () => db.database.many('select host, leader from hosts where leader <> host order by host');
  expect(await leaders()).toEqual([{ host: 'host-7', leader: 'host-3' }]);
  const counted = await db.database.one<{ cameras: number }>(
    `select count(*)::int as cameras from memberships where until_at is null and host = 'host-3'`,
  );
  expect(counted.cameras).toBe(10);
  const deltas = await Promise.all(
    [agent, other].flatMap((one) =>
      [...one.grants.values()].map(async ({ shardId, token }) =>
        valueOf(await one.handlers['shard:sync'](one.session, { shardId, token, revision: 0 })),
      ),
    ),
  );
  const renamed = deltas.flatMap(({ upsert }) => upsert).filter(({ host }) => host === 'host-3');
  expect(renamed.map(({ cameraId }) => cameraId).filter((id) => id > 30)).toEqual([31, 32, 33, 34, 35]);
  const parts = deltas.flatMap(({ hosts }) => hosts).filter(({ host }) => host === 'host-3');
  expect(parts.reduce((sum, { concurrency }) => sum + concurrency, 0)).toBeLessThanOrEqual(4);
  expect(parts.reduce((sum, { minDelayMs }) => sum + 1 / minDelayMs, 0)).toBeLessThanOrEqual(1 / 50 + 1e-9);
  expect(deltas.flatMap(({ hosts }) => hosts).filter(({ host }) => host === 'host-7')).toEqual([]);
  // A day later the name is somewhere else.
  await db.database.query(`update host_addresses set seen_at = seen_at - interval '2 days'`);
  await agent.renew(addresses({ 'host-7': ['192.0.2.77'] }));
  expect(await leaders()).toEqual([]);
});

test('groups are the connected parts, led by the first name, whatever the order', () => {
  const rows = [
    { host: 'c', address: '3' },
    { host: 'b', address: '2' },
    { host: 'b', address: '3' },
    { host: 'a', address: '1' },
    { host: 'd', address: '4' },
    { host: 'a', address: '2' },
    { host: '4', address: '4' },
  ];
  for (const order of [rows, rows.toReversed(), rows.toSorted((x, y) => (x.address < y.address ? -1 : 1))])
    expect(Object.fromEntries(groupHosts(order))).toEqual({ a: 'a', b: 'a', c: 'a', d: '4', '4': '4' });
});
