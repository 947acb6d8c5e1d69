import { EventEmitter } from 'node:events';
import type { Hello, ModelReport, ProbeItem, RenewAnswer, Welcome } from '../common/protocol/agent-link.ts';
import type { Receipt } from '../common/protocol/rest.ts';
import type { Place } from '../common/domain/camera.ts';
import { AppError, codeOf, messageOf } from '../common/runtime/errors.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { Logger } from '../common/runtime/logger.ts';
import { Capacity } from './capacity.ts';
import { LeaseKeeper } from './leases/keeper.ts';
import { CoordinatorTime, instantOf } from './leases/time.ts';
import type { CoordinatorHttp } from './link/coordinator-http.ts';
import type { Identity } from './link/identity.ts';
import { CoordinatorLink } from './link/link.ts';
import type { CapturePool } from './pipeline/capture-pool.ts';
import type { ModelSwitch } from './pipeline/contracts.ts';
import { probeClock } from './probe/probe.ts';
import { Outbox } from './report/outbox.ts';
import { Reporter } from './report/reporter.ts';
import { checkStep } from './states.ts';
import type { AgentState } from './states.ts';
import { ContactProbe } from './probe/contact.ts';
import { FleetLists } from './fleet-lists.ts';
import { RecordingGuard } from './recording-guard.ts';
import { HighestToken } from './highest-token.ts';
import { Uploads } from './uploads.ts';

export interface AgentOptions {
  identity: Identity;
  sessionId: string;
  version: string;
  dataFolder: string;
  outboxBytes: number;
  http: CoordinatorHttp;
  pool: CapturePool;
  /** Told which model the coordinator wants; `modelVersion` is the one in force. */
  models?: ModelSwitch;
  capacity: number;
  probe: ProbeItem[];
  /** How the people whose cameras we fetch can reach the operator; `null`: nobody said. */
  contact?: string | null;
  place?: Place;
  clock: Clock;
  logger: Logger;
}

/** What hints carry; each has some of it. */
type Hint = { cameraIds: number[]; seconds: number; revision: number; version: string | null };

const DRAIN_MS = 25_000;
/** Of the drain's 25 s, what is kept for delivering the last batches. */
const FLUSH_MS = 5_000;
const UNCONNECTED_FLUSH_MS = 1_000;

/** One capture agent: link, leases, capture and reports, and the ladder of its states. */
export class Agent extends EventEmitter<{ state: [state: AgentState, reason: string]; probe: [item: ProbeItem] }> {
  readonly #options: AgentOptions;
  readonly #time = new CoordinatorTime();
  readonly #link: CoordinatorLink;
  readonly #keeper: LeaseKeeper;
  readonly #outbox: Outbox;
  readonly #reporter: Reporter;
  readonly #guard: RecordingGuard;
  readonly #uploads: Uploads;
  readonly #capacity: Capacity;
  readonly #highestToken: HighestToken;
  readonly #contact: ContactProbe;
  readonly #lists: FleetLists;
  readonly #cancelled = new AbortController();
  #state: AgentState = 'INITIALIZED';
  #lastRenewal: { at: number; rate: number; late: number };
  #clockTold = false;
  #stopping: Promise<void> | undefined;

