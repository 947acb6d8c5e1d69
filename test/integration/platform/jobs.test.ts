import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { createLogger, silentLogger } from '../../../common/runtime/logger.ts';
import { BullJobQueue } from '../../../coordinator/platform/jobs/bull-job-queue.ts';
import type { JobHandlers } from '../../../coordinator/platform/jobs/job-queue.ts';
import type { JobKinds } from '../../../coordinator/platform/jobs/kinds.ts';
import { startServices } from '../../../coordinator/platform/services/services.ts';
import type { Services } from '../../../coordinator/platform/services/services.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { connectRedis, createTestRedis } from '../../support/redis.ts';
import type { TestRedis } from '../../support/redis.ts';

const kinds = {
  add: { params: z.object({ a: z.number(), b: z.number() }), maxAttempts: 2 },
  wait: { params: z.strictObject({}), maxAttempts: 2 },
} satisfies JobKinds;

const handlers: JobHandlers<typeof kinds> = {
  add: async ({ params }, { progress }) => {
    progress({ done: 1, total: 1 });
    return { sum: params.a + params.b };
  },
  wait: (_job, { signal }) => untilAborted(signal),
};

const logger = process.env['CAMFLEET_TEST_LOG']
  ? createLogger({ level: process.env['CAMFLEET_TEST_LOG'] })
  : silentLogger;
let testDatabase: TestDatabase;
let database: TestDatabase['database'];
let testRedis: TestRedis;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = testDatabase.database;
  testRedis = createTestRedis();
});

afterAll(async () => {
  await testRedis.clear();
  await testDatabase.drop();
});

beforeEach(async () => {
  await database.query('truncate jobs, job_schedules');
  await testRedis.clear();
});

interface Overrides<K extends JobKinds> {
  kinds: K;
  handlers: JobHandlers<K>;
  redis?: Services['redis'];
}

function makeQueueOf<K extends JobKinds>({ redis = testRedis.connection, ...of }: Overrides<K>): BullJobQueue<K> {
  const pause = { firstMs: 50, ceilingMs: 50 };
  const queue = new BullJobQueue({
    database,
    redis,
    prefix: testRedis.prefix,
    logger,
    sweepEveryMs: 100,
    pause,
    ...of,
  });
  onTestFinished(() => queue.stop());
  return queue;
}

const makeQueue = (overrides: Partial<Overrides<typeof kinds>> = {}): BullJobQueue<typeof kinds> =>
  makeQueueOf({ kinds, handlers, ...overrides });

async function startQueue(overrides: Partial<Overrides<typeof kinds>> = {}): Promise<BullJobQueue<typeof kinds>> {
  const queue = makeQueue(overrides);
  await queue.start();
  return queue;
}

async function stateOf(queue: Pick<BullJobQueue<JobKinds>, 'get'>, id: number, state: string) {
  return eventually(
    async () => {
      const job = await queue.get(id);
      if (job.state !== state) throw new Error(`job ${id} is ${job.state} (${job.error ?? 'no error'})`);
      return job;
    },
    { what: `job ${id} to be ${state}` },
  );
}

describe('a job', () => {
  test('runs and keeps its result, its progress and its times', async () => {
    const queue = await startQueue();
    const { id } = await queue.enqueue('add', { a: 2, b: 3 });
    const job = await stateOf(queue, id, 'done');
    expect(job).toMatchObject({
      kind: 'add',
      result: { sum: 5 },
      progress: { done: 1, total: 1 },
      attempts: 1,
      error: null,
    });
    expect(job.finishedAt).toBeGreaterThanOrEqual(job.startedAt ?? Infinity);
    expect(await queue.list({ state: 'done', kind: 'add' })).toEqual([job]);
    expect(await queue.list({ beforeId: id })).toEqual([]);
  });

  test('with wrong parameters is refused before it is written', async () => {
    const queue = await startQueue();
    await expect(queue.enqueue('add', { a: 1 } as never)).rejects.toMatchObject({ code: 'JOB_PARAMS' });
    expect(await queue.list()).toEqual([]);
  });

  test('with a key is not enqueued a second time while it is open', async () => {
    const queue = await startQueue();
    const first = await queue.enqueue('wait', {}, { uniqueKey: 'one' });
    expect((await queue.enqueue('wait', {}, { uniqueKey: 'one' })).id).toBe(first.id);
    expect((await queue.enqueue('wait', {}, { uniqueKey: 'two' })).id).not.toBe(first.id);
    await queue.cancel(first.id);
    await stateOf(queue, first.id, 'cancelled');
    expect((await queue.enqueue('wait', {}, { uniqueKey: 'one' })).id).not.toBe(first.id);
  });

  test('that fails is tried again, at most as often as its kind allows, and can be retried by hand', async () => {
    let isBroken = true;
    const attempts: number[] = [];
    const queue = await startQueue({
      handlers: {
        ...handlers,
        add: async ({ attempt }) => {
          attempts.push(attempt);
          if (isBroken) throw new Error('the disk is full');
          return 'mended';
        },
      },
    });
    const { id } = await queue.enqueue('add', { a: 1, b: 1 });
    expect(await stateOf(queue, id, 'failed')).toMatchObject({ error: 'the disk is full', attempts: 2 });
    isBroken = false;
    await queue.retry(id);
    expect(await stateOf(queue, id, 'done')).toMatchObject({ result: 'mended', error: null, attempts: 1 });
    expect(attempts).toEqual([1, 2, 1]);
    await expect(queue.retry(id)).rejects.toMatchObject({ code: 'JOB_STATE' });
    await expect(queue.cancel(id)).rejects.toMatchObject({ code: 'JOB_STATE' });
    await expect(queue.get(id + 1)).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
  });

  test('is cancelled by another process as well', async () => {
    const runner = await startQueue();
    const { id } = await runner.enqueue('wait', {});
    await stateOf(runner, id, 'running');
    const other = makeQueue();
    await other.cancel(id);
    await stateOf(runner, id, 'cancelled');
  });

  test('goes back into the queue when its process stops, and another one does it', async () => {
    const first = await startQueue();
    const { id } = await first.enqueue('wait', {});
    await stateOf(first, id, 'running');
    await first.stop();
    expect(await first.get(id)).toMatchObject({ state: 'queued', attempts: 0 });
    const second = await startQueue({ handlers: { ...handlers, wait: async () => 'done by the second' } });
    expect(await stateOf(second, id, 'done')).toMatchObject({ result: 'done by the second' });
  });

  test('whose process died runs again, and what the dead one says later is ignored', async () => {
    const ends: ((value: string) => void)[] = [];
    const queue = await startQueue({
      handlers: { ...handlers, wait: () => new Promise((resolve) => ends.push(resolve)) },
    });
    const { id } = await queue.enqueue('wait', {});
    await stateOf(queue, id, 'running');
    // As another process would see a dead runner's job: not heard of for long, under a name that no heartbeat bears.
    await database.query(`update jobs set runner = 'dead', heartbeat_at = now() - interval '2 minutes'`);
    const other = await startQueue({ handlers: { ...handlers, wait: async () => 'second run' } });
    expect(await stateOf(other, id, 'done')).toMatchObject({ result: 'second run', attempts: 2 });
    ends[0]?.('first run');
    await eventually(() => ends.length === 1);
    await queue.stop();
    expect(await other.get(id)).toMatchObject({ state: 'done', result: 'second run' });
  });
});

