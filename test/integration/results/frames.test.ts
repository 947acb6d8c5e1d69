import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { OUTCOME } from '../../../common/domain/fragment.ts';
import type { Fragment } from '../../../common/domain/fragment.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { sha256 } from '../../../common/storage/digest.ts';
import { FolderStore } from '../../../common/storage/object-store.ts';
import { createResults } from '../../../coordinator/results/results.ts';
import type { Results } from '../../../coordinator/results/results.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { createHolder, fleetWindow, fragmentOf, send } from './harness.ts';
import type { Holder } from './harness.ts';

const QUOTA = 10_000;
const HOUR_MS = 3_600_000;

let testDatabase: TestDatabase;
let database: TestDatabase['database'];
let folder: string;
let objects: FolderStore;
let results: Results;
let holder: Holder;
let seq: number;
let now: number;
let serial = 0;
const cameras = [1, 2, 3];

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = testDatabase.database;
});
afterAll(() => testDatabase.drop());

beforeEach(async () => {
  await database.query('truncate frames, frames_wanted, frame_references, camera_keeps, memberships cascade');
  folder = await mkdtemp(join(tmpdir(), 'camfleet-frames-'));
  objects = new FolderStore(folder);
  results = create();
  now = Math.floor(await database.clockNow());
  holder = await createHolder(database, { cameras, from: now - 10 * 86_400_000 });
  seq = 0;
});
afterEach(() => rm(folder, { recursive: true }));

const create = (): Results =>
  createResults({
    ...{ database, objects, window: fleetWindow, logger: silentLogger },
    settings: { reportMs: 5_000, quotaBytes: QUOTA, retentionDays: 90 },
  });

/** A picture that nobody has seen, and the report of its capture. */
function picture(camera: number, at: number, more: Partial<Fragment> = {}, size = 1_000) {
  const bytes = Buffer.alloc(size, `picture ${serial++} `);
  const digest = sha256(bytes);
  return { camera, bytes, digest, fragment: fragmentOf(camera, holder, [at], { frameDigest: digest, ...more }) };
}
type Picture = ReturnType<typeof picture>;

const report = async (...pictures: Picture[]) =>
  (
    await send(
      results.intake,
      holder,
      ++seq,
      pictures.map(({ fragment }) => fragment),
    )
  ).wanted;

/** Reports and, where it is asked for, stores; the reason or `undefined`. */
async function keep(one: Picture): Promise<string | undefined> {
  const [wanted] = await report(one);
  if (wanted) await results.frames.store(one.digest, one.camera, one.bytes);
  return wanted?.reason;
}
const kept = async (): Promise<string[]> =>
  (await database.many<{ digest: string }>('select digest from frames order by at')).map(({ digest }) => digest);

describe('intake asks for', () => {
  test('the first of a verdict and of a label, one a day, doubts and audits that differ', async () => {
    const scores = (score: number) => ({ fused: [{ label: 'street', score }], m0: [] });
    const street = { label: 'street', scores: scores(0.9), outcomes: [OUTCOME.frame | OUTCOME.classified] };
    const start = Math.floor(now / 86_400_000) * 86_400_000 - 2 * 86_400_000;
    expect(await keep(picture(1, start + 1))).toBe('verdict');
    expect(await keep(picture(1, start + 2))).toBeUndefined();
    expect(await keep(picture(1, start + 3, { verdict: 'black' }))).toBe('verdict');
    expect(await keep(picture(1, start + 4, street))).toBe('label');
    expect(await keep(picture(1, start + 5, street))).toBeUndefined();
    expect(await keep(picture(1, start + 6, { ...street, scores: scores(0.4) }))).toBe('doubtful');
    expect(await keep(picture(1, start + 7, { ...street, scores: scores(0.4) }))).toBeUndefined();
    expect(await keep(picture(1, start + HOUR_MS + 6, { ...street, scores: scores(0.4) }))).toBe('doubtful');
    const audited = { ...street, outcomes: [OUTCOME.frame | OUTCOME.audited | OUTCOME.auditDiffers] };
    expect(await keep(picture(1, start + HOUR_MS + 7, audited))).toBe('audit');
    expect(await keep(picture(1, start + 86_400_000, street))).toBe('daily');
    expect(await keep(picture(1, start + 86_400_001, street))).toBeUndefined();
    expect(await keep(picture(1, start + 86_400_002, { verdict: 'timeout', outcomes: [0] }))).toBeUndefined();
  });

  test('a picture once, and no second one while the first is on its way', async () => {
    const one = picture(1, now - 100);
    const [wanted] = await report(one, picture(1, now - 90));
    expect(wanted).toEqual({ cameraId: 1, digest: one.digest, reason: 'verdict' });
    expect(await report(picture(1, now - 80))).toEqual([]);
    await results.frames.store(one.digest, 1, one.bytes);
    const same = { ...picture(2, now - 70), digest: one.digest };
    same.fragment.frameDigest = one.digest;
    expect(await report(same)).toEqual([]);
  });
});

