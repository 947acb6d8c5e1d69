import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { CAMERAS, CLOCKS, TestFleet } from './fleet.ts';
import type { TestAgent } from './fleet.ts';
import { copyDataFolder, handIn, outboxOf } from './outbox.ts';
import type { OutboxBatch } from './outbox.ts';
import { attemptsInSpans, witnessKeys } from './witness.ts';

const { takeoverMs: TAKEOVER_MS, spreadMs: SPREAD_MS, awayMs: AWAY_MS } = CLOCKS;
/** Four batches of 5 s, and one. */
const WRITTEN_MS = 30_000;
vi.setConfig({ testTimeout: CLOCKS.limitMs, hookTimeout: CLOCKS.limitMs });

// One fleet for all: each test leaves it with two agents at work, and each compares everything since the beginning.
let fleet: TestFleet;
let first: TestAgent;
let second: TestAgent;

beforeAll(async () => {
  fleet = await TestFleet.start();
  [first, second] = fleet.agents as [TestAgent, TestAgent];
  await fleet.heldBy([first, second], SPREAD_MS);
});

afterEach(({ task }) => {
  if (process.env['CAMFLEET_TEST_LOG'] || task.result?.state === 'fail') console.info(task.name, fleet.figures);
});

afterAll(() => fleet.stop());

test('in peace every answer of a camera is counted once, and the witness would show a double', async () => {
  await fleet.runs(4);
  const report = await fleet.verify('peace');
  expect(report.counted).toBeGreaterThan(40);
  expect(await witnessKeys(fleet.database)).toEqual([]);
});

test('kill -9 of an agent: the other accepts its cameras, and only what followed the last batch is lost', async () => {
  await fleet.killAgent(first);
  fleet.figures['takeoverAfterKillMs'] = await fleet.heldBy([second], TAKEOVER_MS);
  await fleet.verify('agent killed');
  // What it left in its outbox comes in under the old session's numbers.
  await fleet.restartAgent(first);
  await fleet.heldBy([first, second], SPREAD_MS);
  await fleet.verify('killed agent back');
});

test('an agent that sleeps past its TTL: nothing after the takeover counts, nothing before it is lost', async () => {
  const at = Date.now();
  first.process.signal('SIGSTOP');
  fleet.figures['takeoverAfterSleepMs'] = await fleet.heldBy([second], TAKEOVER_MS);
  await fleet.runs(2);
  first.process.signal('SIGCONT');
  fleet.stops.push({ session: first.session, kind: 'frozen', at, until: Date.now() });
  await fleet.heldBy([first, second], SPREAD_MS);
  await fleet.verify('slept');
});

test('a network that is cut for less than a TTL costs nothing, not even a lease', async () => {
  const before = await fleet.tokens();
  first.line.set('refused');
  await sleep(1_000);
  first.line.set('open');
  await fleet.runs(3);
  await fleet.verify('short cut');
  expect(await fleet.tokens()).toEqual(before);
});

test('a network that goes dead without a word: the other takes over, and after the mend both work again', async () => {
  first.line.set('silent');
  fleet.figures['takeoverAfterSilenceMs'] = await fleet.heldBy([second], TAKEOVER_MS);
  await fleet.runs(2);
  first.line.set('open');
  fleet.figures['backAfterSilenceMs'] = await fleet.heldBy([first, second], 2 * SPREAD_MS);
  await fleet.verify('dead line');
});

test('kill -9 of the coordinator: the next one counts on', async () => {
  await fleet.coordinator.kill();
  await fleet.startCoordinator();
  await fleet.heldBy([first, second], SPREAD_MS);
  await fleet.runs(2);
  await fleet.verify('coordinator killed');
});

test('the coordinator away for longer than a TTL: capture goes on, and everything is delivered afterwards', async () => {
  await fleet.coordinator.end(30_000);
  const from = fleet.farm.requests.length;
  await sleep(AWAY_MS);
  const meanwhile = fleet.farm.requests.slice(from);
  expect(new Set(meanwhile.map(({ camera }) => camera)).size).toBe(CAMERAS);
  fleet.figures['answersWhileAway'] = meanwhile.length;
  await fleet.startCoordinator();
  await fleet.heldBy([first, second], SPREAD_MS);
  await fleet.verify('coordinator away', 60_000);
});

