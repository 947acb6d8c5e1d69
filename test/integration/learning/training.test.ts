import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TrainingOrder } from '../../../common/protocol/training.ts';
import type { Models } from '../../../coordinator/learning/models/models.ts';
import type { Training } from '../../../coordinator/learning/training/training.ts';
import { eventually } from '../../support/eventually.ts';
import { COLOURS, colourNetwork } from '../../support/networks.ts';
import { datasetOf, evaluationOf, iterationOf, reportOf } from '../../support/training.ts';
import { useTrainingBench } from './training-bench.ts';

const bench = useTrainingBench();
const { labels, snapshots, rules } = bench;
const call: typeof bench.call = (...args) => bench.call(...args);
const registerColours = () => bench.registerColours();
let models: Models;
let training: Training;
beforeAll(() => void ({ models, training } = bench));
beforeEach(async () => {
  await bench.db.database.query('delete from training_runs');
  await bench.db.database.query('update model_in_force set version = null, previous = null');
  // An answer serves for a second.
  await eventually(async () => (await models.current()) === null);
  labels.perClass = 10;
});

const silence = (run: number, seconds = 61) =>
  bench.db.database.query(
    `update training_runs set heartbeat_at = heartbeat_at - $2 * interval '1 second' where id = $1`,
    [run, seconds],
  );

async function claimed(trainer = 'one'): Promise<TrainingOrder> {
  const order = await training.claim(trainer);
  if (!order) throw new Error('nothing waited');
  return order;
}

const audited = async () => (await bench.db.database.one<{ n: number }>('select count(*)::int as n from audit')).n;

describe('a run', () => {
  test('is asked for by a researcher, claimed, followed and finished', async () => {
    expect((await call('POST', '/training/runs', {}, 'viewer')).status).toBe(403);
    const started = await call<{ id: number; state: string; settings: object }>(
      'POST',
      '/training/runs',
      {},
      'researcher',
    );
    expect(started).toMatchObject({
      status: 201,
      body: { state: 'waiting', askedBy: 'researcher', settings: { budgetSeconds: 30 } },
    });
    expect((await call('GET', '/training/waiting')).body).toEqual({ waiting: 1 });
    const { body } = await call<{ run: TrainingOrder }>('POST', '/training/claims', { trainer: 'one' });
    expect(body.run).toMatchObject({ id: started.body.id, attempt: 1, settings: { budgetSeconds: 30 } });
    expect((await call('POST', '/training/claims', { trainer: 'two' })).body).toEqual({ run: null });

    const progress = { trainer: 'one', attempt: 1, note: 'trains', iterations: [iterationOf(1), iterationOf(2)] };
    const path = `/training/runs/${body.run.id}`;
    expect((await call('PUT', `${path}/progress`, progress)).body).toEqual({ goOn: 'on' });
    // The answer was lost: the same once more.
    await call('PUT', `${path}/progress`, { ...progress, iterations: [iterationOf(2), iterationOf(1, 'm1')] });
    expect((await call('GET', path, undefined, 'viewer')).body).toMatchObject({
      state: 'running',
      note: 'trains',
      progress: { run: 'm1', iteration: 1 },
      iterations: [{ iteration: 1 }, { iteration: 2 }, { run: 'm1' }],
    });

    const modelVersion = await registerColours();
    const result = { trainer: 'one', attempt: 1, modelVersion, report: reportOf(0.8), standing: null };
    expect(await call('POST', `${path}/result`, result)).toMatchObject({
      status: 200,
      body: { state: 'succeeded', modelVersion, decision: 'put in force: the first model', figures: { macroF1: 0.8 } },
    });
    // Delivered twice.
    expect((await call('POST', `${path}/result`, result)).body).toMatchObject({ state: 'succeeded' });
    expect(await models.current()).toBe(modelVersion);
    expect((await call<{ runs: unknown[] }>('GET', '/training/runs', undefined, 'viewer')).body.runs).toHaveLength(1);
  });

  test('heartbeats are not audited, decisions are', async () => {
    const run = await training.start({}, 'anna');
    const { attempt } = await claimed();
    const before = await audited();
    await call('PUT', `/training/runs/${run.id}/progress`, { trainer: 'one', attempt, note: 'x', iterations: [] });
    expect(await audited()).toBe(before);
    await call('POST', `/training/runs/${run.id}/cancel`, undefined, 'researcher');
    expect(await audited()).toBe(before + 1);
  });

  test('a trainer that falls silent loses its claim, and after the third the run fails', async () => {
    const run = await training.start({}, 'anna');
    for (const attempt of [1, 2, 3]) {
      const order = await claimed(`trainer ${attempt}`);
      expect(order).toMatchObject({ id: run.id, attempt });
      await silence(run.id, 59);
      expect(await training.waiting(), 'a minute is not over').toBe(0);
      await silence(run.id, 2);
      const [listed] = await training.list(1);
      expect(listed).toMatchObject({ state: attempt < 3 ? 'waiting' : 'failed', lost: attempt });
      expect(listed?.error).toBe(`the trainer trainer ${attempt} was not heard of for 60 s`);
    }
    expect(await training.claim('four')).toBeNull();
  });

  test('a trainer that was given up for dead can change nothing', async () => {
    const run = await training.start({}, 'anna');
    const lost = await claimed('one');
    await silence(run.id);
    await training.waiting();
    await claimed('two');
    const claim = { trainer: 'one', attempt: lost.attempt };
    expect(await training.progress(run.id, { ...claim, note: 'x', iterations: [] })).toBe('gone');
    await expect(training.fail(run.id, claim, 'late')).rejects.toMatchObject({ code: 'TRAINING_CLAIM_CONFLICT' });
    const modelVersion = await registerColours();
    await expect(
      training.finish(run.id, { ...claim, modelVersion, report: reportOf(0.9), standing: null }),
    ).rejects.toMatchObject({ code: 'TRAINING_CLAIM_CONFLICT' });
    expect(await models.current(), 'nothing went into force').toBeNull();
    expect(await training.show(run.id)).toMatchObject({ state: 'running', trainer: 'two', attempts: 2 });
  });

  test('is handed back without a mark, and another trainer goes on', async () => {
    const run = await training.start({}, 'anna');
    const { attempt } = await claimed();
    await training.handBack(run.id, { trainer: 'one', attempt });
    expect(await claimed('two')).toMatchObject({ id: run.id, attempt: 2 });
    expect(await training.show(run.id)).toMatchObject({ lost: 0, error: null });
  });

  test('is cancelled at once while it waits, and by its trainer while it runs', async () => {
    const waiting = await training.start({}, 'anna');
    expect(await training.cancel(waiting.id)).toMatchObject({ state: 'cancelled' });
    const running = await training.start({}, 'anna');
    const { attempt } = await claimed();
    expect(await training.cancel(running.id)).toMatchObject({ state: 'running' });
    const claim = { trainer: 'one', attempt };
    expect(await training.progress(running.id, { ...claim, note: 'x', iterations: [] })).toBe('cancel');
    expect(await training.fail(running.id, claim, 'stopped')).toMatchObject({ state: 'cancelled', error: null });
    await expect(training.cancel(running.id)).rejects.toMatchObject({ code: 'TRAINING_STATE' });
  });

  test('of several trainers that ask at once each gets another one', async () => {
    const runs = [await training.start({}, 'a'), await training.start({}, 'b'), await training.start({}, 'c')];
    const orders = await Promise.all(['one', 'two', 'three', 'four'].map((name) => training.claim(name)));
    expect(orders.flatMap((order) => order?.id ?? []).sort()).toEqual(runs.map(({ id }) => id).sort());
  });
});

