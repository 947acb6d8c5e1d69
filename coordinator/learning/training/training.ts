import type { Dataset } from '../../../common/domain/dataset.ts';
import { startTrainingSchema } from '../../../common/protocol/training.ts';
import type {
  GoOn,
  Progress,
  PromoteRule,
  StartTraining,
  TrainingOrder,
  TrainingResult,
  TrainingRun,
  TrainingRunSummary,
} from '../../../common/protocol/training.ts';
import { AppError, codeOf } from '../../../common/runtime/errors.ts';
import type { Logger } from '../../../common/runtime/logger.ts';
import type { Database } from '../../platform/database/database.ts';
import { decidePromotion } from './promotion.ts';
import { whyNotReady, whyNotTrainable } from './readiness.ts';
import type { LabelCounts, ReadinessRules } from './readiness.ts';
import { TrainingRepository } from './training-repository.ts';
import type { Claim, NewRun } from './training-repository.ts';

/** Where labels and snapshots come from. */
export interface SnapshotSource {
  labels(): Promise<LabelCounts>;
  /** Rejects with DATASET_EXISTS where the name is taken. */
  create(name: string, askedBy: string): Promise<Dataset>;
  /** Rejects with DATASET_NOT_FOUND. */
  find(name: string): Promise<Dataset>;
}

/** What training asks of the model registry. */
export interface ModelRegistry {
  current(): Promise<string | null>;
  promote(version: string): Promise<unknown>;
  show(version: string): Promise<{ version: string }>;
}

export interface TrainingRules extends ReadinessRules {
  /** Seconds for both models, or passes, where a run does not say; `null` leaves it to the trainer. */
  budgetSeconds: number | null;
  passes: number | null;
  /** Name or digest of a backbone of the trainer; without one the network is small and from scratch. */
  backbone?: string | null;
  preset?: string | null;
  promote: PromoteRule;
  margin: number;
}

export interface TrainingOptions {
  database: Database;
  snapshots: SnapshotSource;
  models: ModelRegistry;
  rules: TrainingRules;
  logger: Logger;
}

const SCHEDULE = 'the schedule';

/** Training runs: asked for by people and by the schedule, done by trainer processes that claim them. */
export class Training {
  readonly #options: TrainingOptions;
  readonly #runs: TrainingRepository;
  /** Labels of the last snapshot on which nothing could be trained. */
  #triedLabels = 0;

  constructor(options: TrainingOptions) {
    this.#options = options;
    this.#runs = new TrainingRepository(options.database);
  }

  /** Newest first. */
  async list(limit: number): Promise<TrainingRunSummary[]> {
    await this.#releaseSilent();
    return this.#runs.list(limit);
  }

  show(id: number): Promise<TrainingRun> {
    return this.#runs.show(id);
  }

  /** Asked for by hand. Without a dataset a new snapshot is made. @throws AppError TRAINING_IMPOSSIBLE */
  async start(request: StartTraining, askedBy: string): Promise<TrainingRun> {
    const { dataset: name, settings, promote } = startTrainingSchema.parse(request);
    const { snapshots, rules } = this.#options;
    const dataset = name === undefined ? await snapshots.create(nameNow(), askedBy) : await snapshots.find(name);
    const why = whyNotTrainable(dataset);
    if (why !== undefined) throw new AppError('TRAINING_IMPOSSIBLE', why, { details: { status: 409 } });
    const { good } = await snapshots.labels();
    const run = { settings, promote: promote ?? rules.promote, askedBy, scheduled: false, labels: good };
    const id = await this.#insert(dataset, run);
    return this.show(id as number);
  }

