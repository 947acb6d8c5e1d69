import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { systemClock } from '../../../common/runtime/clock.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { AppError, isAbort } from '../../../common/runtime/errors.ts';
import type { Logger } from '../../../common/runtime/logger.ts';
import type { BackoffPolicy } from '../../../common/runtime/retry.ts';
import type { Database } from '../database/database.ts';
import { BullCarrier } from './bull-carrier.ts';
import type { RedisConnection } from './bull-carrier.ts';
import type { Job, JobFilter, JobHandler, JobHandlers, JobQueue } from './job-queue.ts';
import { JobRepository, REPEATED } from './job-repository.ts';
import { JobRun } from './job-run.ts';
import type { JobKinds } from './kinds.ts';

export interface JobQueueOptions<Kinds extends JobKinds> {
  database: Database;
  redis: RedisConnection;
  kinds: Kinds;
  handlers: JobHandlers<Kinds>;
  logger: Logger;
  clock?: Clock;
  /** Begins every key in Redis. */
  prefix?: string;
  /** Jobs at a time in this process. One long import must not hold up retention. */
  concurrency?: number;
  /** How often to look for what was lost, for what is due, and for the dead. */
  sweepEveryMs?: number;
  /** Before the next attempt of a failed job: the first is soon, the last ones leave time to mend something. */
  pause?: BackoffPolicy;
}

const PAUSE = { firstMs: 5_000, ceilingMs: 600_000 };
const CLEAN_EVERY_MS = 3_600_000;

/** The table `jobs` is the truth, Bull carries ids, and a sweep carries again what Redis lost. */
export class BullJobQueue<Kinds extends JobKinds> implements JobQueue<Kinds> {
  readonly #options: Required<JobQueueOptions<Kinds>>;
  readonly #repository: JobRepository;
  readonly #carrier: BullCarrier;
  readonly #running = new Map<number, JobRun>();
  /** Every call from Bull that has not resolved, those that still claim included. */
  readonly #calls = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  readonly #runner = randomUUID();
  #sweeping: Promise<void> = Promise.resolve();
  #cleanAt = 0;

  constructor(options: JobQueueOptions<Kinds>) {
    const defaults = { clock: systemClock, prefix: 'camfleet', concurrency: 4, sweepEveryMs: 2_000, pause: PAUSE };
    this.#options = { ...defaults, ...options };
    this.#repository = new JobRepository(options.database);
    this.#carrier = new BullCarrier(this.#options);
  }

  async start(): Promise<void> {
    const { handlers, kinds } = this.#options;
    const wanted = new Set([...Object.keys(kinds), ...(await this.#repository.openKinds())]);
    const missing = [...wanted].filter((kind) => !(kind in kinds) || typeof handlers[kind] !== 'function');
    if (missing.length > 0) {
      throw new AppError(
        'JOB_HANDLER_MISSING',
        `No handler for jobs of kind ${missing.join(', ')}. Register one, or cancel the jobs that were left by another version.`,
      );
    }
    this.#sweeping = this.#sweepUntilStopped();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#sweeping;
    for (const run of this.#running.values()) run.stop();
    await Promise.allSettled(this.#calls);
    await this.#carrier.close();
  }

  async enqueue<K extends keyof Kinds & string>(
    kind: K,
    params: z.input<Kinds[K]['params']>,
    { uniqueKey }: { uniqueKey?: string } = {},
  ): Promise<Job> {
    const checked = this.#options.kinds[kind]?.params.safeParse(params);
    if (!checked?.success) {
      const problem = checked ? checked.error.issues.map(({ message }) => message).join('; ') : 'there is no such kind';
      throw new AppError('JOB_PARAMS', `A job of kind "${kind}" cannot be made: ${problem}.`);
    }
    const job = await this.#repository.insert(kind, checked.data, uniqueKey);
    // Not awaited: without Redis the sweep brings it later.
    if (job.state === 'queued') void this.#carrier.carry(job.id, job.queuedAt);
    return job;
  }

  list(filter: JobFilter = {}): Promise<Job[]> {
    return this.#repository.list(filter);
  }

  get(id: number): Promise<Job> {
    return this.#repository.find(id);
  }

  async retry(id: number): Promise<Job> {
    const job = await this.#repository.retry(id);
    void this.#carrier.carry(job.id, job.queuedAt);
    return job;
  }

  async cancel(id: number): Promise<Job> {
    const job = await this.#repository.cancel(id);
    this.#running.get(id)?.cancel();
    return job;
  }

  async #sweepUntilStopped(): Promise<void> {
    const { clock, logger, sweepEveryMs, concurrency } = this.#options;
    const signal = this.#stopping.signal;
    let isListening = false;
    while (!signal.aborted) {
      try {
        await this.#sweep();
        if (!isListening && this.#carrier.isConnected) {
          this.#carrier.listen(concurrency, (id) => this.#called(id));
          isListening = true;
        }
      } catch (error) {
        logger.warn({ err: error }, 'sweep of the jobs failed, it is tried again');
      }
      await clock.sleep(sweepEveryMs, signal).catch((error: unknown) => {
        if (!isAbort(error) && !signal.aborted) throw error;
      });
    }
  }

  async #sweep(): Promise<void> {
    const { kinds, clock, logger } = this.#options;
    const maxAttempts = Object.fromEntries(Object.entries(kinds).map(([kind, { maxAttempts: most }]) => [kind, most]));
    const dead = await this.#repository.requeueDead(maxAttempts);
    if (dead.length > 0) logger.warn({ jobs: dead }, 'jobs whose process died');
    await this.#enqueueRepeated();
    for (const { id, queuedAt } of await this.#repository.due()) {
      if (!(await this.#carrier.carry(id, queuedAt))) break;
    }
    if (clock.monotonic() < this.#cleanAt) return;
    await this.#repository.removeOld();
    this.#cleanAt = clock.monotonic() + CLEAN_EVERY_MS;
  }

  async #enqueueRepeated(): Promise<void> {
    for (const [kind, { every }] of Object.entries(this.#options.kinds)) {
      if (!every) continue;
      if (!(await this.#repository.takeTurn(kind, every.seconds, every.offsetSeconds ?? 0))) continue;
      await this.#repository.insert(kind, {}, REPEATED);
    }
  }

  async #called(id: number): Promise<void> {
    const call = this.#run(id);
    this.#calls.add(call);
    await call.finally(() => this.#calls.delete(call));
  }

  /** What Bull calls. Resolves at once where there is nothing to do: ids may arrive twice, or late. */
  async #run(id: number): Promise<void> {
    if (this.#stopping.signal.aborted || this.#running.has(id)) return;
    const { clock, logger, kinds, handlers, pause } = this.#options;
    const job = await this.#repository.claim(id, this.#runner);
    if (!job) return;
    const run = new JobRun(job, this.#runner, {
      repository: this.#repository,
      handler: handlers[job.kind] as JobHandler<unknown>,
      maxAttempts: kinds[job.kind]?.maxAttempts ?? 1,
      pause,
      clock,
      logger: logger.child({ job: job.id, kind: job.kind }),
    });
    this.#running.set(id, run);
    // Stopping began while we claimed: `stop` may have looked for runs already.
    if (this.#stopping.signal.aborted) run.stop();
    await run.complete(job.params).finally(() => this.#running.delete(id));
  }
}
