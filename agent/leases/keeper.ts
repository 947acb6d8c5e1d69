import type {
  AgentToCoordinator,
  Grant,
  GrantState,
  Renew,
  RenewAnswer,
  ShardDelta,
  Stretch,
  Welcome,
} from '../../common/protocol/agent-link.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { AppError } from '../../common/runtime/errors.ts';
import type { Logger } from '../../common/runtime/logger.ts';
import type { Result } from '../../common/runtime/result.ts';
import { CoalescedTask } from './coalesced-task.ts';
import { instantOf } from './time.ts';
import type { CoordinatorTime } from './time.ts';

/** Each waits some seconds for its answer; an offer whose answer was lost so often is left to the next request. */
const ACCEPT_ATTEMPTS = 3;

type Calls = AgentToCoordinator;
export interface KeeperLink {
  readonly isReady: boolean;
  /** Never throws: no answer is a Result too. */
  call<E extends keyof Calls>(
    event: E,
    request: Parameters<Calls[E]>[0],
  ): Promise<Parameters<Parameters<Calls[E]>[1]>[0]>;
}

/** A shard that this agent holds. When `signal` aborts, the work on it stops; nothing else ends it. */
export interface Lease {
  readonly shardId: number;
  readonly token: number;
  readonly signal: AbortSignal;
}

/** Who does the work of a shard. */
export interface ShardHolder {
  /** Starts all cameras of a grant; stops them when the lease's signal aborts. */
  take(lease: Lease, grant: Grant): void;
  /** Stops what is removed and replaces what changed; cameras that are new to the shard are only started by `begin`. */
  change(lease: Lease, delta: ShardDelta): void;
  /** The change is acknowledged: what was added counts from now on. */
  begin(lease: Lease, delta: ShardDelta): void;
  stretch(stretch: Stretch): void;
}

export interface KeeperOptions {
  link: KeeperLink;
  holder: ShardHolder;
  time: CoordinatorTime;
  clock: Clock;
  logger: Logger;
  status(): Omit<Renew, 'grants' | 'draining'>;
  onRenewed?(answer: RenewAnswer): void;
  /** A newer session of this agent has ended this one. */
  onSuperseded?(): void;
}

interface HeldLease extends Lease {
  controller: AbortController;
  revision: number;
  sync: CoalescedTask;
}

export type LossReason = 'taken' | 'revoked' | 'superseded' | 'unknown' | 'autonomy' | 'released' | 'stopped';

/**
 * Keeps the leases: renews all of them in one message, accepts offered shards one at a time and follows their changes. A
 * request without an answer ends nothing; a lease ends when the coordinator says so, when it is handed back, or when there was
 * no contact for `autonomyMs`.
 */
