import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { statusOf } from '../results/harness.ts';
import { FleetBench } from './support.ts';

let db: TestDatabase;
let bench: FleetBench;

beforeEach(async () => {
  db = await createTestDatabase();
  // The planner is told of cameras by the bench, status counts rows: here they are the same forty.
  await db.database.query(
    `insert into cameras (source, source_camera_id, kind, host, snapshot_url, name, interval_ms, priority, lifecycle)
     select 'test', n, 'non_ip', 'host-' || n, 'http://host-' || n || '/a.jpg', n, 1000, 5,
       case when n <= 40 then 'active' when n = 41 then 'paused' else 'retired' end from generate_series(1, 42) as n`,
  );
  bench = new FleetBench(db.database);
  bench.setCameras(40);
  await bench.fleet.start();
});
afterEach(async () => {
  await bench.fleet.stop();
  await db.drop();
});

test('status says how many cameras are slower than asked and what to add, until it was added', async () => {
  const status = () => statusOf(db.database, { fleet: () => bench.fleet.status() }).recent();
  const one = await bench.join('one');
  const work = async () => {
    await one.renew({ capacity: 20, rate: 19.5, late: 3, refusedBatches: 2, picturesDropped: 7 });
    await one.work();
  };
  await eventually(async () => (await work(), one.cameraIds.length === 40 && (await status()).advice !== null));
  const short = await status();
  expect(short.advice).toMatch(/^Capacity is short by 20\.0 attempts a second: add 1 agent like the present ones/);
  expect(short.stretch.factor).toBeGreaterThan(1.9);
  expect(short.cameras).toEqual({
    ...{ total: 41, byLifecycle: { active: 40, paused: 1, retired: 1 } },
    ...{ capturable: 40, attempted: 0, byVerdict: {}, slower: 40 },
  });
  expect(short.load).toEqual({ asked: 40, capacity: 20, rate: 19.5 });
  expect(short.shards.held).toBe(short.shards.total);
  expect(short.agents).toMatchObject([{ name: 'one', state: 'online', capacity: 20, cameras: 40, late: 3 }]);
  expect(short.agents, 'what intake refused shows').toMatchObject([{ refusedBatches: 2, picturesDropped: 7 }]);

  await bench.join('two');
  await bench.fleet.requestPlan();
  await eventually(async () => (await work(), (await status()).advice === null));
  expect(await status()).toMatchObject({ stretch: { factor: 1 }, cameras: { slower: 0 }, load: { capacity: 120 } });
});
