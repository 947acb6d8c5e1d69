import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Dataset } from '../../../common/domain/dataset.ts';
import type { ModelManifest } from '../../../common/domain/model.ts';
import { signManifest } from '../../../common/inference/artifact.ts';
import { importNetwork } from '../../../common/inference/import-network.ts';
import type { TrainingOrder } from '../../../common/protocol/training.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { FolderStore } from '../../../common/storage/object-store.ts';
import { createKeyPair, verifyBytes } from '../../../common/storage/signature.ts';
import { modelRoutes } from '../../../coordinator/learning/routes.ts';
import { Models } from '../../../coordinator/learning/models/models.ts';
import { trainingRoutes } from '../../../coordinator/learning/training/routes.ts';
import { Training } from '../../../coordinator/learning/training/training.ts';
import type { TrainingRules } from '../../../coordinator/learning/training/training.ts';
import { AccessControl } from '../../../coordinator/platform/http/access.ts';
import type { Role } from '../../../coordinator/platform/http/access.ts';
import { createHttp } from '../../../coordinator/platform/http/http.ts';
import type { Http } from '../../../coordinator/platform/http/http.ts';
import { createMetrics } from '../../../coordinator/platform/http/metrics.ts';
import { uploadRoutes } from '../../../coordinator/platform/http/uploads.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { COLOURS, colourNetwork } from '../../support/networks.ts';
import { datasetOf, evaluationOf, iterationOf, reportOf } from '../../support/training.ts';

let db: TestDatabase;
let folder: string;
let http: Http;
let models: Models;
let training: Training;
const tokens = {} as Record<Role, string>;
const fleetKey = createKeyPair();

/** The labels that the schedule finds, and the snapshots that were made. */
const labels = { perClass: 10 };
const snapshots = new Map<string, Dataset>();
const rules: TrainingRules = {
  minimumNew: 20,
  minimumPerClass: 5,
  budgetSeconds: 30,
  passes: null,
  promote: 'better',
  margin: 0.01,
};

beforeAll(async () => {
  db = await createTestDatabase();
  folder = await makeTestFolder('training');
  const { database } = db;
  const store = new FolderStore(join(folder, 'objects'));
  models = new Models({ database, store, key: fleetKey, logger: silentLogger, onPromoted: () => undefined });
  training = new Training({
    database,
    models,
    rules,
    logger: silentLogger,
    snapshots: {
      labels: async () => ({
        good: 3 * labels.perClass,
        classes: COLOURS.map((label) => ({ label, good: labels.perClass })),
      }),
      create: async (name) => {
        if (snapshots.has(name)) throw new AppError('DATASET_EXISTS', `There is a snapshot ${name}.`);
        snapshots.set(name, datasetOf(name, labels.perClass));
        return snapshots.get(name) as Dataset;
      },
      find: async (name) => {
        const found = snapshots.get(name);
        if (!found) throw new AppError('DATASET_NOT_FOUND', `There is no snapshot ${name}.`);
        return found;
      },
    },
  });
  const access = new AccessControl(database);
  for (const role of ['viewer', 'researcher', 'operator'] as const) {
    tokens[role] = (await access.create(role, role)).token;
  }
  http = await createHttp({
    listen: { host: '127.0.0.1', port: 0 },
    version: '0',
    access,
    sessions: { authenticate: async () => undefined },
    database,
    logger: silentLogger,
    metrics: createMetrics(),
    ready: {},
    routes: [trainingRoutes(training), modelRoutes({ models, store }), uploadRoutes(store)],
    pageFolder: join(folder, 'page'),
  });
  await http.start();
});
afterAll(async () => {
  await http.stop();
  await db.drop();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  await db.database.query('delete from training_runs');
  await db.database.query('update model_in_force set version = null, previous = null');
  // An answer serves for a second.
  await eventually(async () => (await models.current()) === null);
  labels.perClass = 10;
});