export class LeaseKeeper {
  readonly #options: KeeperOptions;
  readonly #leases = new Map<number, HeldLease>();
  readonly #work: CoalescedTask;
  readonly #stopped = new AbortController();
  #timing = { renewMs: 5_000, autonomyMs: 3_600_000 };
  #lastContact: number;
  #running = false;
  #draining = false;
  #paused = false;
  #highestToken = 0;
  #wakeRenewal: AbortController | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#lastContact = options.clock.monotonic();
    this.#work = new CoalescedTask(() => this.#takeWork(), options.logger);
  }

  get held(): { shardId: number; token: number }[] {
    return [...this.#leases.values()].map(({ shardId, token }) => ({ shardId, token }));
  }

  /** Highest fencing token ever seen in this process. */
  get highestToken(): number {
    return this.#highestToken;
  }

  /** After every hello: the timing may have changed, and the coordinator knows again whom it talks to. */
  welcome({ renewMs, autonomyMs }: Pick<Welcome, 'renewMs' | 'autonomyMs'>): void {
    this.#timing = { renewMs, autonomyMs };
    this.#lastContact = this.#options.clock.monotonic();
    if (this.#running) this.renewSoon();
    else {
      this.#running = true;
      void this.#renewals();
    }
    this.requestWork();
  }

  /** A wake-up: shards may wait for this agent. */
  requestWork(): void {
    if (!this.#draining && !this.#paused && !this.#stopped.signal.aborted) this.#work.run();
  }

  /** A wake-up: a shard changed. */
  shardChanged({ shardId, revision }: { shardId: number; revision: number }): void {
    const lease = this.#leases.get(shardId);
    if (lease && lease.revision !== revision) lease.sync.run();
  }

  leaseLost({ shardId, token, reason }: { shardId: number; token: number; reason: LossReason }): void {
    const lease = this.#leases.get(shardId);
    if (lease?.token === token) this.#end(lease, reason);
  }

  renewSoon(): void {
    this.#wakeRenewal?.abort();
  }

  /** No new shards from now on; what is held is kept until successors take it. Says whether there are any. */
  async drain(): Promise<boolean> {
    this.#draining = true;
    const answer = await this.#options.link.call('agent:drain', {});
    return answer.ok && answer.value.successors;
  }

  /** Hands everything back; the work has stopped before the coordinator hears of it. */
  async releaseAll(reason: string): Promise<void> {
    const shards = this.held;
    for (const lease of [...this.#leases.values()]) this.#end(lease, 'released');
    if (shards.length > 0) await this.#options.link.call('work:release', { shards, reason });
  }

  /** While nothing can be recorded no shard is wanted. */
  async pause(reason: string): Promise<void> {
    if (this.#paused) return;
    this.#paused = true;
    this.#options.logger.error({ reason }, 'capture stops and shards are handed back');
    await this.releaseAll(reason);
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.requestWork();
  }

  stop(reason: LossReason): void {
    this.#stopped.abort();
    this.#wakeRenewal?.abort();
    for (const lease of [...this.#leases.values()]) this.#end(lease, reason);
  }

  async #renewals(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#stopped.signal.aborted) {
      const began = clock.monotonic();
      await this.#renew();
      this.#watchAutonomy();
      this.#wakeRenewal = new AbortController();
      const wait = began + this.#timing.renewMs - clock.monotonic();
      if (!this.#stopped.signal.aborted)
        await clock.sleep(Math.max(10, wait), this.#wakeRenewal.signal).catch(() => {});
    }
  }

  async #renew(): Promise<void> {
    const { link, status, time, onRenewed, holder } = this.#options;
    if (!link.isReady) return;
    const grants = [...this.#leases.values()].map(({ shardId, token, revision }) => ({ shardId, token, revision }));
    const sent = instantOf(this.#options.clock);
    const answer = await link.call('lease:renew', { ...status(), grants, draining: this.#draining });
    if (!answer.ok || this.#stopped.signal.aborted) return;
    const received = instantOf(this.#options.clock);
    this.#lastContact = received.monotonic;
    // The clock was read after the renewal had waited for others.
    time.addAnchor({ ...sent, monotonic: sent.monotonic + answer.value.waitedMs }, received, answer.value.now);
    for (const state of answer.value.grants) this.#follow(state);
    holder.stretch(answer.value.stretch);
    onRenewed?.(answer.value);
    if (answer.value.workAvailable) this.requestWork();
  }

  #follow(state: GrantState): void {
    const lease = this.#leases.get(state.shardId);
    if (lease?.token !== state.token) return;
    if (state.state !== 'held') {
      this.#end(lease, state.state);
      if (state.state === 'superseded') this.#options.onSuperseded?.();
    } else if (state.revision !== lease.revision) lease.sync.run();
  }

  #watchAutonomy(): void {
    const alone = this.#options.clock.monotonic() - this.#lastContact;
    if (alone < this.#timing.autonomyMs) return;
    for (const lease of [...this.#leases.values()]) this.#end(lease, 'autonomy');
  }

  /** Offers lapse within seconds and each grant is a transaction: one after the other. */
  async #takeWork(): Promise<void> {
    const { link } = this.#options;
    for (let more = true; more;) {
      more = false;
      const answer = await link.call('work:request', {});
      if (!answer.ok) return;
      for (const { offerId, shardId } of answer.value.offers) {
        if (this.#draining || this.#paused || this.#stopped.signal.aborted) return;
        const grant = await this.#accept({ offerId, shardId });
        if (!grant.ok) continue;
        this.#begin(grant.value);
        more = true;
      }
    }
  }

  /** A grant may have begun although its answer was lost: the same offer again gives the same grant. */
  async #accept(offer: { offerId: string; shardId: number }): Promise<Result<Grant>> {
    for (let attempt = 1; ; attempt++) {
      const grant = await this.#options.link.call('work:accept', offer);
      if (grant.ok || grant.error.code !== 'NO_ANSWER' || attempt >= ACCEPT_ATTEMPTS) return grant;
    }
  }

  #begin(grant: Grant): void {
    const { shardId, token, revision } = grant;
    this.#highestToken = Math.max(this.#highestToken, token);
    const earlier = this.#leases.get(shardId);
    if (earlier) this.#end(earlier, 'superseded');
    // A grant that arrives after everything was stopped or handed back goes back too.
    if (this.#stopped.signal.aborted || this.#paused) {
      void this.#options.link.call('work:release', { shards: [{ shardId, token }], reason: 'not wanted any more' });
      return;
    }
    const controller = new AbortController();
    const sync = new CoalescedTask(() => this.#sync(lease), this.#options.logger);
    const lease: HeldLease = { shardId, token, revision, controller, signal: controller.signal, sync };
    this.#leases.set(shardId, lease);
    this.#options.logger.info({ shardId, token, cameras: grant.cameras.length }, 'shard accepted');
    this.#options.holder.take(lease, grant);
  }

  /** The revision moves only once it is acknowledged, so a lost answer leads to the same change again. */
  async #sync(lease: HeldLease): Promise<void> {
    const { link, holder } = this.#options;
    const { shardId, token } = lease;
    const delta = await link.call('shard:sync', { shardId, token, revision: lease.revision });
    if (!delta.ok || lease.signal.aborted) return;
    holder.change(lease, delta.value);
    const { revision } = delta.value;
    const acknowledged = await link.call('shard:acknowledge', { shardId, token, revision });
    if (!acknowledged.ok || lease.signal.aborted) return;
    lease.revision = revision;
    holder.begin(lease, delta.value);
  }

  #end(lease: HeldLease, reason: LossReason): void {
    this.#leases.delete(lease.shardId);
    this.#options.logger.info({ shardId: lease.shardId, token: lease.token, reason }, 'lease ended');
    lease.controller.abort(new AppError('LEASE_ENDED', `The lease of shard ${lease.shardId} ended: ${reason}.`));
  }
}
