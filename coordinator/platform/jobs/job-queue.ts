import type { z } from 'zod';
import type { Logger } from '../../../common/runtime/logger.ts';
import type { JobKinds } from './kinds.ts';

export const jobStates = ['queued', 'running', 'done', 'failed', 'cancelled'] as const;
export type JobState = (typeof jobStates)[number];

/** How far a running job is, as its handler tells. */
export interface JobProgress {
  done: number;
  total?: number | undefined;
  note?: string | undefined;
}

/** A job as it stands in the database. Times are ms since the epoch, by the database's clock. */
export interface Job {
  id: number;
  kind: string;
  params: unknown;
  uniqueKey: string | null;
  state: JobState;
  progress: JobProgress | null;
  /** Attempts begun so far. */
  attempts: number;
  /** Why the last attempt failed. */
  error: string | null;
  /** What the handler returned. */
  result: unknown;
  createdAt: number;
  /** Since when it waits, or the moment before which it is not tried again. */
  queuedAt: number;
  startedAt: number | null;
  finishedAt: number | null;
}

export interface JobContext {
  /** Aborts on cancel, on shutdown and when this run was given up for dead; the handler then ends as soon as it can. */
  signal: AbortSignal;
  /** Cheap to call often: it is written at most once a second. */
  progress(progress: JobProgress): void;
  logger: Logger;
}

/** Must be idempotent: after a crash the same job runs again. What it resolves with is kept as the job's result (JSON). */
export type JobHandler<Params> = (
  job: { id: number; kind: string; params: Params; attempt: number },
  context: JobContext,
) => Promise<unknown>;

export type ParamsOf<Kinds extends JobKinds, K extends keyof Kinds> = z.output<Kinds[K]['params']>;

export type JobHandlers<Kinds extends JobKinds> = { [K in keyof Kinds]: JobHandler<ParamsOf<Kinds, K>> };

export interface JobFilter {
  state?: JobState | undefined;
  kind?: string | undefined;
  /** Only jobs older than this one: the last id of the page before. */
  beforeId?: number | undefined;
  /** 100 where absent. */
  limit?: number | undefined;
}

/** What is seldom and long. A job that was enqueued runs, whatever dies in between, or its state says why not. */
export interface JobQueue<Kinds extends JobKinds> {
  /** Rejects with `JOB_HANDLER_MISSING` where a kind, or a job in the database, has no handler. */
  start(): Promise<void>;
  /** Hands running jobs back to the queue; they do not count the attempt. */
  stop(): Promise<void>;
  /** With a `uniqueKey` an open job of the same kind and key is returned instead of a second one. */
  enqueue<K extends keyof Kinds & string>(
    kind: K,
    params: z.input<Kinds[K]['params']>,
    options?: { uniqueKey?: string },
  ): Promise<Job>;
  /** Newest first. */
  list(filter?: JobFilter): Promise<Job[]>;
  /** Rejects with `JOB_NOT_FOUND`. */
  get(id: number): Promise<Job>;
  /** Queues a failed or cancelled job anew; rejects with `JOB_STATE` in any other state. */
  retry(id: number): Promise<Job>;
  /** A queued job is cancelled at once, a running one when its handler ends; rejects with `JOB_STATE` once it is over. */
  cancel(id: number): Promise<Job>;
}