describe('the schedule', () => {
  test('waits for enough labels of enough classes, then trains when enough new ones came', async () => {
    labels.perClass = 6;
    expect(await training.runSchedule()).toEqual({ skipped: '18 new labels, 20 are waited for' });
    labels.perClass = 10;
    rules.minimumPerClass = 11;
    expect(await training.runSchedule()).toMatchObject({
      skipped: expect.stringContaining('two are needed') as string,
    });
    rules.minimumPerClass = 5;
    const first = (await training.runSchedule()) as { run: number };
    expect(await training.show(first.run)).toMatchObject({ state: 'waiting', askedBy: 'the schedule' });
    expect(await training.runSchedule()).toEqual({ skipped: 'a run waits or runs already' });
    await training.cancel(first.run);
    expect(await training.runSchedule()).toEqual({ skipped: '0 new labels, 20 are waited for' });
    labels.perClass = 17;
    expect(await training.runSchedule()).toMatchObject({ run: expect.any(Number) as number });
  });

  test('that stalls and runs twice at once asks for one run', async () => {
    labels.perClass = 20;
    await Promise.all([training.runSchedule(), training.runSchedule(), training.runSchedule()]);
    expect(await training.list(10)).toHaveLength(1);
  });

  test('goes on with the snapshot of a job that died before it asked for a run', async () => {
    labels.perClass = 25;
    const { id } = await training.start({}, 'anna');
    await training.cancel(id);
    labels.perClass = 35;
    snapshots.set(`training-${id + 1}-of-105-labels`, datasetOf('left behind', 35));
    const { run } = (await training.runSchedule()) as { run: number };
    expect((await training.show(run)).dataset).toBe('left behind');
  });
});

describe('promotion', () => {
  const finish = async (fused: number, standing: { version: string; macroF1: number } | null, promote?: 'always') => {
    const run = await training.start({ ...(promote && { promote }) }, 'anna');
    const { attempt } = await claimed();
    const modelVersion = await registerColours();
    return training.finish(run.id, {
      trainer: 'one',
      attempt,
      modelVersion,
      report: reportOf(fused),
      standing: standing && { version: standing.version, evaluation: evaluationOf(standing.macroF1) },
    });
  };

  test('takes a better model, keeps a better one in force, and forgives the margin', async () => {
    const first = await finish(0.7, null);
    const version = first.modelVersion as string;
    const worse = await finish(0.6, { version, macroF1: 0.7 });
    expect(worse.decision).toBe('registered only: macro F1 0.600 against 0.700 on the same 12 test images');
    expect(await models.current()).toBe(version);
    const close = await finish(0.695, { version, macroF1: 0.7 });
    expect(close.decision).toContain('put in force');
    expect(await models.current()).toBe(close.modelVersion);
  });

  test('never replaces an imported model unasked', async () => {
    const imported = await models.import({ name: 'imported', onnx: colourNetwork(), labels: COLOURS });
    await models.promote(imported.version);
    const run = await finish(0.99, { version: imported.version, macroF1: 0.1 });
    expect(run.decision).toContain('an imported model is in force');
    expect(await models.current()).toBe(imported.version);
    expect((await finish(0.5, null, 'always')).decision).toContain('as the run asked');
  });

  test('does not believe a comparison with a model that is no longer in force', async () => {
    const first = await finish(0.7, null);
    const run = await finish(0.9, { version: 'f'.repeat(64), macroF1: 0.1 });
    expect(run.decision).toContain('not compared');
    expect(await models.current()).toBe(first.modelVersion);
  });
});
