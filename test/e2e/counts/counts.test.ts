import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { TestFleet, TTL_MS } from './fleet.ts';
import { attemptsInSpans, witnessKeys } from './witness.ts';

/** Beyond the TTL: the planner's tick, the offer, the acceptance, and two busy cores. */
const TAKEOVER_MS = TTL_MS + 6_000;

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await TestFleet.start();
  await fleet.heldBy(fleet.agents, 20_000);
}, 120_000);

afterEach(({ task }) => {
  if (process.env['CAMFLEET_TEST_LOG'] || task.result?.state === 'fail') console.info(task.name, fleet.figures);
});

afterAll(() => fleet.stop(), 90_000);

test('in peace every answer of a camera is counted once, and the witness would show a double', async () => {
  await fleet.runs(4);
  const report = await fleet.verify('peace');
  expect(report.counted).toBeGreaterThan(40);
  expect(await witnessKeys(fleet.database)).toEqual([]);
});

test('kill -9 of an agent: the other accepts its cameras, and only what followed the last batch is lost', async () => {
  const [victim, other] = [fleet.agents[0]!, fleet.agents[1]!];
  await fleet.killAgent(victim);
  fleet.figures['takeoverAfterKillMs'] = await fleet.heldBy([other], TAKEOVER_MS);
  await fleet.verify('killed agent');
  // What it left in its outbox comes in under the old session's numbers.
  await fleet.restartAgent(victim);
  await fleet.heldBy([victim, other], 20_000);
  await fleet.verify('killed agent back');
});

test('the spans hold exactly what the witness counted', async () => {
  const compare = async (): Promise<boolean> => {
    const { total } = await fleet.database.one<{ total: number }>(
      'select count(*)::int as total from counted_attempts',
    );
    return total === (await attemptsInSpans(fleet.database));
  };
  await expect.poll(compare, { timeout: 10_000 }).toBe(true);
});
