import type { Clock } from '../../../common/runtime/clock.ts';
import { AppError, codeOf, messageOf } from '../../../common/runtime/errors.ts';
import type { Logger } from '../../../common/runtime/logger.ts';
import { backoffMs, retry } from '../../../common/runtime/retry.ts';
import type { BackoffPolicy } from '../../../common/runtime/retry.ts';
import type { Job, JobHandler, JobProgress } from './job-queue.ts';
import type { JobRepository, Run } from './job-repository.ts';

/** Also how late a cancel in another process arrives, and how often progress is written. */
const BEAT_EVERY_MS = 1_000;
/** A database that is away this long has given the run up for dead anyway. */
const RECORD_WITHIN_MS = 60_000;

const stopped = (): AppError => new AppError('JOB_STOPPED', 'The coordinator stops; the job goes back into the queue.');
const cancelled = (): AppError => new AppError('JOB_CANCELLED', 'The job was cancelled.');
const lost = (): AppError => new AppError('JOB_LOST', 'This run was given up for dead; another one may have begun.');

export interface JobRunParts {
  repository: JobRepository;
  handler: JobHandler<unknown>;
  maxAttempts: number;
  pause: BackoffPolicy;
  clock: Clock;
  logger: Logger;
}

/** One attempt at one job: the handler, its heartbeat, and the record of how it ended. */
export class JobRun {
  readonly #run: Run;
  readonly #job: Job;
  readonly #parts: JobRunParts;
  readonly #abort = new AbortController();
  #progress: JobProgress | undefined;

  constructor(job: Job, runner: string, parts: JobRunParts) {
    this.#job = job;
    this.#run = { id: job.id, attempt: job.attempts, runner };
    this.#parts = parts;
  }

  cancel(): void {
    this.#abort.abort(cancelled());
  }

  stop(): void {
    this.#abort.abort(stopped());
  }

  /** Resolves when the outcome is recorded. Never rejects: a failing job is an outcome. */
  async complete(params: unknown): Promise<void> {
    const { handler, logger } = this.#parts;
    const { id, kind, attempts } = this.#job;
    const over = new AbortController();
    const beating = this.#beat(over.signal);
    const outcome = await Promise.resolve()
      .then(() =>
        handler(
          { id, kind, params, attempt: attempts },
          { signal: this.#abort.signal, progress: (progress) => (this.#progress = progress), logger },
        ),
      )
      .then(
        (result) => ({ ok: true as const, result }),
        (error: unknown) => ({ ok: false as const, error }),
      );
    over.abort();
    await beating;
    await this.#record(outcome).catch((error: unknown) => {
      logger.error({ err: error }, 'the outcome of a job could not be recorded; it will run again');
    });
  }

  async #beat(over: AbortSignal): Promise<void> {
    const { repository, clock, logger } = this.#parts;
    while (!over.aborted) {
      await clock.sleep(BEAT_EVERY_MS, over).catch(() => undefined);
      if (over.aborted) return;
      try {
        const answer = await repository.beat(this.#run, this.#progress);
        if (answer === 'cancel') this.cancel();
        if (answer === 'gone') this.#abort.abort(lost());
      } catch (error) {
        logger.warn({ err: error }, 'heartbeat of a job failed');
      }
    }
  }

  async #record(outcome: { ok: true; result: unknown } | { ok: false; error: unknown }): Promise<void> {
    const { clock } = this.#parts;
    await retry(() => this.#recordOnce(outcome), {
      policy: { firstMs: 100, ceilingMs: 2_000 },
      clock,
      signal: AbortSignal.timeout(RECORD_WITHIN_MS),
      isFinal: (error) => codeOf(error) !== 'DATABASE_UNAVAILABLE',
    });
  }

  async #recordOnce(outcome: { ok: true; result: unknown } | { ok: false; error: unknown }): Promise<void> {
    const { repository, maxAttempts, pause, logger } = this.#parts;
    const reason = codeOf(this.#abort.signal.reason);
    if (this.#progress) await repository.beat(this.#run, this.#progress);
    // What ended well has ended well, even if the wish to stop came in its last moment.
    if (outcome.ok) return repository.finish(this.#run, 'done', { result: outcome.result });
    if (reason === 'JOB_LOST') return;
    if (reason === 'JOB_STOPPED') return repository.handBack(this.#run);
    if (reason === 'JOB_CANCELLED') return repository.finish(this.#run, 'cancelled', {});
    const error = messageOf(outcome.error);
    if (this.#job.attempts >= maxAttempts) {
      logger.error({ err: outcome.error }, 'job failed');
      return repository.finish(this.#run, 'failed', { error });
    }
    logger.warn({ err: outcome.error, attempt: this.#job.attempts }, 'job failed, it will be tried again');
    return repository.postpone(this.#run, error, backoffMs(pause, this.#job.attempts - 1));
  }
}
