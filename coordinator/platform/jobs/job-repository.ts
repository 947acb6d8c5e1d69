import type { Database } from '../database/database.ts';
import { isDuplicate } from '../database/errors.ts';
import { statement } from '../database/queries.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import type { Job, JobFilter, JobProgress, JobState } from './job-queue.ts';

/** A run that was not heard of for this long is given up for dead: a dozen heartbeats. */
const DEAD_AFTER_SECONDS = 60;
/** Repeated jobs would fill the list with "done"; what people started is kept longer. */
const KEEP_REPEATED = '1 day';
const KEEP_OTHERS = '30 days';
export const REPEATED = 'schedule';

interface JobRow {
  [column: string]: unknown;
  id: number;
  kind: string;
  params: unknown;
  unique_key: string | null;
  state: JobState;
  progress: JobProgress | null;
  attempts: number;
  error: string | null;
  result: unknown;
  created_at: Date;
  run_after: Date;
  started_at: Date | null;
  finished_at: Date | null;
}

/** One run of one job: a later run of the same job has another number, so a run given up for dead can change nothing. */
export interface Run {
  id: number;
  attempt: number;
  runner: string;
}

const OURS = `id = $1 and attempts = $2 and runner = $3 and state = 'running'`;
const own = ({ id, attempt, runner }: Run): unknown[] => [id, attempt, runner];

export class JobRepository {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async insert(kind: string, params: unknown, uniqueKey: string | undefined): Promise<Job> {
    for (;;) {
      const row = await this.#database.maybeOne<JobRow>(
        `insert into jobs (kind, params, unique_key) values ($1, $2, $3)
         on conflict (kind, unique_key) where state in ('queued', 'running') do nothing returning *`,
        [kind, JSON.stringify(params), uniqueKey ?? null],
      );
      const open = row ?? (await this.#findOpen(kind, uniqueKey));
      // Neither inserted nor found: the open one ended in between.
      if (open) return toJob(open);
    }
  }