  constructor(options: AgentOptions) {
    super();
    const { clock, logger, http, pool } = (this.#options = options);
    this.#capacity = new Capacity(options.capacity);
    this.#highestToken = new HighestToken(options.dataFolder, logger);
    this.#contact = new ContactProbe(options.contact ?? null, (item) => this.addProbe(item));
    this.#lastRenewal = { at: clock.monotonic(), rate: 0, late: 0 };
    this.#uploads = new Uploads({ http, pool, logger });
    pool.onAssigned = (assignments) => this.#contact.saw(assignments);
    pool.onLatest = (cameraId, digest, bytes) => this.#uploads.show(cameraId, digest, bytes);
    this.#outbox = new Outbox({
      folder: `${options.dataFolder}/outbox`,
      session: options.sessionId,
      maxBytes: options.outboxBytes,
      sender: http,
      clock,
      logger,
      onReceipt: (receipt) => this.#received(receipt),
    });
    this.#reporter = new Reporter({
      collect: () => pool.collect(),
      date: (instant) => this.#time.date(instant),
      outbox: this.#outbox,
      clock,
      logger,
      onFull: (reason) => this.#guard.outboxIsFull(reason),
      onRoom: () => this.#guard.outboxHasRoom(),
    });
    this.#guard = new RecordingGuard({
      ...{ dataFolder: options.dataFolder, clock, logger },
      ...{ keeper: () => this.#keeper, flush: () => this.#report() },
    });
    this.#link = new CoordinatorLink({ ...options, hello: () => this.#hello() });
    this.#lists = new FleetLists({ link: this.#link, pool, logger });
    this.#keeper = new LeaseKeeper({
      link: this.#link,
      holder: pool,
      time: this.#time,
      clock,
      logger,
      status: () => this.#status(),
      onRenewed: (answer) => this.#renewed(answer),
      onSuperseded: () => void this.#fail('SESSION_SUPERSEDED', 'A newer process of this agent has taken over.'),
    });
  }

  get state(): AgentState {
    return this.#state;
  }

  /** Counted since the start, for lists and tests. */
  get figures() {
    return {
      cameras: this.#options.pool.cameras,
      leases: this.#keeper.held.length,
      outboxBatches: this.#outbox.size,
      refusedBatches: this.#outbox.refused,
      picturesDropped: this.#uploads.dropped,
      rate: this.#lastRenewal.rate,
      late: this.#lastRenewal.late,
    };
  }

  async start(): Promise<void> {
    await this.#highestToken.load();
    await this.#outbox.start();
    this.#reporter.start();
    await this.#guard.start();
    this.#listen();
    this.#setState('CONNECTING', 'looking for the coordinator');
    this.#link.connect();
  }

  /** Something that could be measured only later; the coordinator learns it at the next hello. */
  addProbe(item: ProbeItem): void {
    const { probe } = this.#options;
    const known = probe.findIndex(({ name }) => name === item.name);
    probe.splice(known < 0 ? probe.length : known, 1, item);
    this.emit('probe', item);
  }

  /** What becomes of a model, for the rollout; lost where there is no connection: renewals name the model in force anyway. */
  async reportModel(report: ModelReport): Promise<void> {
    await this.#link.call('model:report', report);
  }

  /** Resolves when the agent has stopped or failed. */
  async ended(): Promise<AgentState> {
    while (this.#state !== 'STOPPED' && this.#state !== 'FAILED') {
      await new Promise((resolve) => this.once('state', resolve));
    }
    return this.#state;
  }

  /** Goes on capturing until each shard is somebody else's, then delivers what is left; at most 25 s. */
  drain(): Promise<void> {
    this.#stopping ??= this.#drain();
    return this.#stopping;
  }

  /** Breaks off a drain, or stops at once: what is not delivered stays in the outbox for the next start. */
  cancel(): Promise<void> {
    this.#cancelled.abort(new AppError('CANCELLED', 'The drain was broken off.'));
    this.#stopping ??= this.#stopNow();
    return this.#stopping;
  }

  #setState(state: AgentState, reason: string): void {
    if (state === this.#state) return;
    checkStep(this.#state, state);
    this.#state = state;
    this.#options.logger.info({ state, reason }, 'agent state');
    this.emit('state', state, reason);
  }

  #listen(): void {
    const { pool, clock } = this.#options;
    this.#link.on('ready', (welcome, { sentAt, receivedAt }) => {
      const skew = clock.now() - clock.monotonic();
      this.#time.addAnchor({ monotonic: sentAt, skew }, { monotonic: receivedAt, skew }, welcome.now);
      this.#ready(welcome);
    });
    this.#link.on('lost', (reason) => {
      if (this.#state === 'RUNNING') this.#setState('CONNECTING', `connection lost: ${reason}`);
    });
    this.#link.on('final', (code, message) => void this.#fail(code, message));
    this.#link.on('hint', (event, payload) => {
      const { cameraIds, seconds, revision, version } = (payload ?? {}) as Hint;
      if (event === 'work:available') this.#keeper.requestWork();
      else if (event === 'shard:changed') this.#keeper.shardChanged(payload as never);
      else if (event === 'lease:lost') this.#keeper.leaseLost(payload as never);
      else if (event === 'takedown:changed') this.#lists.takedowns.heard(revision);
      else if (event === 'model:available') void this.#switchModel(version);
      else if (event === 'camera:watch') pool.watch(cameraIds, seconds);
      else if (event === 'camera:capture') pool.captureNow(cameraIds);
    });
  }

  #ready(welcome: Welcome): void {
    this.#syncClocks();
    this.#reporter.setPeriod(welcome.reportMs);
    if (this.#state === 'CONNECTING') this.#setState('RUNNING', 'the coordinator said welcome');
    this.#lists.welcomed(welcome);
    this.#outbox.hurry();
    this.#keeper.welcome(welcome);
    void this.#switchModel(welcome.modelVersion);
  }

  #renewed(answer: RenewAnswer): void {
    this.#syncClocks();
    this.#highestToken.saw(this.#keeper.highestToken);
    this.#options.pool.hostNews.delivered();
    if (answer.rests && answer.rests.length > 0) this.#options.pool.learnRests(answer.rests);
    this.#lists.renewed(answer);
    void this.#switchModel(answer.modelVersion);
  }

  #syncClocks(): void {
    const offset = this.#time.offset(instantOf(this.#options.clock));
    if (offset === undefined) return;
    this.#options.pool.setTime(offset);
    if (this.#clockTold) return;
    this.#clockTold = true;
    const dated = this.#time.date(instantOf(this.#options.clock));
    this.addProbe(probeClock(this.#options.clock.now() - (dated?.at ?? 0), dated?.errorMs ?? 0));
  }

  async #switchModel(version: string | null): Promise<void> {
    const { models, pool } = this.#options;
    if (!models) return;
    await models.switchTo(version);
    pool.setModel(models.modelVersion);
  }

  #received({ reportMs, wanted }: Receipt): void {
    this.#reporter.setPeriod(reportMs);
    this.#uploads.want(wanted);
  }

  #hello(): Hello {
    const { identity, version, place, probe } = this.#options;
    return {
      name: identity.name,
      version,
      capacity: this.#capacity.current,
      ...(place && { place }),
      probe,
      highestToken: Math.max(this.#highestToken.value, this.#keeper.highestToken),
      held: this.#keeper.held,
    };
  }

  #status() {
    const { pool, clock, models } = this.#options;
    const now = clock.monotonic();
    const seconds = (now - this.#lastRenewal.at) / 1_000;
    // Counts come in with the reports: a shorter period would swing between nothing and twice the truth.
    if (seconds >= 10) {
      const { attempts, late, busy, cameras } = pool.takeCounts();
      const rate = attempts / seconds;
      this.#lastRenewal = { at: now, rate, late };
      this.#capacity.learn({ rate, lateShare: cameras > 0 ? late / cameras : 0, busy });
    }
    const { rate, late } = this.#lastRenewal;
    const modelVersion = models?.modelVersion ?? null;
    const hosts = pool.hostNews.peek();
    const { current: capacity } = this.#capacity;
    const { outboxBatches, refusedBatches, picturesDropped } = this.figures;
    const reports = { outboxBatches, refusedBatches, picturesDropped };
    return { capacity, rate, late, modelVersion, ...reports, ...(hosts && { hosts }) };
  }

  async #drain(): Promise<void> {
    const { clock, logger } = this.#options;
    const until = clock.monotonic() + DRAIN_MS;
    if (this.#state === 'INITIALIZED') return this.#close('stopped before it began');
    this.#setState('DRAINING', 'asked to stop');
    const successors = await this.#keeper.drain();
    this.#keeper.renewSoon();
    while (successors && this.#keeper.held.length > 0 && clock.monotonic() < until - FLUSH_MS) {
      if (this.#cancelled.signal.aborted) break;
      await clock.sleep(100, this.#cancelled.signal).catch(() => {});
    }
    if (this.#keeper.held.length > 0) logger.info({ shards: this.#keeper.held.length }, 'handing shards back');
    await this.#keeper.releaseAll('the agent stops');
    await this.#report();
    // Without a connection there is nobody to wait for: the next start delivers.
    const patience = this.#link.isReady ? until - clock.monotonic() : UNCONNECTED_FLUSH_MS;
    const late = AbortSignal.timeout(Math.max(1, Math.ceil(patience)));
    await this.#outbox.flushed(AbortSignal.any([late, this.#cancelled.signal])).catch(() => {});
    await this.#close('drained');
  }

  async #stopNow(): Promise<void> {
    this.#keeper.stop('stopped');
    await this.#report();
    await this.#close('cancelled');
  }

  /** What was captured is safe in the outbox afterwards, unless its disk refuses. */
  async #report(): Promise<void> {
    await this.#reporter.flush().catch((error: unknown) => {
      this.#options.logger.error({ code: codeOf(error), reason: messageOf(error) }, 'the report failed');
    });
  }

  async #fail(code: string, message: string): Promise<void> {
    if (this.#stopping && this.#state !== 'DRAINING') return;
    this.#keeper.stop(code === 'SESSION_SUPERSEDED' ? 'superseded' : 'revoked');
    await this.#report();
    await this.#closeParts();
    if (this.#state !== 'STOPPED' && this.#state !== 'FAILED') this.#setState('FAILED', `${code}: ${message}`);
  }

  async #close(reason: string): Promise<void> {
    this.#keeper.stop('stopped');
    await this.#closeParts();
    if (this.#state !== 'FAILED') this.#setState('STOPPED', reason);
  }

  async #closeParts(): Promise<void> {
    this.#guard.stop();
    this.#reporter.stop();
    this.#outbox.stop();
    this.#link.close();
    await this.#options.pool.close();
    await this.#options.models?.stop();
  }
}
