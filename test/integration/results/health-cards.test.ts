import { expect, test } from 'vitest';
import { Placeholders } from '../../../coordinator/results/health/placeholders.ts';
import { HealthBench } from './health-bench.ts';

const bench = HealthBench.use();

const card = 'ab'.repeat(24);
const showCard = (cameras: readonly number[], hash = card) =>
  bench.database.query('update camera_state set evidence = $2 where camera_id = any($1::bigint[])', [
    cameras,
    JSON.stringify({ picture: hash }),
  ]);
const later = () => bench.database.query(`update placeholders set first_seen_at = first_seen_at - interval '1 minute'`);

test('the same still picture on three cameras of a host becomes one, when it is seen again later', async () => {
  const agent = await bench.addAgent();
  const placeholders = new Placeholders(bench.database);
  const cameras = await bench.addCameras(['one.example', 'one.example', 'one.example', 'two.example']);
  await bench.tried(cameras, 'good', agent);
  await showCard(cameras.slice(1));
  expect(await placeholders.learn()).toBe(0);
  await later();
  // Two of a host and one of another are not enough.
  expect(await placeholders.list()).toEqual([]);
  await showCard(cameras);
  expect(await placeholders.learn()).toBe(0);
  const { revision } = await placeholders.current();
  expect(await placeholders.list()).toMatchObject([{ hash: card, host: 'one.example', cameras: 3, learnedAt: null }]);
  await later();
  expect(await placeholders.learn()).toBe(1);
  expect(await placeholders.current()).toEqual({ revision: revision + 1, hashes: [card] });
  expect(await placeholders.learn()).toBe(0);
});

test('one camera that is registered three times is no card, nor is what was dismissed', async () => {
  const agent = await bench.addAgent();
  const placeholders = new Placeholders(bench.database);
  const cameras = await bench.addCameras(Array<string>(3).fill('one.example'));
  await bench.database.query('update cameras set latitude = 50.00001, longitude = 8');
  await bench.tried(cameras, 'good', agent);
  await showCard(cameras);
  await placeholders.learn();
  expect(await placeholders.list()).toEqual([]);
  await bench.database.query('update cameras set latitude = id, longitude = 8');
  await placeholders.learn();
  await later();
  expect(await placeholders.learn()).toBe(1);
  await placeholders.dismiss(card);
  await placeholders.learn();
  expect((await placeholders.current()).hashes).toEqual([]);
  await expect(placeholders.dismiss('cd'.repeat(24))).rejects.toMatchObject({ code: 'PLACEHOLDER_NOT_FOUND' });
});

test('cards that differ in a few bits are one, and are not learned again once it was dismissed', async () => {
  const agent = await bench.addAgent();
  const placeholders = new Placeholders(bench.database);
  const cameras = await bench.addCameras(Array<string>(5).fill('one.example'));
  await bench.tried(cameras, 'good', agent);
  const alike = [card, card, `${card.slice(0, -1)}a`, `${card.slice(0, -1)}9`, `aa${card.slice(2)}`];
  for (const [index, camera] of cameras.entries()) await showCard([camera], alike[index]);
  expect(await placeholders.learn()).toBe(0);
  expect(await placeholders.list()).toMatchObject([{ hash: card, cameras: 5 }]);
  await later();
  expect(await placeholders.learn()).toBe(1);
  expect((await placeholders.current()).hashes).toEqual([card]);
  await placeholders.dismiss(card);
  await showCard(cameras, alike[4]);
  await placeholders.learn();
  expect((await placeholders.list()).map(({ hash }) => hash)).toEqual([card]);
});