  /** The repeated job: trains anew where enough labels came in. Says what it did. */
  async runSchedule(): Promise<{ run: number } | { skipped: string }> {
    await this.#releaseSilent();
    const { snapshots, rules, logger } = this.#options;
    const { waiting, running } = await this.#runs.open();
    if (waiting + running > 0) return { skipped: 'a run waits or runs already' };
    const [counts, newest] = await Promise.all([snapshots.labels(), this.#runs.newest()]);
    const notReady = whyNotReady(counts, counts.good - Math.max(newest.labels, this.#triedLabels), rules);
    if (notReady !== undefined) return { skipped: notReady };
    // The same name at a second attempt: a job that died in between goes on with the snapshot that it made.
    const dataset = await this.#snapshot(`training-${newest.id + 1}-of-${counts.good}-labels`);
    const why = whyNotTrainable(dataset);
    if (why !== undefined) {
      this.#triedLabels = counts.good;
      logger.info({ dataset: dataset.name, why }, 'no training yet');
      return { skipped: why };
    }
    const { promote } = rules;
    const run = { settings: {}, promote, askedBy: SCHEDULE, scheduled: true, labels: counts.good };
    const id = await this.#insert(dataset, run);
    return id === undefined ? { skipped: `the snapshot ${dataset.name} was trained on already` } : { run: id };
  }

  async #snapshot(name: string): Promise<Dataset> {
    const { snapshots } = this.#options;
    try {
      return await snapshots.create(name, SCHEDULE);
    } catch (error) {
      if (codeOf(error) === 'DATASET_EXISTS') return snapshots.find(name);
      throw error;
    }
  }

  /** @throws AppError TRAINING_NOT_FOUND, TRAINING_STATE */
  async cancel(id: number): Promise<TrainingRun> {
    await this.#runs.cancel(id);
    return this.show(id);
  }

  /** How many runs wait for a trainer. */
  async waiting(): Promise<number> {
    await this.#releaseSilent();
    return (await this.#runs.open()).waiting;
  }

  async claim(trainer: string): Promise<TrainingOrder | null> {
    await this.#releaseSilent();
    const order = await this.#runs.claim(trainer);
    if (order) this.#options.logger.info({ run: order.id, trainer, attempt: order.attempt }, 'training run claimed');
    return order ?? null;
  }

  progress(id: number, { trainer, attempt, ...news }: Progress): Promise<GoOn> {
    return this.#runs.progress({ id, trainer, attempt }, news);
  }

  /** Takes the result of a claim that still holds; the model goes into force where the run's rule says so. */
  async finish(id: number, result: TrainingResult): Promise<TrainingRun> {
    const { models, logger } = this.#options;
    const claim: Claim = { id, trainer: result.trainer, attempt: result.attempt };
    const before = await this.show(id);
    // The answer to the first delivery may have been lost.
    if (before.state === 'succeeded' && before.modelVersion === result.modelVersion) return before;
    await models.show(result.modelVersion);
    if ((await this.#runs.progress(claim, { iterations: [], note: 'hands in the model' })) === 'gone')
      throw claimLost(claim);
    const { promote, why } = await this.#decide(before.promote, result);
    // Before the run is closed: a coordinator that dies in between gets the result once more.
    if (promote) await models.promote(result.modelVersion);
    if (!(await this.#runs.succeed(claim, result.modelVersion, result.report, why))) throw claimLost(claim);
    logger.info({ run: id, model: result.modelVersion, promote, why }, 'training run succeeded');
    return this.show(id);
  }

  async fail(id: number, claim: Omit<Claim, 'id'>, error: string): Promise<TrainingRun> {
    if (!(await this.#runs.fail({ ...claim, id }, error))) throw claimLost({ ...claim, id });
    this.#options.logger.warn({ run: id, error }, 'training run ended without a model');
    return this.show(id);
  }

  async handBack(id: number, claim: Omit<Claim, 'id'>): Promise<TrainingRun> {
    if (!(await this.#runs.handBack({ ...claim, id }))) throw claimLost({ ...claim, id });
    return this.show(id);
  }

  async #decide(
    rule: PromoteRule,
    { report, standing, modelVersion }: TrainingResult,
  ): Promise<{ promote: boolean; why: string }> {
    const version = await this.#options.models.current();
    return decidePromotion({
      rule,
      version: modelVersion,
      standing,
      fused: report.test.fused,
      inForce: version === null ? null : { version, trained: await this.#runs.hasTrained(version) },
      margin: this.#options.rules.margin,
    });
  }

  async #insert(dataset: Dataset, run: Omit<NewRun, 'dataset'>): Promise<number | undefined> {
    const { budgetSeconds, passes, backbone = null, preset = null } = this.#options.rules;
    const settings = {
      ...(budgetSeconds !== null && { budgetSeconds }),
      ...(passes !== null && { passes }),
      ...(backbone !== null && { backbone }),
      ...(preset !== null && { preset }),
      ...run.settings,
    };
    return this.#runs.insert({ ...run, settings, dataset });
  }

  async #releaseSilent(): Promise<void> {
    const released = await this.#runs.releaseSilent();
    if (released.length > 0)
      this.#options.logger.warn({ runs: released }, 'trainers fell silent, their claims are lost');
  }
}

const claimLost = ({ id }: Claim): AppError =>
  new AppError(
    'TRAINING_CLAIM_CONFLICT',
    `Training run ${id} is no longer this trainer's: it was silent for too long, or the run has ended.`,
  );

/** Names of snapshots made for a run sort by time. */
const nameNow = (): string =>
  `training-${new Date().toISOString().slice(0, 23).replaceAll(/[-:]/g, '').replace('T', '-').replace('.', '-')}`;
