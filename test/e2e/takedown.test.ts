import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { runCommand } from '../../scripts/camfleet/program.ts';
import { eventually } from '../support/eventually.ts';
import { longTest } from '../support/long.ts';
import { CLOCKS, TestFleet } from './counts/fleet.ts';
import type { TestAgent } from './counts/fleet.ts';

vi.setConfig({ testTimeout: CLOCKS.limitMs, hookTimeout: CLOCKS.limitMs });

/** What operators are promised. */
const REACHES_WITHIN_MS = 5_000;

let fleet: TestFleet;
let host: string;
/** The farm's names of the cameras of that host. */
let names: Set<string>;

beforeAll(async () => {
  fleet = await TestFleet.start();
  await fleet.heldBy(fleet.agents, CLOCKS.spreadMs);
  const { cameras } = await fleet.api.get<{ cameras: { host: string; sourceCameraId: string }[] }>(
    '/cameras?limit=100',
  );
  host = cameras[0]!.host;
  names = new Set(cameras.filter((camera) => camera.host === host).map(({ sourceCameraId }) => sourceCameraId));
});
afterAll(() => fleet.stop());

const askedSince = (at: number, ofHost: boolean): number =>
  fleet.farm.requests.filter((request) => request.at >= at && names.has(request.camera) === ofHost).length;

/** From when on the agents must know of the take-down, ms since the epoch. */
let reached: number;

test('a take-down reaches every connected agent within five seconds', async () => {
  expect(names.size).toBe(2);
  await eventually(() => askedSince(0, true) > 2 && askedSince(0, false) > 20, { withinMs: 30_000 });
  const at = Date.now();
  expect(await fleet.api.post('/takedowns', { value: host, reason: 'test' })).toMatchObject({ cameras: 2 });
  await sleep(REACHES_WITHIN_MS);
  fleet.figures['lastAskedAfterMs'] =
    Math.max(at, ...fleet.farm.requests.filter(({ camera }) => names.has(camera)).map((request) => request.at)) - at;
  reached = Date.now();
  const others = askedSince(0, false);
  await eventually(() => askedSince(0, false) > others + 40, { withinMs: 30_000, what: 'the others to go on' });
  expect(askedSince(reached, true)).toBe(0);
});

longTest('it outlasts coordinator and agents, until it is taken back', async () => {
  await fleet.coordinator.kill();
  await fleet.startCoordinator();
  const [first] = fleet.agents as [TestAgent, TestAgent];
  await fleet.killAgent(first);
  await fleet.restartAgent(first);
  const restarted = askedSince(0, false);
  await eventually(() => askedSince(0, false) > restarted + 60, { withinMs: 60_000, what: 'the others to go on' });
  expect(askedSince(reached, true)).toBe(0);

  const { capturable } = (await fleet.api.get<{ cameras: { capturable: number } }>('/status')).cameras;
  expect(capturable).toBe(22);
  const environment = {
    CAMFLEET_URL: `http://127.0.0.1:${fleet.coordinatorPort}`,
    CAMFLEET_DATA_FOLDER: fleet.dataFolder,
  };
  const terminal = { out: () => {}, err: () => {}, isInteractive: false, showsProgress: false };
  expect(await runCommand(['takedown', 'remove', host], { terminal, environment }, 'test')).toBe(0);
  await eventually(() => askedSince(reached, true) > 2, { withinMs: 30_000, what: 'the cameras to be fetched again' });
  console.info(fleet.figures);
});
