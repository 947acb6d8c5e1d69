import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { OUTCOME } from '../../../common/domain/fragment.ts';
import { sha256 } from '../../../common/storage/digest.ts';
import { Intake } from '../../../coordinator/results/intake.ts';
import { readMemories, readStates } from '../../../coordinator/results/state-repository.ts';
import { Traffic } from '../../../coordinator/results/traffic.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { addMembership, bytesOf, createHolder, fragmentOf, send, fleetWindow, totalsOf } from './harness.ts';

let testDatabase: TestDatabase;
let database: TestDatabase['database'];
let intake: Intake;
let now: number;
let camera = 100;

const createIntake = (): Intake =>
  new Intake({
    ...{ database, window: fleetWindow, traffic: new Traffic(), reportMs: 5_000, witness: true },
    keepsFrames: () => true,
  });

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = testDatabase.database;
  intake = createIntake();
});
afterAll(() => testDatabase.drop());
beforeEach(async () => {
  camera++;
  now = Math.floor(await database.clockNow());
});

const holderOf = (until?: number) =>
  createHolder(database, { cameras: [camera], from: now - 60_000, ...(until !== undefined && { until }) });

describe('a batch', () => {
  test('that is delivered again gets the same receipt and counts nothing', async () => {
    const holder = await holderOf();
    const fragments = [fragmentOf(camera, holder, [now - 2_000, now - 1_000])];
    const receipt = await send(intake, holder, 1, fragments);
    expect(receipt).toMatchObject({ seq: 1, reportMs: 5_000, fragments: [{ fate: 'counted', counted: 2 }] });
    expect(await send(intake, holder, 1, fragments)).toEqual(receipt);
    // Also late, after the next one, and with another coordinator.
    await send(intake, holder, 2, [fragmentOf(camera, holder, [now - 500], { firstSequence: 2 })]);
    expect(await send(createIntake(), holder, 1, fragments)).toEqual(receipt);
    expect(await totalsOf(database, camera)).toEqual({ attempts: 3, frames: 3, spans: 1, bytes: 3_000 });
  });

  test('that comes many times at once, to two coordinators, counts once', async () => {
    const holder = await holderOf();
    const fragments = [fragmentOf(camera, holder, [now - 1_000])];
    const other = createIntake();
    const receipts = await Promise.all(
      Array.from({ length: 12 }, (_, i) => send(i % 2 ? intake : other, holder, 1, fragments)),
    );
    expect(new Set(receipts.map((receipt) => JSON.stringify(receipt.fragments))).size).toBe(1);
    expect(await totalsOf(database, camera)).toMatchObject({ attempts: 1 });
    const ids = await database.many('select sequence, frame from counted_attempts where camera_id = $1', [camera]);
    expect(ids).toEqual([{ sequence: 0, frame: true }]);
  });

  test('out of order is refused with the number that is expected', async () => {
    const holder = await holderOf();
    const at = (seq: number) => [fragmentOf(camera, holder, [now - 1_000 + seq], { firstSequence: seq })];
    const outOfOrder = { code: 'BATCH_OUT_OF_ORDER', details: { status: 409, expected: 1 } };
    await expect(send(intake, holder, 2, at(2))).rejects.toMatchObject(outOfOrder);
    await send(intake, holder, 1, at(1));
    await send(intake, holder, 2, at(2));
    await expect(send(intake, holder, 1, at(9))).rejects.toMatchObject({ details: { status: 409, expected: 3 } });
    expect(await totalsOf(database, camera)).toMatchObject({ attempts: 2 });
  });

  test('of an earlier session of the same agent counts, of a stranger it does not', async () => {
    const earlier = await holderOf(now - 1_000);
    const bytes = bytesOf(earlier.sessionId, 1, [fragmentOf(camera, earlier, [now - 2_000])]);
    const stranger = await intake.accept({ agentId: randomUUID(), sessionId: randomUUID() }, bytes, sha256(bytes));
    expect(stranger.fragments).toMatchObject([{ fate: 'refused', reason: 'the token belongs to another agent' }]);
    const later = { agentId: earlier.agentId, sessionId: randomUUID() };
    const receipt = await intake.accept(later, bytes, sha256(bytes));
    expect(receipt.fragments).toEqual([{ fate: 'counted', counted: 1 }]);
  });

  test('with a wrong digest, a wrong form or an impossible number is refused, and spoils nothing for others', async () => {
    const holder = await holderOf();
    const other = await createHolder(database, { cameras: [camera + 5_000], from: now - 60_000 });
    const bytes = bytesOf(holder.sessionId, 1, [fragmentOf(camera, holder, [now])]);
    await expect(intake.accept(holder, bytes, sha256('x'))).rejects.toMatchObject({ code: 'BATCH_DIGEST' });
    const half = bytes.subarray(0, 40);
    const invalid = { code: 'BATCH_INVALID', details: { status: 422 } };
    await expect(intake.accept(holder, half, sha256(half))).rejects.toMatchObject(invalid);
    const impossible = [fragmentOf(2 ** 40, holder, [now])];
    const unstorable = [fragmentOf(camera, holder, [now], { label: 'a\u0000b' })];
    await expect(send(intake, holder, 1, unstorable)).rejects.toMatchObject(invalid);
    const results = await Promise.allSettled([
      send(intake, { agentId: randomUUID(), sessionId: randomUUID() }, 1, []),
      send(intake, holder, 1, impossible),
      send(intake, other, 1, [fragmentOf(camera + 5_000, other, [now - 10])]),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: invalid });
  });

  test('of twenty senders at once, again and again: each is counted', async () => {
    const holders = [];
    for (let i = 0; i < 20; i++)
      holders.push(await createHolder(database, { cameras: [camera * 100 + i], from: now - 60_000 }));
    for (let seq = 1; seq <= 5; seq++) {
      const sent = holders.map((holder, i) =>
        send(intake, holder, seq, [fragmentOf(camera * 100 + i, holder, [now - 1_000 + seq], { firstSequence: seq })]),
      );
      await Promise.all(sent);
    }
    const { attempts } = await database.one<{ attempts: number }>(
      'select sum(attempts) as attempts from open_spans where camera_id between $1 and $2',
      [camera * 100, camera * 100 + 19],
    );
    expect(attempts).toBe(100);
  });
});

