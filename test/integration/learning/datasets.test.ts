import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { datasetSchema, sampleLine, sampleSchema } from '../../../common/domain/dataset.ts';
import { eventually } from '../../support/eventually.ts';
import { DAY_MS, LearningBench } from './support.ts';

let bench: LearningBench;
beforeEach(async () => {
  bench = await LearningBench.create();
});
afterEach(() => bench.drop());

const samplesOf = async (name: string, limit = 1_000) => {
  const all = [];
  for (let after: number | null = -1; after !== null;) {
    const page: Awaited<ReturnType<typeof bench.datasets.samples>> = await bench.datasets.samples(name, {
      after,
      limit,
    });
    all.push(...page.samples);
    after = page.next;
  }
  return all;
};

describe('a snapshot', () => {
  test('has good labelled frames only, split by camera, with its ratios and a digest that anybody can check', async () => {
    for (let n = 0; n < 5; n++) await bench.labelledCamera('street', [3, 2, 1]);
    for (let n = 0; n < 3; n++) await bench.labelledCamera('beach', [3, 2]);
    const black = await bench.camera();
    const digest = await bench.frame(black, bench.now - 500, { verdict: 'black' });
    await bench.labels.set(digest, 'street', 'anna');
    await bench.frame(await bench.camera('study'), bench.now - 500);

    const dataset = await bench.datasets.create({ name: 'first', perCamera: 2 }, 'anna');
    expect(datasetSchema.parse(dataset)).toEqual(dataset);
    expect(dataset).toMatchObject({ name: 'first', samples: 16, cameras: 8, bytes: 1_600, perCamera: 2 });
    expect(dataset.classes).toEqual([
      { label: 'beach', split: 'camera', counts: { training: 2, reference: 2, test: 2 }, cameras: 3, ratio: 1 / 3 },
      { label: 'street', split: 'camera', counts: { training: 6, reference: 2, test: 2 }, cameras: 5, ratio: 3 },
    ]);
    const samples = await samplesOf('first', 5);
    expect(samples.map((sample) => sampleSchema.parse(sample))).toHaveLength(16);
    expect(createHash('sha256').update(samples.map(sampleLine).join('')).digest('hex')).toBe(dataset.digest);
    for (const { cameraId, part, labelledBy } of samples) {
      expect([part, labelledBy]).toEqual([await bench.partOf(cameraId), 'farm']);
    }
    const { cameras } = await bench.datasets.cameras('first');
    expect(cameras).toHaveLength(8);
    expect(cameras[0]).toMatchObject({ source: 'farm', country: 'FJ', timeZone: 'Pacific/Fiji', licence: 'CC-BY-4.0' });
    expect(JSON.stringify(cameras)).not.toMatch(/pass|hidden|example\//);
  });

  test('never changes, whatever is labelled, captured or asked later', async () => {
    for (let n = 0; n < 3; n++) await bench.labelledCamera('street', [3]);
    const dataset = await bench.datasets.create({ name: 'first' }, 'anna');
    const samples = await samplesOf('first');
    await bench.labels.set(samples[0]?.digest ?? '', 'harbour', 'anna');
    await bench.labelledCamera('street', [1]);
    expect(await bench.datasets.get('first')).toEqual(dataset);
    expect(await samplesOf('first')).toEqual(samples);
    await expect(bench.datasets.create({ name: 'first' }, 'anna')).rejects.toMatchObject({ code: 'DATASET_EXISTS' });
    const both = await Promise.allSettled(['x', 'y'].map((by) => bench.datasets.create({ name: 'second' }, by)));
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(await bench.datasets.create({ name: 'third' }, 'anna')).toMatchObject({ samples: 4 });
    expect((await bench.datasets.list()).map(({ name }) => name)).toEqual(['third', 'second', 'first']);
  });

  test('can be narrowed to classes, cameras and times', async () => {
    const first = await bench.labelledCamera('street', [5, 3, 1]);
    await bench.labelledCamera('beach', [5, 3, 1]);
    const create = (name: string, more: object) => bench.datasets.create({ name, perCamera: 9, ...more }, 'anna');
    expect((await create('a', { classes: ['beach'] })).classes.map(({ label }) => label)).toEqual(['beach']);
    expect((await create('b', { cameraIds: [first] })).classes.map(({ label }) => label)).toEqual(['street']);
    const window = { since: bench.now - 4 * DAY_MS, until: bench.now - 2 * DAY_MS };
    expect(await create('c', window)).toMatchObject({ samples: 2 });
    await expect(create('d', { classes: ['volcano'] })).rejects.toMatchObject({ code: 'DATASET_EMPTY' });
    await expect(create('D!', {})).rejects.toMatchObject({ code: 'DATASET_NAME_INVALID' });
    await expect(bench.datasets.get('d')).rejects.toMatchObject({ code: 'DATASET_NOT_FOUND' });
  });

  test('splits a class with too few cameras by time, and never judges on a frame that was trained on', async () => {
    const camera = await bench.labelledCamera('volcano', [9, 8, 7, 6, 5]);
    await bench.labelledCamera('harbour', [9]);
    const first = await bench.datasets.create({ name: 'first', perCamera: 9 }, 'anna');
    expect(first.classes).toMatchObject([
      { label: 'harbour', split: 'not-evaluable', counts: { training: 1, reference: 0, test: 0 } },
      { label: 'volcano', split: 'time', counts: { training: 3, reference: 1, test: 1 } },
    ]);
    const trained = new Set(
      (await samplesOf('first')).filter(({ part }) => part === 'training').map(({ digest }) => digest),
    );
    // Two more cameras: now the class is split by camera, and the first one's part is training.
    await bench.labelledCamera('volcano', [2]);
    await bench.labelledCamera('volcano', [2]);
    const older = { until: bench.now - 6.5 * DAY_MS, cameraIds: [camera] };
    const again = await bench.datasets.create({ name: 'again', perCamera: 9, ...older }, 'anna');
    expect(again.classes).toMatchObject([{ split: 'not-evaluable' }]);
    const later = await bench.datasets.create({ name: 'later', perCamera: 9, classes: ['volcano'] }, 'anna');
    expect(later.classes).toMatchObject([{ split: 'camera', counts: { training: 5, reference: 1, test: 1 } }]);
    for (const name of ['again', 'later']) {
      const judged = (await samplesOf(name)).filter(({ part }) => part !== 'training');
      expect(judged.filter(({ digest }) => trained.has(digest))).toEqual([]);
    }
  });

  test('judges no class on a camera that taught another one, in this snapshot or in an earlier one', async () => {
    const both = await bench.labelledCamera('volcano', [9, 8, 7, 6, 5]);
    // The same camera, turned round, shows a street, and two more cameras do.
    await bench.frame(both, bench.now - 4 * DAY_MS, { sceneLabel: 'street' });
    for (let n = 0; n < 2; n++) await bench.labelledCamera('street', [3]);
    const first = await bench.datasets.create({ name: 'first', perCamera: 9 }, 'anna');
    expect(first.classes).toMatchObject([
      { label: 'street', split: 'camera', counts: { training: 1, reference: 1, test: 1 } },
      { label: 'volcano', split: 'not-evaluable', counts: { training: 5, reference: 0, test: 0 } },
    ]);
    // Without the street the camera is free to be cut by time, had it not taught that class before.
    const later = await bench.datasets.create({ name: 'later', perCamera: 9, classes: ['volcano'] }, 'anna');
    expect(later.classes).toMatchObject([{ split: 'not-evaluable', counts: { training: 5, test: 0 } }]);
  });

  test('is complete at a full quota: its frames are never evicted', async () => {
    await bench.drop();
    bench = await LearningBench.create({ quotaBytes: 10_000 });
    for (let n = 0; n < 6; n++) await bench.labelledCamera('street', [2], 1_000);
    const dataset = await bench.datasets.create({ name: 'kept' }, 'anna');
    const stranger = await bench.camera('stranger');
    for (let day = 20; day > 0; day--) await bench.frame(stranger, bench.now - day * DAY_MS, {}, 1_000);
    await bench.results.jobs['frames.evict']();
    expect(await bench.results.frames.status()).toMatchObject({ usedBytes: expect.any(Number) as number });
    const kept = await bench.database.one('select count(*) as n from frames where camera_id = $1', [stranger]);
    expect(kept).toEqual({ n: 4 });
    const samples = await samplesOf('kept');
    expect(samples).toHaveLength(dataset.samples);
    for (const { digest, bytes } of samples) {
      const picture = await bench.results.frames.read(digest);
      expect([picture.length, createHash('sha256').update(picture).digest('hex')]).toEqual([bytes, digest]);
    }
    expect(await bench.database.one('select count(*) as n from frames where pinned')).toEqual({ n: 6 });
  });
});

describe('regular samples', () => {
  test('are kept with pauses that double, so that a camera has several frames over whatever time there is', async () => {
    const camera = await bench.camera('study');
    const start = Math.floor(bench.now / DAY_MS) * DAY_MS - 2 * DAY_MS;
    for (let minute = 0; minute < 20 * 60; minute += 30) await bench.frame(camera, start + minute * 60_000);
    const rows = await bench.database.many<{ reason: string; hours: number }>(
      'select reason, (ms_of_instant(at) - $2)::float8 / 3600000 as hours from frames where camera_id = $1 order by at',
      [camera, start],
    );
    expect(rows.map(({ reason, hours }) => [reason, hours])).toEqual([
      ['verdict', 0],
      ['sample', 1],
      ['sample', 2],
      ['sample', 4],
      ['sample', 8],
      ['sample', 16],
    ]);
  });
});

describe('a fresh frame of every camera', () => {
  test('is asked of the agents, kept for that reason, and counted', async () => {
    const [good, bad, silent] = [await bench.camera(), await bench.camera(), await bench.camera()];
    await bench.frame(good, bench.now - 5_000, { sceneLabel: 'street' });
    const running = bench.datasets.create({ name: 'run', captureNow: { waitMs: 4_000 } }, 'anna');
    await eventually(() => bench.hurried.length === 3);
    const at = Math.ceil(await bench.database.clockNow()) + 1;
    await eventually(async () => (await bench.database.clockNow()) > at + 10);
    const fresh = await bench.frame(good, at, { sceneLabel: 'street' });
    await bench.database.query(
      `insert into camera_state (camera_id, verdict, since, last_attempt_at, evidence, agent_id, token)
       values ($1, 'timeout', now(), now() + interval '1 s', '{}', gen_random_uuid(), 1)`,
      [bad],
    );
    const { captured, samples } = await running;
    expect(captured).toMatchObject({ asked: 3, came: 1, bad: 1 });
    expect(samples).toBe(1);
    const sql = 'select reason from frames where digest = $1';
    expect(await bench.database.one(sql, [fresh])).toEqual({ reason: 'asked' });
    expect(silent).toBeGreaterThan(0);
    // Once was enough.
    await bench.frame(good, at + 1, { sceneLabel: 'street' });
    expect(await bench.database.one('select count(*) as n from frames where reason = $1', ['asked'])).toEqual({ n: 1 });
  });
});
