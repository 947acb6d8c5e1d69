import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { isLong, testWhere } from '../../support/long.ts';
import { CAMERAS, CLOCKS, TestFleet } from './fleet.ts';
import type { TestAgent } from './fleet.ts';
import { ShiftedClock } from './shifted-clock.ts';
import { SmallDisk } from './small-disk.ts';
import { datingErrorMs, lastAskedBy } from './witness.ts';

/** A released agent is offered nothing for half a minute. */
const BACK_MS = 30_000 + CLOCKS.spreadMs;
/** From the full disk to the last request: half a second until it is seen, and the way to the threads. */
const STOPS_WITHIN_MS = 1_000;
const HOUR_MS = 3_600_000;
/** What a busy machine takes from a camera's answer to the agent's look at its clock; far below what is set. */
const HANDLING_MS = 4_000;
const isReal = process.env['CAMFLEET_TEST_CLOCKS'] === 'real';
// The coordinator is away for an hour only where somebody asks for it.
const stays = !isReal || isLong;
/** Half a minute's wait for a refused agent: not with every run. */
const patientTest = testWhere(isReal || isLong, 'CAMFLEET_TEST_LONG=1 or CAMFLEET_TEST_CLOCKS=real');
vi.setConfig({ testTimeout: CLOCKS.limitMs + (stays ? CLOCKS.autonomyMs : 0), hookTimeout: CLOCKS.limitMs });

let root: string;
let disk: SmallDisk | undefined;
let clock: ShiftedClock;
let fleet: TestFleet;
/** On a small disk where we may mount one. */
let small: TestAgent;
/** With clocks that the tests set. */
let clocked: TestAgent;

beforeAll(async () => {
  root = await makeTestFolder('hardships');
  disk = await SmallDisk.mount(join(root, 'disk'));
  clock = new ShiftedClock(join(root, 'clock.json'));
  await clock.set({});
  const autonomy = String(CLOCKS.autonomyMs / 1_000);
  fleet = await TestFleet.start(0, stays ? { CAMFLEET_LEASES_AUTONOMY_SECONDS: autonomy } : {});
  small = await fleet.addAgent('small', disk && { folder: join(disk.path, 'agent') });
  clocked = await fleet.addAgent('clocked', { env: clock.env });
  await fleet.heldBy([small, clocked], CLOCKS.spreadMs);
});

afterEach(({ task }) => {
  if (process.env['CAMFLEET_TEST_LOG'] || task.result?.state === 'fail') console.info(task.name, fleet.figures);
});

afterAll(async () => {
  await fleet?.stop();
  await disk?.unmount();
  await rm(root, { recursive: true, force: true });
});

const NO_DISK = 'this machine does not let us mount a small disk';

test('a disk that fills up: fetching stops within a second, another agent takes over, and nothing is lost', async ({
  skip,
}) => {
  if (!disk) return skip(NO_DISK);
  // Below the reserve, with room for what is captured and not yet written.
  await disk.fill(400_000);
  const filledAt = Date.now();
  fleet.figures['takeoverAfterFullMs'] = await fleet.heldBy([clocked], CLOCKS.takeoverMs);
  const { excused } = await fleet.verify('disk full');
  fleet.figures['fetchedAfterFullMs'] = lastAskedBy(fleet.farm, small.session) - filledAt;
  expect(fleet.figures['fetchedAfterFullMs']).toBeLessThan(STOPS_WITHIN_MS);
  expect(Object.keys(excused)).not.toContain('afterLastBatch');
  expect(small.process.stdout + small.process.stderr).toMatch(/The disk of .* make room on it/);
  await disk.empty();
});

test.each([HOUR_MS, -HOUR_MS])(
  'a clock that is set by %i ms while the agent runs dates nothing wrong',
  async (wallMs) => {
    const from = Date.now();
    await clock.set({ wallMs });
    await fleet.runs(3);
    await fleet.verify(`clock set by ${wallMs} ms`);
    const error = datingErrorMs(fleet.farm, clocked, from);
    fleet.figures[`datingErrorMs ${wallMs}`] = error;
    expect(error).toBeLessThan(HANDLING_MS);
  },
);