test('kill -9 of Redis and of PostgreSQL under load: no lease ends, nothing is lost', async () => {
  const before = await fleet.tokens();
  for (const server of ['redis', 'postgres'] as const) {
    const pid = await fleet.pidOf(server);
    process.kill(pid, 'SIGKILL');
    await eventually(async () => (await fleet.pidOf(server)) !== pid, { what: `${server} to be started again` });
    await fleet.runs(2);
    await fleet.verify(`${server} killed`);
  }
  expect(await fleet.tokens()).toEqual(before);
});

test('batches twice, late, out of order and from a stranger count nothing more', async () => {
  const killed = fleet.stops[0]!.session;
  const authorizationOf = ({ line }: TestAgent): string => line.batches.at(-1)!.authorization;
  const countedOf = (session: string): Promise<number> => fleet.countedOf(session);
  const old = first.line.batches.filter(({ batch }) => batch.session === killed);
  const before = await countedOf(killed);
  // Late: of a session that ended long ago.
  const late = await handIn(fleet.coordinatorPort, old[0]!.bytes, authorizationOf(first));
  expect(late.receipt?.digest).toBe(old[0]!.digest);
  // By somebody else: its tokens are not the sender's.
  const stranger = await handIn(fleet.coordinatorPort, old[0]!.bytes, authorizationOf(second));
  expect(new Set(stranger.receipt?.fragments.map(({ fate }) => fate))).toEqual(new Set(['refused']));
  expect(await countedOf(killed)).toBe(before);

  second.line.set('refused');
  const lie = (): Promise<OutboxBatch[]> => outboxOf(second.folder, second.session);
  await eventually(async () => (await lie()).length >= 4, { withinMs: WRITTEN_MS, what: 'four batches in the outbox' });
  const waiting = await lie();
  const [one, two, three] = waiting.map(({ bytes }) => bytes) as [Buffer, Buffer, Buffer];
  const statuses: number[] = [];
  for (const bytes of [three, one, three, two, one, three, two, three]) {
    statuses.push((await handIn(fleet.coordinatorPort, bytes, authorizationOf(second))).status);
  }
  expect(statuses).toEqual([409, 200, 409, 200, 200, 200, 200, 200]);
  const twice = await handIn(fleet.coordinatorPort, three, authorizationOf(second));
  expect(await handIn(fleet.coordinatorPort, three, authorizationOf(second))).toEqual(twice);
  // Now the agent delivers all of it once more.
  second.line.set('open');
  await fleet.heldBy([first, second], SPREAD_MS);
  await fleet.verify('replayed');
});

test('a second process on a copied data folder supersedes the first, and never both count', async () => {
  first.line.set('refused');
  const old = first.session;
  await eventually(async () => (await outboxOf(first.folder, old)).length >= 2, {
    withinMs: WRITTEN_MS,
    what: 'two batches in the outbox',
  });
  const copy = join(fleet.folder, 'copy');
  await copyDataFolder(first.folder, copy);
  const original = first.process;
  first.line.set('open');
  await fleet.restartAgent(first, copy);
  expect(await original.exit(20_000), original.tail()).toBe(3);
  expect(original.stderr).toContain('SESSION_SUPERSEDED');
  await fleet.runs(2);
  // The original folder still has what its process captured last; it comes in when somebody starts it.
  await fleet.drainAgent(first);
  await fleet.restartAgent(first);
  await fleet.heldBy([first, second], SPREAD_MS);
  await fleet.verify('copied folder');
});

test('SIGTERM: the shards are handed over first, and what was captured is handed in', async () => {
  const began = performance.now();
  const process = first.process;
  await fleet.drainAgent(first);
  fleet.figures['drainMs'] = Math.round(performance.now() - began);
  expect(process.child.exitCode, process.tail()).toBe(0);
  await fleet.heldBy([second], TAKEOVER_MS);
  await fleet.verify('drained');
  await fleet.drainAgent(second);
  await fleet.verify('last one drained');
});

test('the spans hold exactly what the witness counted', async () => {
  const total = await fleet.countedOf();
  expect(await attemptsInSpans(fleet.database)).toBe(total);
});