describe('a picture', () => {
  test('is kept as it was fetched, once, and found by its camera', async () => {
    const one = picture(1, now - 100);
    await report(one);
    const outcomes = await Promise.all([1, 2, 3].map(() => results.frames.store(one.digest, 1, one.bytes)));
    expect(outcomes.toSorted()).toEqual(['known', 'known', 'stored']);
    expect(await results.frames.read(one.digest)).toEqual(one.bytes);
    expect(await results.frames.ofCamera(1)).toMatchObject([{ digest: one.digest, reason: 'verdict', at: now - 100 }]);
    expect(await results.frames.status()).toEqual({ usedBytes: 1_000, quotaBytes: QUOTA, framesFull: false });
  });

  test('that is another one, or that nobody asked for, is refused', async () => {
    const one = picture(1, now - 100);
    const other = picture(1, now - 90);
    await report(one);
    await expect(results.frames.store(one.digest, 1, other.bytes)).rejects.toMatchObject({ code: 'FRAME_DIGEST' });
    await expect(results.frames.store(other.digest, 1, other.bytes)).rejects.toMatchObject({ code: 'FRAME_UNWANTED' });
    await expect(results.frames.store(one.digest, 2, one.bytes)).rejects.toMatchObject({ code: 'FRAME_UNWANTED' });
    expect(await kept()).toEqual([]);
  });
});

describe('at the quota', () => {
  /** Ten pictures: nine daily ones of camera 1, from the oldest to the newest, after the first of its verdict. */
  async function fill(): Promise<Picture[]> {
    const pictures: Picture[] = [];
    for (let day = 0; day < 10; day++) {
      const one = picture(1, now - (9 - day) * 86_400_000 - 1_000);
      expect(await keep(one)).toBe(day === 0 ? 'verdict' : 'daily');
      pictures.push(one);
    }
    return pictures;
  }

  test('the oldest unremarkable one makes room, the older first of its verdict stays', async () => {
    const pictures = await fill();
    const unwanted = picture(2, now - 600);
    await expect(results.frames.store(unwanted.digest, 2, unwanted.bytes)).rejects.toMatchObject({
      code: 'FRAME_UNWANTED',
    });
    expect(await kept()).toHaveLength(10);
    const next = picture(2, now - 500);
    expect(await keep(next)).toBe('verdict');
    const [first, oldestDaily, ...others] = pictures.map(({ digest }) => digest);
    // A hundredth of the quota more than needed is freed: here one more frame.
    expect(await kept()).toEqual([first, ...others.slice(1), next.digest]);
    expect(await objects.has(`frames/${oldestDaily?.slice(0, 2)}/${oldestDaily}`)).toBe(false);
    expect(await database.one('select count(*) as n from frames')).toEqual({ n: 9 });
  });

  test('a camera with more than its share gives first', async () => {
    const others = [picture(2, now - 20 * HOUR_MS), picture(3, now - 20 * HOUR_MS)];
    for (const other of others) await keep(other);
    await database.query(`update frames set reason = 'daily', at = now() - interval '30 days'`);
    for (let day = 0; day < 8; day++) await keep(picture(1, now - (8 - day) * 86_400_000));
    await keep(picture(1, now - 10));
    expect(await kept()).toEqual(expect.arrayContaining(others.map(({ digest }) => digest)));
  });

  test('what is pinned or referred to stays, nothing new is kept, capture goes on, and status says so', async () => {
    const pictures = await fill();
    for (const [index, { digest }] of pictures.entries()) {
      await (index % 2
        ? database.query('update frames set pinned = true where digest = $1', [digest])
        : database.query(`insert into frame_references values ($1, 'annotation', '1')`, [digest]));
    }
    const next = picture(2, now - 500);
    expect(await report(next)).toHaveLength(1);
    expect(await results.frames.store(next.digest, 2, next.bytes)).toBe('full');
    expect(await results.frames.status()).toMatchObject({ usedBytes: QUOTA, framesFull: true });
    // Asked for nothing any more, and counted all the same.
    const receipt = await send(results.intake, holder, ++seq, [picture(3, now - 400).fragment]);
    expect(receipt).toMatchObject({ fragments: [{ fate: 'counted', counted: 1 }], wanted: [] });
    expect(await results.jobs['frames.evict']()).toMatchObject({ frames: 0, framesFull: true });
    expect(await kept()).toEqual(pictures.map(({ digest }) => digest));
    // A reference that goes makes room again.
    await database.query('delete from frame_references where digest = $1', [pictures[0]?.digest]);
    expect(await results.jobs['frames.evict']()).toMatchObject({ framesFull: false });
    expect(await results.frames.store(next.digest, 2, next.bytes)).toBe('stored');
    expect(await kept()).not.toContain(pictures[0]?.digest);
  });

  test('a smaller quota is reached by the job', async () => {
    await fill();
    const smaller = createResults({
      ...{ database, objects, window: fleetWindow, logger: silentLogger },
      settings: { reportMs: 5_000, quotaBytes: 4_500, retentionDays: 90 },
    });
    expect(await smaller.jobs['frames.evict']()).toEqual({ frames: 6, bytes: 6_000, framesFull: false });
    expect(await smaller.jobs['frames.evict']()).toMatchObject({ frames: 0 });
    expect(await kept()).toHaveLength(4);
  });
});