describe('the window', () => {
  test('counts from its first to before its last millisecond', async () => {
    const until = now - 1_000;
    const from = now - 60_000;
    const holder = await holderOf(until);
    const at = [from - 6, from - 5, from, until - 1, until, until + 1];
    const receipt = await send(intake, holder, 1, [fragmentOf(camera, holder, at)], 5);
    // The second is earlier by no more than the clock's error: it is dated to the beginning.
    expect(receipt.fragments).toEqual([{ fate: 'counted', counted: 3 }]);
    const ids = 'select sequence from counted_attempts where camera_id = $1 order by 1';
    expect(await database.many(ids, [camera])).toEqual([{ sequence: 1 }, { sequence: 2 }, { sequence: 3 }]);
    expect(
      await database.one('select ms_of_instant(first_at) as first from open_spans where camera_id = $1', [camera]),
    ).toEqual({
      first: from,
    });
  });

  test('ends with the membership of the camera, too', async () => {
    const holder = await createHolder(database, { cameras: [], from: now - 60_000 });
    await addMembership(database, { camera, shardId: holder.shardId, from: now - 50_000, until: now - 40_000 });
    await addMembership(database, { camera, shardId: holder.shardId, from: now - 20_000 });
    const at = [now - 55_000, now - 45_000, now - 30_000, now - 10_000];
    const receipt = await send(intake, holder, 1, [fragmentOf(camera, holder, at)]);
    expect(receipt.fragments).toEqual([{ fate: 'counted', counted: 2 }]);
    const never = await send(intake, holder, 2, [fragmentOf(camera + 9_999, holder, at)]);
    expect(never.fragments).toMatchObject([{ fate: 'outside', counted: 0 }]);
  });

  test('a date in the future becomes the arrival', async () => {
    const holder = await holderOf();
    await send(intake, holder, 1, [fragmentOf(camera, holder, [now + 3_600_000])]);
    const [state] = await readStates(database, [camera]);
    expect(state?.lastAttemptAt).toBeGreaterThanOrEqual(now);
    expect(state?.lastAttemptAt).toBeLessThanOrEqual(await database.clockNow());
  });

  test('does not end while a batch inside it is being counted', async () => {
    const holder = await holderOf();
    const ending = database.transaction(async (tx) => {
      await tx.query('select from grants where token = $1 for no key update', [holder.token]);
      const counting = send(intake, holder, 1, [fragmentOf(camera, holder, [now - 10, now + 60_000])]);
      await tx.query('select pg_sleep(0.1)');
      await tx.query('update grants set until_at = fleet_instant() where token = $1', [holder.token]);
      return { counting };
    });
    // The second attempt is dated to the arrival, which is after the end for which intake had to wait.
    const receipt = await (await ending).counting;
    expect(receipt.fragments).toEqual([{ fate: 'counted', counted: 1 }]);
  });
});