test('an agent that starts with a clock an hour behind says so, and its counts hold', async () => {
  await fleet.drainAgent(clocked);
  await fleet.restartAgent(clocked);
  await clocked.process.says(/✗ clock: 36\d\d(\.\d)? s behind the coordinator/);
  // An agent whose disk was full is offered nothing yet; one that never had a small disk goes on.
  await fleet.heldBy(disk ? [clocked] : [small, clocked], CLOCKS.spreadMs);
  const from = Date.now();
  await fleet.runs(2);
  await fleet.verify('an hour behind');
  expect(datingErrorMs(fleet.farm, clocked, from)).toBeLessThan(HANDLING_MS);
});

patientTest(
  'an agent whose disk has room again takes work; one that was suspended past its TTL loses it, and dates nothing wrong',
  async () => {
    fleet.figures['backAfterFullMs'] = await fleet.heldBy([small, clocked], BACK_MS);
    const at = Date.now();
    clocked.process.signal('SIGSTOP');
    // The news that its shards are gone must not wait for it in a socket.
    clocked.line.set('silent');
    await fleet.heldBy([small], CLOCKS.takeoverMs);
    await sleep(Math.max(0, at + CLOCKS.suspendMs - Date.now()));
    const sleptMs = Date.now() - at;
    await clock.set({ wallMs: -HOUR_MS, monotonicMs: -sleptMs });
    clocked.process.signal('SIGCONT');
    const wokeAt = Date.now();
    fleet.stops.push({ session: clocked.session, kind: 'frozen', at, until: wokeAt });
    // What it captures now must not be dated by an anchor from before its sleep.
    await eventually(() => lastAskedBy(fleet.farm, clocked.session) > wokeAt + 1_000, { what: 'it to capture alone' });
    clocked.line.set('refused');
    clocked.line.set('open');
    await fleet.heldBy([small, clocked], CLOCKS.spreadMs);
    await fleet.runs(2);
    await fleet.verify('suspended');
    expect(datingErrorMs(fleet.farm, clocked, wokeAt)).toBeLessThan(HANDLING_MS);
  },
);

patientTest(
  'a disk that is full from one moment to the next: what was captured last waits in memory, and nothing is lost',
  async ({ skip }) => {
    if (!disk) return skip(NO_DISK);
    await disk.fill(0);
    const filledAt = Date.now();
    await fleet.heldBy([clocked], CLOCKS.takeoverMs);
    await fleet.runs(1);
    fleet.figures['fetchedAfterNoRoomMs'] = lastAskedBy(fleet.farm, small.session) - filledAt;
    expect(fleet.figures['fetchedAfterNoRoomMs']).toBeLessThan(STOPS_WITHIN_MS);
    await disk.empty();
    await fleet.verify('no room at all');
  },
);

testWhere(stays, 'CAMFLEET_TEST_LONG=1 where the clocks are real: it takes an hour')(
  'the coordinator away for longer than agents go on alone: they stop, and all of it counts',
  async () => {
    await fleet.coordinator.end(30_000);
    const from = fleet.farm.requests.length;
    await sleep(CLOCKS.autonomyMs);
    await eventually(() => Date.now() - (fleet.farm.requests.at(-1)?.at ?? 0) > 3_000, {
      withinMs: 30_000,
      what: 'the agents to stop',
    });
    const meanwhile = fleet.farm.requests.slice(from);
    expect(new Set(meanwhile.map(({ camera }) => camera)).size).toBe(CAMERAS);
    fleet.figures['answersWhileAlone'] = meanwhile.length;
    await fleet.startCoordinator();
    // One of them may still be left alone because its disk was full.
    await eventually(async () => [...(await fleet.held()).values()].reduce((sum, one) => sum + one, 0) === CAMERAS, {
      withinMs: CLOCKS.spreadMs,
      what: 'all cameras to be held',
    });
    await fleet.runs(1);
    await fleet.verify('alone', 60_000);
  },
);
