import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { FolderStore } from '../../../common/storage/object-store.ts';
import { createResults } from '../../../coordinator/results/results.ts';
import type { Results } from '../../../coordinator/results/results.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { createHolder, fleetWindow, fragmentOf, send, statusOf, totalsOf } from './harness.ts';
import type { Holder } from './harness.ts';

const DAY_MS = 86_400_000;

let testDatabase: TestDatabase;
let database: TestDatabase['database'];
let results: Results;
let holder: Holder;
let now: number;
let midnight: number;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = testDatabase.database;
});
afterAll(() => testDatabase.drop());

beforeEach(async () => {
  for (const name of results ? await results.partitions.list() : []) await database.query(`drop table ${name}`);
  await database.query(
    'truncate observations, open_spans, memberships, camera_state, intake_log, daily_totals, report_sessions, batch_receipts',
  );
  results = createResults({
    ...{ database, objects: new FolderStore('/nowhere'), window: fleetWindow, logger: silentLogger },
    settings: { reportMs: 5_000, quotaBytes: 1, retentionDays: 3 },
  });
  now = Math.floor(await database.clockNow());
  midnight = Math.floor(now / DAY_MS) * DAY_MS;
  holder = await createHolder(database, { cameras: [1], from: now - 30 * DAY_MS });
});

/** Two attempts a day, from so many days ago until today. */
async function captureSince(days: number): Promise<void> {
  const at = Array.from({ length: days + 1 }, (_, index) => midnight - (days - index) * DAY_MS).flatMap((day) => [
    day,
    day + 1,
  ]);
  await send(results.intake, holder, 1, [fragmentOf(1, holder, at)]);
}
const tableOf = (at: number): string => `observations_${new Date(at).toISOString().slice(0, 10).replaceAll('-', '')}`;
const rowsIn = async (table: string): Promise<number> =>
  (await database.one<{ n: number }>(`select count(*) as n from ${table}`)).n;

test('partitions are made a week ahead, also by two at once, and a second time changes nothing', async () => {
  const [one, two] = await Promise.all([results.partitions.upkeep(now), results.partitions.upkeep(now)]);
  const names = await results.partitions.list();
  expect([...one.created, ...two.created].toSorted()).toEqual(names);
  expect(names).toHaveLength(9);
  expect(names.at(-1)).toBe(tableOf(now + 7 * DAY_MS));
  expect((await results.partitions.upkeep(now)).created).toEqual([]);
});

test('spans without a partition are kept, and move into it when it is made', async () => {
  await captureSince(5);
  expect(await rowsIn('observations_default')).toBe(5);
  await results.partitions.upkeep(now);
  expect(await rowsIn('observations_default')).toBe(0);
  expect(await rowsIn(tableOf(midnight - 5 * DAY_MS))).toBe(1);
  expect(await totalsOf(database, 1)).toMatchObject({ attempts: 12, spans: 6 });
});

test('days past retention go, younger ones stay', async () => {
  await captureSince(5);
  await results.jobs['partitions.upkeep']();
  expect(await results.jobs['observations.retention']()).toMatchObject({
    dropped: [tableOf(midnight - 5 * DAY_MS), tableOf(midnight - 4 * DAY_MS)],
  });
  expect(await totalsOf(database, 1)).toMatchObject({ attempts: 8, spans: 4 });
  expect(await results.jobs['observations.retention']()).toMatchObject({ dropped: [] });
});

test('open spans of a day that is over are closed, and late attempts of that day still count', async () => {
  await captureSince(0);
  expect(await results.partitions.upkeep(midnight + DAY_MS + 1_800_000)).toMatchObject({ closed: 0 });
  expect(await results.partitions.upkeep(midnight + DAY_MS + 3_600_000)).toMatchObject({ closed: 1 });
  await send(results.intake, holder, 2, [fragmentOf(1, holder, [midnight + 2], { firstSequence: 2 })]);
  expect(await totalsOf(database, 1)).toEqual({ attempts: 3, frames: 3, spans: 2, bytes: 3_000 });
});

test('receipts are deleted when they are old, never that of the last batch', async () => {
  for (let seq = 1; seq <= 3; seq++) {
    await send(results.intake, holder, seq, [fragmentOf(1, holder, [now - 10 + seq], { firstSequence: seq })]);
  }
  await database.query(`update batch_receipts set at = at - interval '8 days'`);
  expect(await results.jobs['partitions.upkeep']()).toMatchObject({ receipts: 2 });
  const again = await send(results.intake, holder, 3, [fragmentOf(1, holder, [now - 7], { firstSequence: 3 })]);
  expect(again.fragments).toEqual([{ fate: 'counted', counted: 1 }]);
  expect(await totalsOf(database, 1)).toMatchObject({ attempts: 3 });
});

test('bytes per day add up, before and after the log is, and totals are those of all spans', async () => {
  const at = [now - 3, now - 2, now - 1];
  await send(results.intake, holder, 1, [
    fragmentOf(1, holder, at, { outcomes: [1, 1 | 4, 1 | 2 | 8] }),
    fragmentOf(1, holder, [now], { verdict: 'timeout', outcomes: [0], bytes: 0 }),
  ]);
  await database.query('update intake_log set bytes_stored = 700');
  const before = await statusOf(database).recent();
  const { sent } = before.bytes[0] as { sent: number };
  expect(sent).toBeGreaterThan(0);
  expect(before.bytes).toEqual([{ day: new Date(now).toISOString().slice(0, 10), fetched: 3_000, sent, stored: 700 }]);
  expect(before.totals).toEqual({
    ...{ attempts: 4, frames: 3, unchanged: 1, classified: 1, gated: 1, audited: 0, spans: 2 },
    verdicts: { good: 3, timeout: 1 },
  });
  await database.query(`update intake_log set at = at - interval '3 minutes'`);
  await results.partitions.upkeep(now);
  expect(await rowsIn('intake_log')).toBe(0);
  const { bytes, totals } = await statusOf(database).recent();
  const sums = (key: 'fetched' | 'sent' | 'stored') => bytes.reduce((sum, day) => sum + day[key], 0);
  expect([sums('fetched'), sums('sent'), sums('stored')]).toEqual([3_000, sent, 700]);
  expect(totals).toEqual(before.totals);
});

test('spans of a camera are paged from the latest to the first without gap or repetition', async () => {
  await captureSince(4);
  const all = await results.queries.spansOf(1);
  expect(all.map(({ firstAt }) => firstAt)).toEqual([0, 1, 2, 3, 4].map((days) => midnight - days * DAY_MS));
  const paged = [];
  for (let before = undefined as { firstAt: number; id: number } | undefined; ; before = paged.at(-1)) {
    const page = await results.queries.spansOf(1, { limit: 2, ...(before && { before }) });
    paged.push(...page);
    if (page.length < 2) break;
  }
  expect(paged).toEqual(all);
});