test('groups of batches begin less often while shards change hands', async () => {
  let isHandingOver = true;
  const window = { ...fleetWindow, isHandingOver: () => isHandingOver };
  const giving = new Intake({
    ...{ database, window, traffic: new Traffic(), reportMs: 5_000, witness: false },
    keepsFrames: () => false,
  });
  const holders = await Promise.all(
    Array.from({ length: 25 }, (_, n) => createHolder(database, { cameras: [camera * 1_000 + n], from: now - 60_000 })),
  );
  const sendAll = (seq: number) =>
    Promise.all(
      holders.map((holder, n) => send(giving, holder, seq, [fragmentOf(camera * 1_000 + n, holder, [now - 1_000])])),
    );
  const began = performance.now();
  // The first goes at once, the others together half a second later; without giving way they would wait a tenth.
  await sendAll(1);
  expect(performance.now() - began).toBeGreaterThan(400);
  isHandingOver = false;
  await sendAll(2);
  const { attempts } = await database.one<{ attempts: number }>(
    'select sum(attempts) as attempts from open_spans where camera_id / 1000 = $1',
    [camera],
  );
  expect(attempts).toBe(50);
});

describe('spans', () => {
  test('are cut by a change of key, of token and at midnight UTC', async () => {
    const midnight = Math.floor(now / 86_400_000) * 86_400_000;
    const first = await createHolder(database, { cameras: [camera], from: midnight - 7_200_000 });
    await send(intake, first, 1, [
      fragmentOf(camera, first, [midnight - 2, midnight - 1, midnight], { bytes: 30 }),
      fragmentOf(camera, first, [midnight + 1], { firstSequence: 3, verdict: 'timeout', outcomes: [0], bytes: 0 }),
    ]);
    expect(await totalsOf(database, camera)).toEqual({ attempts: 4, frames: 3, spans: 3, bytes: 30 });
    await database.query('update memberships set until_at = instant_of_ms($2) where camera_id = $1', [
      camera,
      midnight + 4,
    ]);
    const second = await createHolder(database, { cameras: [camera], from: midnight + 4 });
    await send(intake, second, 1, [fragmentOf(camera, second, [midnight + 5])]);
    const open = await database.many('select token from open_spans where camera_id = $1', [camera]);
    expect(open).toEqual([{ token: second.token }]);
    expect(await totalsOf(database, camera)).toMatchObject({ attempts: 5, spans: 4 });
    // What the first one still delivers counts, and changes nothing about how the camera is now.
    await send(intake, first, 2, [fragmentOf(camera, first, [midnight + 2], { firstSequence: 4, verdict: 'black' })]);
    expect(await totalsOf(database, camera)).toMatchObject({ attempts: 6, spans: 5 });
    const [state] = await readStates(database, [camera]);
    expect(state).toMatchObject({ verdict: 'good', token: second.token, lastAttemptAt: midnight + 5 });
  });

  test('that grew over many batches are closed with all that was added, and with what came last', async () => {
    const holder = await holderOf();
    const scoresOf = (score: number) => ({ fused: [{ label: 'street', score }], m0: [] });
    const frame = OUTCOME.frame | OUTCOME.classified;
    const grown = (seq: number, at: number[], more: object) =>
      send(intake, holder, seq, [
        fragmentOf(camera, holder, at, { label: 'street', outcomes: at.map(() => frame), ...more }),
      ]);
    await grown(1, [now - 900], { scores: scoresOf(0.5), frameDigest: 'a'.repeat(64), evidence: { mean: 1 } });
    await grown(2, [now - 800, now - 700], { scores: scoresOf(0.75), evidence: { mean: 2 } });
    await grown(3, [now - 600], { evidence: { mean: 3 } });
    const sameBatch = { label: 'street', outcomes: [frame], evidence: { mean: 4 } };
    // The last of it comes together with what closes it, and with one that begins and ends at once.
    await send(intake, holder, 4, [
      fragmentOf(camera, holder, [now - 500], sameBatch),
      fragmentOf(camera, holder, [now - 400], { verdict: 'black' }),
      fragmentOf(camera, holder, [now - 300], { verdict: 'frozen' }),
    ]);
    const spans = await database.many(
      `select verdict, attempts, classified, bytes, ms_of_instant(first_at) as first, ms_of_instant(last_at) as last, scores,
         evidence, frame_digest as digest from observations where camera_id = $1 order by first_at`,
      [camera],
    );
    expect(spans).toMatchObject([
      { verdict: 'good', attempts: 5, classified: 5, bytes: 5_000, first: now - 900, last: now - 500 },
      { verdict: 'black', attempts: 1, bytes: 1_000, scores: null, digest: null },
    ]);
    expect(spans[0]).toMatchObject({ scores: scoresOf(0.75), evidence: { mean: 4 }, digest: 'a'.repeat(64) });
    // Nothing was added to the one that is closed now.
    await send(intake, holder, 5, [fragmentOf(camera, holder, [now - 200])]);
    const [last] = await database.many(
      'select verdict, attempts, evidence from observations where camera_id = $1 order by first_at desc limit 1',
      [camera],
    );
    expect(last).toEqual({ verdict: 'frozen', attempts: 1, evidence: { mean: 100 } });
    expect(await totalsOf(database, camera)).toMatchObject({ attempts: 8, spans: 4 });
  });

  test('stay whole while the old holder delivers late and the new one reports, at two coordinators', async () => {
    const cameras = Array.from({ length: 5 }, (_, index) => camera * 1_000 + index);
    const takeover = now - 30_000;
    const first = await createHolder(database, { cameras, from: now - 60_000, until: takeover });
    await database.query('update memberships set until_at = instant_of_ms($2) where camera_id = any($1)', [
      cameras,
      takeover,
    ]);
    const second = await createHolder(database, { cameras, from: takeover });
    const deliver = async (through: Intake, holder: typeof first, from: number): Promise<void> => {
      for (let seq = 1; seq <= 15; seq++) {
        const verdict = seq % 4 === 0 ? 'black' : 'good';
        const at = [from + seq * 100, from + seq * 100 + 50];
        const fragments = cameras.map((id) => fragmentOf(id, holder, at, { firstSequence: 2 * seq, verdict }));
        await send(through, holder, seq, fragments);
      }
    };
    await Promise.all([deliver(intake, first, now - 50_000), deliver(createIntake(), second, takeover)]);
    for (const id of cameras) expect(await totalsOf(database, id)).toMatchObject({ attempts: 60, bytes: 60_000 });
    const ids = 'select count(*) as n, count(distinct (session_id, camera_id, sequence)) as ids from counted_attempts';
    expect(await database.one(`${ids} where camera_id = any($1)`, [cameras])).toEqual({ n: 300, ids: 300 });
  });

  test('remember memory, state and since when it is so', async () => {
    const holder = await holderOf();
    const memory = { lastAttemptAt: now - 10, clean: { digest: 'a'.repeat(64) } };
    const label = { label: 'street', scores: { fused: [{ label: 'street', score: 0.75 }], m0: [] } };
    await send(intake, holder, 1, [fragmentOf(camera, holder, [now - 30], label)]);
    await send(intake, holder, 2, [fragmentOf(camera, holder, [now - 20, now - 10], { ...label, memory })]);
    await send(intake, holder, 3, [fragmentOf(camera, holder, [now - 25], { verdict: 'black' })]);
    expect(await readStates(database, [camera])).toMatchObject([
      { label: 'street', score: 0.75, since: now - 30, lastAttemptAt: now - 10, lastGoodAt: now - 10 },
    ]);
    expect(await readMemories(database, [camera])).toEqual(new Map([[camera, memory]]));
  });

  test('count what became of each attempt', async () => {
    const holder = await holderOf();
    const outcomes = [OUTCOME.frame | OUTCOME.classified, OUTCOME.frame | OUTCOME.unchanged | OUTCOME.gated, 0];
    await send(intake, holder, 1, [fragmentOf(camera, holder, [now - 3, now - 2, now - 1], { outcomes })]);
    expect(
      await database.one('select frames, unchanged, classified, gated from open_spans where camera_id = $1', [camera]),
    ).toEqual({ frames: 2, unchanged: 1, classified: 1, gated: 1 });
  });
});

test('a large fleet is asked for larger batches instead of more of them', async () => {
  const own = new Intake({
    ...{ database, window: fleetWindow, traffic: new Traffic(), reportMs: 50, witness: false },
    keepsFrames: () => true,
  });
  const agentId = randomUUID();
  const report = async () => {
    const session = randomUUID();
    const bytes = Buffer.from(JSON.stringify({ session, seq: 1, clockErrorMs: 1, fragments: [] }));
    return (await own.accept({ agentId, sessionId: session }, bytes, sha256(bytes))).reportMs;
  };
  expect(await report()).toBe(50);
  // Twelve sessions in 50 ms would be 240 batches a second: six times what is wanted.
  const together = () => Promise.all(Array.from({ length: 12 }, report));
  const stretched = await eventually(async () => (Math.max(...(await together())) > 250 ? 'stretched' : undefined), {
    withinMs: 5_000,
  });
  expect(stretched).toBe('stretched');
  expect(await report()).toBeLessThanOrEqual(300);
});