async function call<T = Record<string, unknown>>(
  method: string,
  path: string,
  body?: unknown,
  role: Role = 'operator',
): Promise<{ status: number; body: T }> {
  const isBytes = body instanceof Uint8Array;
  const response = await fetch(`${http.url}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${tokens[role]}`,
      ...(body !== undefined && { 'content-type': isBytes ? 'application/octet-stream' : 'application/json' }),
    },
    ...(body !== undefined && { body: isBytes ? new Uint8Array(body) : JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as T };
}

const silence = (run: number, seconds = 61) =>
  db.database.query(`update training_runs set heartbeat_at = heartbeat_at - $2 * interval '1 second' where id = $1`, [
    run,
    seconds,
  ]);

async function claimed(trainer = 'one'): Promise<TrainingOrder> {
  const order = await training.claim(trainer);
  if (!order) throw new Error('nothing waited');
  return order;
}

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

/** A whole artifact with the key of a trainer; `change` and `damage` spoil it. */
async function artifact({
  change,
  damage,
}: {
  change?: (manifest: ModelManifest) => void;
  damage?: (name: string, bytes: Buffer) => Buffer;
} = {}) {
  const key = createKeyPair();
  const { manifest, files } = await importNetwork({ name: 'colours', onnx: colourNetwork(), labels: COLOURS });
  change?.(manifest);
  const signed = signManifest(manifest, key.privateKey);
  const uploads: Record<string, string> = {};
  for (const [name, bytes] of files) {
    const { body } = await call<{ upload: string }>('POST', '/uploads', damage?.(name, bytes) ?? bytes);
    uploads[name] = body.upload;
  }
  return {
    version: signed.version,
    body: {
      manifest: signed.bytes.toString('base64'),
      signature: signed.signature,
      publicKey: key.publicKey,
      files: uploads,
    },
  };
}

/** Registered as it is, which costs no child process. */
async function registerColours(): Promise<string> {
  const { manifest, files } = await importNetwork({ name: 'colours', onnx: colourNetwork(), labels: COLOURS });
  return (await models.register(manifest, files)).version;
}

async function publishColours(): Promise<string> {
  const { body, version } = await artifact();
  const answer = await call<{ version: string }>('POST', '/models/artifacts', body);
  expect(answer).toMatchObject({ status: 201, body: { version } });
  return version;
}

const audited = async () => (await db.database.one<{ n: number }>('select count(*)::int as n from audit')).n;

describe('a published artifact', () => {
  test('keeps its version and carries the fleet’s signature', async () => {
    const version = await publishColours();
    const { bytes, signature } = await models.manifest(version);
    expect(verifyBytes(fleetKey.publicKey, bytes, signature)).toBe(true);
    const readable = await fetch(`${http.url}/api/v1/models/${version}/files/trunk.onnx`, {
      headers: { authorization: `Bearer ${tokens.researcher}` },
    });
    expect(Buffer.from(await readable.arrayBuffer()).equals(colourNetwork())).toBe(true);
  });

  test('needs the right to publish', async () => {
    const { body } = await artifact();
    expect((await call('POST', '/models/artifacts', body, 'researcher')).status).toBe(403);
  });

  test.each([
    [
      'tampered',
      'MODEL_TAMPERED',
      {
        damage: (name: string, bytes: Buffer) => (name === 'trunk.onnx' ? Buffer.concat([bytes, Buffer.of(0)]) : bytes),
      },
    ],
    [
      'not what its golden frames say',
      'MODEL_SELF_TEST_FAILED',
      { change: ({ golden }: ModelManifest) => golden[0]?.m0.reverse() },
    ],
  ])('that is %s is refused', async (_, code, spoilt) => {
    const { body, version } = await artifact(spoilt);
    expect(await call('POST', '/models/artifacts', body)).toMatchObject({ status: 400, body: { code } });
    await expect(models.show(version)).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
  });

  test('that another key signed, whose manifest is none, or which lacks a file is refused', async () => {
    const { body } = await artifact();
    const foreign = await call('POST', '/models/artifacts', { ...body, publicKey: createKeyPair().publicKey });
    expect(foreign).toMatchObject({ status: 400, body: { code: 'MODEL_UNSIGNED' } });
    const changed = await call('POST', '/models/artifacts', {
      ...body,
      manifest: Buffer.from('{}').toString('base64'),
    });
    expect(changed).toMatchObject({ status: 400, body: { code: 'MODEL_UNSIGNED' } });
    const partial = await call('POST', '/models/artifacts', { ...body, files: {} });
    expect(partial).toMatchObject({ status: 400, body: { code: 'MODEL_INVALID' } });
  });
});
