import { expect, test } from 'vitest';
import { noteEvents } from '../../../coordinator/results/health/health-repository.ts';
import { readTimeline } from '../../../coordinator/results/health/queries.ts';
import { readSummary } from '../../../coordinator/results/health/report.ts';
import { createHolder } from './harness.ts';
import { HealthBench } from './health-bench.ts';

const bench = HealthBench.use();

test('the timeline tells each state once, with reason and next try, and its ends meet', async () => {
  const agent = await bench.addAgent();
  const pass = bench.passOf();
  const [camera = 0] = await bench.addCameras(['one.example']);
  await bench.shows(pass, [camera], ['good', 'black', 'black', 'black', 'black', 'good', 'good', 'good'], agent);
  const { states, state, reason } = await readTimeline(bench.database, camera, { limit: 10 });
  expect(states.map((entry) => entry.state)).toEqual(['online', 'black', 'online']);
  expect(states[0]?.from).toBe(states[1]?.until);
  expect(states[1]?.from).toBe(states[2]?.until);
  expect({ state, reason }).toEqual({ state: 'online', reason: 'Pictures come and show something.' });
  const second = await readTimeline(bench.database, camera, { limit: 1, before: states[0]?.id });
  expect(second.states.map((entry) => entry.state)).toEqual(['black']);
  expect(second.next).toBe(states[1]?.id);
});

test('the timeline since an instant has what lasted beyond it, with a picture of each time', async () => {
  const agent = await bench.addAgent();
  const pass = bench.passOf();
  const [camera = 0] = await bench.addCameras(['one.example']);
  await bench.shows(pass, [camera], ['good', 'black', 'black', 'black'], agent);
  const middle = bench.clock;
  await bench.database.query(
    `insert into frames (digest, camera_id, at, reason, bytes, verdict)
     values ($1, $2, instant_of_ms($3), 'verdict', 10, 'black')`,
    ['a'.repeat(64), camera, middle],
  );
  await bench.shows(pass, [camera], ['good', 'good', 'good'], agent);
  const { states } = await readTimeline(bench.database, camera, { limit: 10, since: middle });
  expect(states.map((entry) => [entry.state, entry.frameDigest])).toEqual([
    ['online', null],
    ['black', 'a'.repeat(64)],
  ]);
});

test('the summary counts what is wrong, and changes with every change of the open incidents', async () => {
  const agent = await bench.addAgent();
  const pass = bench.passOf();
  const cameras = await bench.addCameras(['one.example', 'one.example', 'two.example']);
  const before = await readSummary(bench.database);
  expect(before).toMatchObject({ openIncidents: 0, causes: [], suspects: [] });
  await bench.shows(pass, cameras.slice(0, 2), ['good', 'http_error', 'http_error', 'http_error'], agent);
  const { revision, causes } = await readSummary(bench.database);
  expect(causes).toMatchObject([{ state: 'offline', verdict: 'http_error', incidents: 1, cameras: 2 }]);
  await bench.shows(pass, cameras.slice(2), ['good', 'black', 'black', 'black'], agent);
  const after = await readSummary(bench.database);
  expect(new Set([before.revision, revision, after.revision]).size).toBe(3);
  expect(after).toMatchObject({ openIncidents: 2, states: { offline: 2, black: 1 } });
  expect(after.causes.map(({ state, cameras: ill }) => [state, ill])).toEqual([
    ['offline', 2],
    ['black', 1],
  ]);
});

test('the next try is when the agent means to try again, and none where no agent has the camera', async () => {
  const agent = await bench.addAgent();
  const [camera = 0] = await bench.addCameras(['one.example']);
  await bench.tried([camera], 'timeout', agent);
  const nextTry = async () => (await readTimeline(bench.database, camera, { limit: 1 })).nextTryAt;
  expect(await nextTry()).toBeNull();
  await createHolder(bench.database, { cameras: [camera], from: 0 });
  const now = await bench.database.clockNow();
  expect(Math.abs(((await nextTry()) ?? 0) - now)).toBeLessThan(600_000);
  const retryAt = Math.round(now) + 1_800_000;
  await bench.database.query(
    'insert into camera_memories (camera_id, last_attempt_at, memory) values ($1, now(), $2)',
    [camera, JSON.stringify({ lastAttemptAt: 0, pace: { nextDueAt: 5, failures: 7, retryAt } })],
  );
  expect(await nextTry()).toBe(retryAt);
  expect((await readTimeline(bench.database, camera, { limit: 1 })).failuresInARow).toBe(7);
});

test('events that agents tell are recorded once, and shown in the timeline', async () => {
  const agent = await bench.addAgent();
  const [camera = 0] = await bench.addCameras(['one.example']);
  await bench.tried([camera], 'good', agent);
  const at = Math.round(await bench.database.clockNow()) - 60_000;
  await bench.database.query('update camera_state set evidence = $1', [
    JSON.stringify({ movedAt: at, blurredAt: 'soon' }),
  ]);
  await noteEvents(bench.database, 0);
  await noteEvents(bench.database, 0);
  expect((await readTimeline(bench.database, camera, { limit: 5 })).events).toEqual([{ kind: 'moved', at }]);
});

test('a paused camera is paused, whatever it showed, and its incident is over', async () => {
  const agent = await bench.addAgent();
  const pass = bench.passOf();
  const [camera = 0] = await bench.addCameras(['one.example']);
  await bench.shows(pass, [camera], ['timeout', 'timeout', 'timeout'], agent);
  expect(await bench.statesOf([camera])).toEqual(['offline']);
  await bench.database.query(`update cameras set lifecycle = 'paused'`);
  await pass.upkeep();
  await bench.shows(pass, [camera], ['timeout'], agent);
  expect(await bench.statesOf([camera])).toEqual(['paused']);
  expect(await bench.openIncidents()).toEqual([]);
  await bench.database.query(`update cameras set lifecycle = 'active'`);
  await pass.upkeep();
  expect(await bench.statesOf([camera])).toEqual(['unknown']);
  await bench.shows(pass, [camera], ['good'], agent);
  expect(await bench.statesOf([camera])).toEqual(['online']);
});

test('what nobody tries any more is unknown, and a retired camera has no health', async () => {
  const agent = await bench.addAgent();
  const pass = bench.passOf();
  const cameras = await bench.addCameras(['one.example', 'two.example']);
  await bench.shows(pass, cameras, ['good', 'black', 'black', 'black'], agent);
  await bench.database.query(`update camera_state set last_attempt_at = last_attempt_at - interval '4 hours'`);
  await bench.database.query(`update cameras set lifecycle = 'retired' where id = $1`, [cameras[1]]);
  await pass.upkeep();
  expect(await bench.statesOf(cameras)).toEqual(['unknown']);
  expect(await bench.openIncidents()).toEqual([]);
});