describe('start', () => {
  test('fails when a kind has no handler', async () => {
    const queue = makeQueue({ handlers: { add: handlers.add } as never });
    await expect(queue.start()).rejects.toMatchObject({ code: 'JOB_HANDLER_MISSING' });
  });

  test('fails when an open job of an unknown kind lies in the database', async () => {
    await database.query(`insert into jobs (kind) values ('from.another.version')`);
    await expect(makeQueue().start()).rejects.toThrow('from.another.version');
  });
});

test('a repeated kind runs once a turn, however many processes there are', async () => {
  let runs = 0;
  const repeated = { tick: { params: z.strictObject({}), maxAttempts: 1, every: { seconds: 1 } } } satisfies JobKinds;
  const tick = async (): Promise<void> => void runs++;
  const queues = [1, 2, 3].map(() => makeQueueOf({ kinds: repeated, handlers: { tick } }));
  const startedAt = performance.now();
  await Promise.all(queues.map((queue) => queue.start()));
  await eventually(() => runs >= 4);
  await Promise.all(queues.map((queue) => queue.stop()));
  const seconds = (performance.now() - startedAt) / 1000;
  // The very first turn is due at once, besides those that the passing seconds bring.
  expect(runs).toBeLessThanOrEqual(Math.ceil(seconds) + 1);
});

describe('when Redis', () => {
  let folder: string;
  let services: Services;

  beforeEach(async () => {
    folder = await makeTestFolder('jobs');
    services = await startServices({ dataFolder: join(folder, 'data'), logger, databaseUrl: 'postgres://unused' });
    return async () => {
      await services.stop();
      await rm(folder, { recursive: true });
    };
  });

  test('restarts, jobs go on', async () => {
    const queue = await startQueue({ redis: services.redis });
    const before = await queue.enqueue('add', { a: 1, b: 1 });
    await stateOf(queue, before.id, 'done');
    await services.redisServer?.restart();
    const after = await queue.enqueue('add', { a: 2, b: 2 });
    expect(await stateOf(queue, after.id, 'done')).toMatchObject({ result: { sum: 4 } });
  });

  test('is away, enqueueing still works and the job runs when it is back', async () => {
    const queue = await startQueue({ redis: services.redis });
    await stateOf(queue, (await queue.enqueue('add', { a: 0, b: 0 })).id, 'done');
    await services.redisServer?.stop();
    const { id } = await queue.enqueue('add', { a: 3, b: 3 });
    expect((await queue.get(id)).state).toBe('queued');
    await services.redisServer?.start();
    expect(await stateOf(queue, id, 'done')).toMatchObject({ result: { sum: 6 } });
  });

  test('is away at the start, jobs run as soon as it comes', async () => {
    await services.redisServer?.stop();
    const queue = await startQueue({ redis: services.redis });
    const { id } = await queue.enqueue('add', { a: 4, b: 4 });
    await services.redisServer?.start();
    expect(await stateOf(queue, id, 'done')).toMatchObject({ result: { sum: 8 } });
    await queue.stop();
  });

  test('loses its data, no job is lost', async () => {
    const sleeping = makeQueue({ redis: services.redis });
    const ids = await Promise.all([1, 2, 3].map(async (n) => (await sleeping.enqueue('add', { a: n, b: n })).id));
    const redis = connectRedis(services.redis);
    await redis.flushall();
    redis.disconnect();
    const queue = await startQueue({ redis: services.redis });
    const other = await queue.enqueue('wait', {});
    await stateOf(queue, other.id, 'running');
    for (const id of ids) await stateOf(queue, id, 'done');
    const again = connectRedis(services.redis);
    await again.flushall();
    again.disconnect();
    const late = await queue.enqueue('add', { a: 5, b: 5 });
    await stateOf(queue, late.id, 'done');
    await queue.cancel(other.id);
    await stateOf(queue, other.id, 'cancelled');
  });
});

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    const end = (): void => reject(signal.reason as Error);
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
  });
