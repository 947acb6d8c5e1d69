import type { IterationReport, TrainingReport, TrainingRunState } from '../../../common/domain/training.ts';
import { CLAIM_LOST_AFTER_SECONDS } from '../../../common/protocol/training.ts';
import type {
  GoOn,
  Progress,
  PromoteRule,
  TrainingOrder,
  TrainingRun,
  TrainingRunSummary,
  TrainingSettings,
} from '../../../common/protocol/training.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import type { Database } from '../../platform/database/database.ts';

/** A claim that is lost this often takes its trainer down with it: the run fails. */
const MOST_LOST = 3;

const SUMMARY = `
  select id, dataset_name as dataset, settings, promote, asked_by as "askedBy", state, trainer, attempts, lost, note,
    progress, model_version as "modelVersion", decision, error,
    case when report is not null then jsonb_build_object(
      'accuracy', report #> '{test,fused,accuracy}', 'macroF1', report #> '{test,fused,macroF1}',
      'images', report #> '{test,fused,images}') end as figures,
    ms_of_instant(created_at) as "createdAt", ms_of_instant(claimed_at) as "claimedAt",
    ms_of_instant(heartbeat_at) as "heartbeatAt", ms_of_instant(finished_at) as "finishedAt"`;

/** One claim of one run. */
export interface Claim {
  id: number;
  trainer: string;
  attempt: number;
}

const OURS = `id = $1 and trainer = $2 and attempts = $3 and state = 'running'`;
const own = ({ id, trainer, attempt }: Claim): unknown[] => [id, trainer, attempt];

export interface NewRun {
  dataset: { name: string; digest: string };
  settings: TrainingSettings;
  promote: PromoteRule;
  askedBy: string;
  scheduled: boolean;
  /** Labels that there are. */
  labels: number;
}

