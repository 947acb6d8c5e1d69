import { expect, test } from 'vitest';
import type { Verdict } from '../../../common/domain/verdict.ts';
import { readTimeline } from '../../../coordinator/results/health/queries.ts';
import { readSummary } from '../../../coordinator/results/health/report.ts';
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
    'Agent first gets no picture from most of its cameras at once, but agent second reaches them: look after the network of first, or drain it. 7 cameras wait for it.',
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

test('a camera that is asked often is not marked down by an agent whose others were not tried yet', async () => {
  const agent = await bench.addAgent('first');
  const fleet = fleetThatAnswers();
  const pass = bench.passOf(fleet);
  const [quick = 0, ...slow] = await bench.addCameras([...hosts, ...hosts.map((host) => `other-${host}`)]);
  await bench.shows(pass, [quick, ...slow], ['good'], agent);
  await bench.shows(pass, [quick], ['timeout', 'timeout', 'timeout'], agent);
  await bench.shows(pass, slow.slice(0, 3), ['timeout'], agent);
  expect(new Set(await bench.statesOf([quick, ...slow]))).toEqual(new Set(['online']));
  expect(await bench.openIncidents()).toEqual([]);
  // A quarter was tried, and all of it fails.
  await bench.shows(pass, slow.slice(3, 5), ['timeout'], agent);
  expect(fleet.asked).toEqual([agent]);
  expect(await bench.statesOf([quick])).toEqual(['unknown']);
  expect((await bench.openIncidents()).map(({ kind }) => kind)).toEqual(['agent']);
});

test('it is marked down as soon as some of the others have answered', async () => {
  const agent = await bench.addAgent('first');
  const pass = bench.passOf();
  const [quick = 0, ...slow] = await bench.addCameras(hosts);
  await bench.shows(pass, [quick, ...slow], ['good'], agent);
  await bench.shows(pass, [quick], ['timeout', 'timeout', 'timeout'], agent);
  expect(await bench.statesOf([quick])).toEqual(['online']);
  await bench.shows(pass, slow.slice(0, 3), ['good'], agent);
  expect(await bench.statesOf([quick])).toEqual(['offline']);
  expect((await bench.openIncidents()).map(({ kind, key }) => [kind, key])).toEqual([['host', 'h0.example']]);
});

test.each<Verdict>(['not_an_image', 'blocked'])(
  'a gate in front of the agent (%s) makes no camera ill',
  async (verdict) => {
    const agent = await bench.addAgent('first');
    const fleet = fleetThatAnswers();
    const pass = bench.passOf(fleet);
    const cameras = await bench.addCameras(hosts);
    await bench.shows(pass, cameras, ['good', verdict, verdict, verdict], agent);
    expect(new Set(await bench.statesOf(cameras))).toEqual(new Set(['unknown']));
    expect(fleet.asked).toEqual([agent]);
    expect(await bench.openIncidents()).toMatchObject([{ kind: 'agent', cameras: 10 }]);
    await bench.shows(pass, cameras, ['good'], agent);
    await pass.run();
    expect(new Set(await bench.statesOf(cameras))).toEqual(new Set(['online']));
    expect(fleet.trusted).toEqual([agent]);
  },
);

test('pages of one host, and cameras that sent nothing else before, accuse no agent', async () => {
  const agent = await bench.addAgent('first');
  const fleet = fleetThatAnswers();
  const pass = bench.passOf(fleet);
  const cameras = await bench.addCameras([...Array<string>(8).fill('one.example'), 'two.example', 'three.example']);
  await bench.shows(pass, cameras, ['good'], agent);
  const pages: Verdict[] = ['not_an_image', 'not_an_image', 'not_an_image'];
  await bench.shows(pass, cameras.slice(0, 8), pages, agent);
  expect(new Set(await bench.statesOf(cameras.slice(0, 8)))).toEqual(new Set(['degraded']));
  await bench.shows(pass, cameras, ['not_an_image', ...pages], agent);
  expect(new Set(await bench.statesOf(cameras))).toEqual(new Set(['degraded']));
  expect(fleet.asked).toEqual([]);
});

test('where there is no other agent, ten minutes confirm it, and the reason says so', async () => {
  const agent = await bench.addAgent('only');
  const fleet = fleetThatAnswers();
  const pass = bench.passOf(fleet);
  const cameras = await bench.addCameras(hosts);
  await bench.shows(pass, cameras, ['good'], agent);
  await bench.shows(pass, cameras.slice(0, 6), ['timeout', 'timeout', 'timeout'], agent);
  await bench.later(9 * 60_000);
  await pass.run();
  expect(new Set(await bench.statesOf(cameras.slice(0, 6)))).toEqual(new Set(['unknown']));
  expect((await readSummary(bench.database)).suspects[0]?.reason).toMatch(/no other agent .* After 10 minutes/);
  await bench.later(2 * 60_000);
  // No new attempt is needed, which may be an hour away.
  await pass.run();
  expect(new Set(await bench.statesOf(cameras.slice(0, 6)))).toEqual(new Set(['offline']));
  const incidents = await bench.openIncidents();
  expect(incidents.map(({ kind, state }) => `${kind} ${state}`)).toEqual(Array(6).fill('host offline'));
  expect(incidents[0]?.reason).toMatch(/for 10 minutes .* no other agent could confirm it\.$/);
  expect((await readTimeline(bench.database, cameras[0] as number, { limit: 1 })).reason).toContain('for 10 minutes');
  expect((await readSummary(bench.database)).suspects).toEqual([]);
  await pass.run();
  expect(fleet.trusted).toContain(agent);
  expect(await bench.database.many('select from agent_suspicions')).toEqual([]);
});

test('an agent that was asked to look and does not is waited for no longer than nobody', async () => {
  const [suspect, other] = [await bench.addAgent('first'), await bench.addAgent('second')];
  const cameras = await bench.addCameras(hosts);
  const { shardId } = await createHolder(bench.database, { cameras: cameras.slice(0, 3), from: 0 });
  const pass = bench.passOf(fleetThatAnswers({ shardId, agentId: other }));
  await bench.shows(pass, cameras, ['good', 'refused', 'refused', 'refused'], suspect);
  await bench.later(11 * 60_000);
  await pass.run();
  expect(new Set(await bench.statesOf(cameras))).toEqual(new Set(['offline']));
  expect((await bench.openIncidents())[0]?.reason).toContain('no other agent could confirm it');
});
