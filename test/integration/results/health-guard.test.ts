import { expect, test } from 'vitest';
import type { Verdict } from '../../../common/domain/verdict.ts';
import { readSummary, readTimeline } from '../../../coordinator/results/health/queries.ts';
import { addMembership, createHolder } from './harness.ts';
import { fleetThatAnswers, HealthBench } from './health-bench.ts';

const bench = HealthBench.use();

const hosts = Array.from({ length: 10 }, (_, i) => `h${i}.example`);

async function confirmed(verdict: Verdict) {
  const [suspect, other] = [await bench.addAgent('first'), await bench.addAgent('second')];
  const cameras = await bench.addCameras(hosts);
  const { shardId } = await createHolder(bench.database, { cameras: [], from: 0 });
  for (const camera of cameras.slice(0, 3)) await addMembership(bench.database, { camera, shardId, from: 0 });
  const fleet = fleetThatAnswers({ shardId, agentId: other });
  const pass = bench.passOf(fleet);
  await bench.shows(pass, cameras, ['good', 'timeout', 'timeout', 'timeout'], suspect);
  expect(new Set(await bench.statesOf(cameras))).toEqual(new Set(['unknown']));
  expect(fleet.asked).toEqual([suspect]);
  expect(await bench.openIncidents()).toMatchObject([{ kind: 'agent', name: 'first', cameras: 10 }]);
  expect((await readTimeline(bench.database, cameras[5] as number, { limit: 1 })).reason).toContain('first');
  // The other agent has looked after the suspicion began.
  bench.clock = Math.max(bench.clock, await bench.database.clockNow());
  await bench.shows(pass, cameras.slice(0, 3), [verdict], other);
  await bench.shows(pass, cameras.slice(3), ['timeout', 'timeout'], suspect);
  return { pass, cameras, suspect, fleet };
}

test('no camera is marked down before another agent has found it down, too', async () => {
  const { cameras, fleet, suspect } = await confirmed('timeout');
  expect(new Set(await bench.statesOf(cameras))).toEqual(new Set(['offline']));
  expect((await bench.openIncidents()).map(({ kind }) => kind)).not.toContain('agent');
  expect(fleet.trusted).toContain(suspect);
});

test('where another agent reaches them the agent is to blame, until its cameras answer again', async () => {
  const { pass, cameras, suspect, fleet } = await confirmed('good');
  expect(new Set(await bench.statesOf(cameras.slice(3)))).toEqual(new Set(['unknown']));
  const summary = await readSummary(bench.database);
  expect(summary.suspects).toMatchObject([{ id: suspect, name: 'first', failing: 10, tried: 10 }]);
  expect(summary.suspects[0]?.reason).toContain('agent second reaches them');
  expect((await bench.openIncidents())[0]?.doing).toMatch(/not marked down/);
  expect((await bench.openIncidents())[0]?.reason).toBe(
    'Agent first gets no answer from most of its cameras at once, but agent second reaches them: look after the network of first, or drain it. 7 cameras wait for it.',
  );
  await bench.shows(pass, cameras.slice(3), ['good', 'good', 'good'], suspect);
  expect(new Set(await bench.statesOf(cameras.slice(3)))).toEqual(new Set(['online']));
  await pass.run();
  expect(fleet.trusted).toEqual([suspect]);
  expect(await bench.openIncidents()).toEqual([]);
});

test('hosts that refuse prove that the network is well, and so does one host alone', async () => {
  const agent = await bench.addAgent();
  const pass = bench.passOf();
  const refusing = await bench.addCameras(hosts);
  await bench.shows(pass, refusing, ['good', 'http_error', 'http_error', 'http_error'], agent);
  expect(new Set(await bench.statesOf(refusing))).toEqual(new Set(['offline']));
  const silent = await bench.addCameras(Array<string>(8).fill('one.example'));
  const second = await bench.addAgent('b');
  await bench.shows(pass, silent, ['good', 'timeout', 'timeout', 'timeout'], second);
  expect(new Set(await bench.statesOf(silent))).toEqual(new Set(['offline']));
});