export class TrainingRepository {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** `undefined` where the schedule has trained on this snapshot already, or a scheduled run is open. */
  async insert({ dataset, settings, promote, askedBy, scheduled, labels }: NewRun): Promise<number | undefined> {
    const row = await this.#database.maybeOne<{ id: number }>(
      `insert into training_runs (dataset_name, dataset_digest, settings, promote, asked_by, scheduled, labels)
       values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning id`,
      [dataset.name, dataset.digest, JSON.stringify(settings), promote, askedBy, scheduled, labels],
    );
    return row?.id;
  }

  list(limit: number): Promise<TrainingRunSummary[]> {
    return this.#database.many<TrainingRunSummary & Record<string, unknown>>(
      `${SUMMARY} from training_runs order by id desc limit $1`,
      [limit],
    );
  }

  /** @throws AppError TRAINING_NOT_FOUND */
  async show(id: number): Promise<TrainingRun> {
    const run = await this.#database.maybeOne<TrainingRun & Record<string, unknown>>(
      `${SUMMARY}, report from training_runs where id = $1`,
      [id],
    );
    if (!run) throw new AppError('TRAINING_NOT_FOUND', `There is no training run ${id}.`);
    const iterations = await this.#database.many<{ report: IterationReport }>(
      'select report from training_iterations where run_id = $1 order by at, model, level, iteration',
      [id],
    );
    return { ...run, iterations: iterations.map(({ report }) => report) };
  }

  /** Runs that wait and runs that somebody works on. */
  async open(): Promise<{ waiting: number; running: number }> {
    return this.#database.one<{ waiting: number; running: number }>(
      `select (count(*) filter (where state = 'waiting'))::int as waiting,
         (count(*) filter (where state = 'running'))::int as running
       from training_runs where state in ('waiting', 'running')`,
    );
  }

  /** The newest run, and how many labels there were for it; zeros where there was none. */
  async newest(): Promise<{ id: number; labels: number }> {
    const row = await this.#database.maybeOne<{ id: number; labels: number }>(
      'select id, labels from training_runs order by id desc limit 1',
    );
    return row ?? { id: 0, labels: 0 };
  }

  /** The oldest waiting run, taken for this trainer; of several that ask at once each gets another one. */
  async claim(trainer: string): Promise<TrainingOrder | undefined> {
    return this.#database.maybeOne<TrainingOrder & Record<string, unknown>>(
      `update training_runs set state = 'running', trainer = $1, attempts = attempts + 1, note = null, error = null,
         claimed_at = clock_timestamp(), heartbeat_at = clock_timestamp()
       where id = (select id from training_runs where state = 'waiting' order by id limit 1 for update skip locked)
       returning id, attempts as attempt, dataset_name as dataset, dataset_digest as digest, settings`,
      [trainer],
    );
  }

  async progress(claim: Claim, { iterations, note }: Pick<Progress, 'iterations' | 'note'>): Promise<GoOn> {
    return this.#database.transaction(async (tx) => {
      const row = await tx.maybeOne<{ cancel_requested: boolean }>(
        `update training_runs set heartbeat_at = clock_timestamp(), note = $4, progress = coalesce($5::jsonb, progress)
         where ${OURS} returning cancel_requested`,
        [...own(claim), note, iterations.length > 0 ? JSON.stringify(iterations.at(-1)) : null],
      );
      if (!row) return 'gone';
      for (const report of iterations) {
        await tx.query(
          `insert into training_iterations (run_id, model, level, iteration, report) values ($1, $2, $3, $4, $5)
           on conflict (run_id, model, level, iteration) do update set report = excluded.report`,
          [claim.id, report.run, report.level, report.iteration, JSON.stringify(report)],
        );
      }
      return row.cancel_requested ? 'cancel' : 'on';
    });
  }

  /** False where the claim was lost. */
  async succeed(claim: Claim, modelVersion: string, report: TrainingReport, decision: string): Promise<boolean> {
    const { rowCount } = await this.#database.query(
      `update training_runs set state = 'succeeded', model_version = $4, report = $5, decision = $6, error = null,
         note = null, heartbeat_at = clock_timestamp(), finished_at = clock_timestamp() where ${OURS}`,
      [...own(claim), modelVersion, JSON.stringify(report), decision],
    );
    return rowCount === 1;
  }

  /** Failed, or cancelled where that was asked for. */
  async fail(claim: Claim, error: string): Promise<boolean> {
    const { rowCount } = await this.#database.query(
      `update training_runs set state = case when cancel_requested then 'cancelled' else 'failed' end,
         error = case when cancel_requested then null else $4 end, note = null, finished_at = clock_timestamp()
       where ${OURS}`,
      [...own(claim), error],
    );
    return rowCount === 1;
  }

  /** Waits again as if this claim had not been; what it reported stays. */
  async handBack(claim: Claim): Promise<boolean> {
    const { rowCount } = await this.#database.query(
      `update training_runs set state = case when cancel_requested then 'cancelled' else 'waiting' end, trainer = null,
         note = null, finished_at = case when cancel_requested then clock_timestamp() end where ${OURS}`,
      own(claim),
    );
    return rowCount === 1;
  }

  /** Takes claims away from trainers that are silent. */
  async releaseSilent(): Promise<{ id: number; trainer: string; state: TrainingRunState }[]> {
    return this.#database.many(
      `update training_runs r set lost = r.lost + 1, trainer = null, note = null,
         state = case when r.cancel_requested then 'cancelled' when r.lost + 1 >= $2 then 'failed' else 'waiting' end,
         error = format('the trainer %s was not heard of for %s s', old.trainer, $1::int),
         finished_at = case when r.cancel_requested or r.lost + 1 >= $2 then clock_timestamp() end
       from (select id, trainer from training_runs
             where state = 'running' and heartbeat_at < clock_timestamp() - $1::int * interval '1 second'
             for update skip locked) old
       where r.id = old.id returning r.id, old.trainer, r.state`,
      [CLAIM_LOST_AFTER_SECONDS, MOST_LOST],
    );
  }

  /** A waiting run is cancelled at once, a running one when its trainer asks next. @throws AppError TRAINING_STATE */
  async cancel(id: number): Promise<void> {
    const { rowCount } = await this.#database.query(
      `update training_runs set cancel_requested = true, state = case state when 'waiting' then 'cancelled' else state end,
         finished_at = case state when 'waiting' then clock_timestamp() end
       where id = $1 and state in ('waiting', 'running')`,
      [id],
    );
    if (rowCount === 1) return;
    const { state } = await this.show(id);
    throw new AppError(
      'TRAINING_STATE',
      `Training run ${id} is ${state}; only one that waits or runs can be cancelled.`,
    );
  }

  /** Whether a run of ours made this model. */
  async hasTrained(modelVersion: string): Promise<boolean> {
    const { yes } = await this.#database.one<{ yes: boolean }>(
      'select exists (select from training_runs where model_version = $1) as yes',
      [modelVersion],
    );
    return yes;
  }
}