  #findOpen(kind: string, uniqueKey: string | undefined): Promise<JobRow | undefined> {
    return this.#database.maybeOne<JobRow>(
      `select * from jobs where kind = $1 and unique_key = $2 and state in ('queued', 'running')`,
      [kind, uniqueKey],
    );
  }

  async find(id: number): Promise<Job> {
    const row = await this.#database.maybeOne<JobRow>('select * from jobs where id = $1', [id]);
    if (!row) throw new AppError('JOB_NOT_FOUND', `There is no job ${id}.`);
    return toJob(row);
  }

  async list({ state, kind, beforeId, limit = 100 }: JobFilter): Promise<Job[]> {
    const rows = await this.#database.many<JobRow>(
      `select * from jobs
       where ($1::text is null or state = $1) and ($2::text is null or kind = $2) and ($3::bigint is null or id < $3)
       order by id desc limit $4`,
      [state ?? null, kind ?? null, beforeId ?? null, limit],
    );
    return rows.map(toJob);
  }

  /** Queued jobs that are due, oldest first. */
  async due(): Promise<{ id: number; queuedAt: number }[]> {
    const rows = await this.#database.many<{ id: number; run_after: Date }>(
      `select id, run_after from jobs where state = 'queued' and run_after <= clock_timestamp() order by id limit 1000`,
    );
    return rows.map((row) => ({ id: row.id, queuedAt: row.run_after.getTime() }));
  }

  /** Takes a queued job for this run; `undefined` where somebody else has it or it is no longer wanted. */
  async claim(id: number, runner: string): Promise<Job | undefined> {
    const row = await this.#database.maybeOne<JobRow>(
      `update jobs set state = 'running', attempts = attempts + 1, runner = $2, progress = null,
         heartbeat_at = clock_timestamp(), started_at = clock_timestamp()
       where id = $1 and state = 'queued' and run_after <= clock_timestamp() returning *`,
      [id, runner],
    );
    return row && toJob(row);
  }

  /** Tells that the run lives. `gone`: it was given up for dead, another may have begun. */
  async beat(run: Run, progress: JobProgress | undefined): Promise<'on' | 'cancel' | 'gone'> {
    const row = await this.#database.maybeOne<{ cancel_requested: boolean }>(
      statement(
        'jobs.beat',
        `update jobs set heartbeat_at = clock_timestamp(), progress = coalesce($4::jsonb, progress)
         where ${OURS} returning cancel_requested`,
      ),
      [...own(run), progress === undefined ? null : JSON.stringify(progress)],
    );
    if (!row) return 'gone';
    return row.cancel_requested ? 'cancel' : 'on';
  }

  async finish(run: Run, state: 'done' | 'failed' | 'cancelled', { result, error }: Outcome): Promise<void> {
    await this.#database.query(
      `update jobs set state = $4, result = $5, error = $6, finished_at = clock_timestamp(), runner = null where ${OURS}`,
      [...own(run), state, result === undefined ? null : JSON.stringify(result), error ?? null],
    );
  }

  /** Back into the queue after a failure, not before the pause is over. */
  async postpone(run: Run, error: string, pauseMs: number): Promise<void> {
    await this.#database.query(
      `update jobs set state = case when cancel_requested then 'cancelled' else 'queued' end, error = $4, runner = null,
         finished_at = case when cancel_requested then clock_timestamp() end,
         run_after = clock_timestamp() + $5 * interval '1 ms' where ${OURS}`,
      [...own(run), error, pauseMs],
    );
  }

  /** Back into the queue as if this run had never begun. */
  async handBack(run: Run): Promise<void> {
    await this.#database.query(
      `update jobs set state = 'queued', attempts = attempts - 1, runner = null, started_at = null,
         run_after = clock_timestamp() where ${OURS}`,
      own(run),
    );
  }

  async retry(id: number): Promise<Job> {
    const changed = await this.#database
      .maybeOne<JobRow>(
        `update jobs set state = 'queued', attempts = 0, error = null, result = null, progress = null, cancel_requested = false,
           run_after = clock_timestamp(), started_at = null, finished_at = null
         where id = $1 and state in ('failed', 'cancelled') returning *`,
        [id],
      )
      .catch((error: unknown) => {
        if (!isDuplicate(error)) throw error;
        throw new AppError('JOB_STATE', `Job ${id} cannot be retried: the same work is queued or running already.`);
      });
    return changed ? toJob(changed) : this.#wrongState(id, 'retried', 'failed or cancelled');
  }

  async cancel(id: number): Promise<Job> {
    const changed = await this.#database.maybeOne<JobRow>(
      `update jobs set cancel_requested = true, state = case state when 'queued' then 'cancelled' else state end,
         finished_at = case state when 'queued' then clock_timestamp() end
       where id = $1 and state in ('queued', 'running') returning *`,
      [id],
    );
    return changed ? toJob(changed) : this.#wrongState(id, 'cancelled', 'queued or running');
  }

  async #wrongState(id: number, what: string, expected: string): Promise<never> {
    const { state } = await this.find(id);
    throw new AppError('JOB_STATE', `Job ${id} is ${state}; only a job that is ${expected} can be ${what}.`);
  }

  /** Jobs whose runner died go back into the queue; the attempt counts, so one that kills its process does not do so for ever. */
  async requeueDead(maxAttemptsOf: Readonly<Record<string, number>>): Promise<{ id: number; state: JobState }[]> {
    return this.#database.many(
      `update jobs set runner = null, error = 'the process that ran it died', run_after = clock_timestamp(),
         state = case when cancel_requested then 'cancelled'
                      when attempts >= coalesce(($1::jsonb ->> kind)::int, 1) then 'failed' else 'queued' end,
         finished_at = case when cancel_requested or attempts >= coalesce(($1::jsonb ->> kind)::int, 1)
                            then clock_timestamp() end
       where state = 'running' and heartbeat_at < clock_timestamp() - $2 * interval '1 second' returning id, state`,
      [JSON.stringify(maxAttemptsOf), DEAD_AFTER_SECONDS],
    );
  }

  /** Whether a repetition is due; of several coordinators that ask, one hears yes. A kind that is new is due at once. */
  async takeTurn(kind: string, everySeconds: number, offsetSeconds: number): Promise<boolean> {
    const { rowCount } = await this.#database.query(
      statement(
        'jobs.takeTurn',
        `insert into job_schedules as s (kind, next_at)
         values ($1, to_timestamp((floor((extract(epoch from clock_timestamp()) - $3) / $2) + 1) * $2 + $3))
         on conflict (kind) do update set next_at = excluded.next_at where s.next_at <= clock_timestamp()`,
      ),
      [kind, everySeconds, offsetSeconds],
    );
    return rowCount > 0;
  }

  async removeOld(): Promise<number> {
    const { rowCount } = await this.#database.query(
      `delete from jobs where state in ('done', 'failed', 'cancelled') and finished_at < clock_timestamp() -
         case when unique_key = $1 and state = 'done' then $2::interval else $3::interval end`,
      [REPEATED, KEEP_REPEATED, KEEP_OTHERS],
    );
    return rowCount;
  }

  async openKinds(): Promise<string[]> {
    const rows = await this.#database.many<{ kind: string }>(
      `select distinct kind from jobs where state in ('queued', 'running')`,
    );
    return rows.map(({ kind }) => kind);
  }
}

interface Outcome {
  result?: unknown;
  error?: string;
}

const toJob = (row: JobRow): Job => ({
  id: row.id,
  kind: row.kind,
  params: row.params,
  uniqueKey: row.unique_key,
  state: row.state,
  progress: row.progress,
  attempts: row.attempts,
  error: row.error,
  result: row.result,
  createdAt: row.created_at.getTime(),
  queuedAt: row.run_after.getTime(),
  startedAt: row.started_at?.getTime() ?? null,
  finishedAt: row.finished_at?.getTime() ?? null,
});
