import { systemClock } from '../../../common/runtime/clock.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Logger } from '../../../common/runtime/logger.ts';
import type { BackoffPolicy } from '../../../common/runtime/retry.ts';
import type { Service } from '../../../common/runtime/service.ts';
import type { TestRow } from '../../../common/protocol/notifications.ts';
import type { Database } from '../../platform/database/database.ts';
import type { MetricSource } from '../../platform/http/metrics.ts';
import { ChannelStore } from './channel-store.ts';
import type { Egress } from './channels/channel.ts';
import { Courier } from './courier.ts';
import { DeliveryStore } from './delivery-store.ts';
import { writeMessages } from './messages.ts';
import { pruneNotices } from './notices.ts';
import { Rules } from './rules.ts';
import { noteTroubles } from './troubles.ts';

export interface NotificationsOptions {
  database: Database;
  logger: Logger;
  /** Seals what channels keep secret. */
  key: Buffer;
  /** Which addresses may be contacted. */
  egress: Egress;
  /** Has a delivery tried by a job; one with the same key is one job. */
  enqueue(deliveryId: number, uniqueKey: string): Promise<unknown>;
  /** Nothing new can be kept. */
  isFull(): boolean;
  /** An agent that was not heard of for so long is silent, ms. */
  silentAfterMs: number;
  /** Days that messages are kept. */
  retentionDays: number;
  clock?: Clock;
  everyMs?: number;
  pause?: BackoffPolicy;
  leastPauseMs?: number;
}

/** Incidents are looked for as often; sooner nobody could tell anybody. */
const PASS_MS = 2_000;
/** Of the time a pass takes: with very many incidents the database has better things to do. */
const REST = 4;
const LOCK = 'camfleet.notifications';

/**
 * Tells people what became of cameras and fleet. One coordinator at a time writes messages, from what the database says; jobs of
 * any of them carry them. Nothing waits for it: where it fails it tries again, and everything else goes on.
 */
export class Notifications implements Service {
  readonly channels: ChannelStore;
  readonly rules: Rules;
  readonly deliveries: DeliveryStore;
  readonly #options: NotificationsOptions;
  readonly #courier: Courier;
  readonly #clock: Clock;
  readonly #ended = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: NotificationsOptions) {
    const { database, key, logger, egress, clock = systemClock, pause, leastPauseMs } = options;
    this.#options = options;
    this.#clock = clock;
    this.channels = new ChannelStore(database, key);
    this.rules = new Rules(database);
    this.deliveries = new DeliveryStore(database);
    this.#courier = new Courier({
      ...{ channels: this.channels, deliveries: this.deliveries, egress, logger, clock },
      ...(pause && { pause }),
      ...(leastPauseMs !== undefined && { leastPauseMs }),
    });
  }

  start(): Promise<void> {
    const { database } = this.#options;
    this.#running = this.#repeat(this.#ended.signal, async () => {
      await database.withLock(LOCK, (held) => this.#repeat(held, () => this.#timedPass()), this.#ended.signal);
      return 0;
    });
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  /** Writes what is due, and has carried what waits. */
  async pass(): Promise<void> {
    const { database, silentAfterMs, isFull, enqueue } = this.#options;
    await database.transaction((tx) => noteTroubles(tx, { silentAfterMs, isFull: isFull() }));
    await writeMessages(database);
    // The job of the attempt before may not be through with its own row yet.
    for (const { id, attempts } of await this.deliveries.handOut()) await enqueue(id, `${id}.${attempts}`);
  }

  /** One attempt at a delivery, as a job. */
  deliver(id: number, signal: AbortSignal): Promise<{ delivered: boolean; answer: string }> {
    return this.#courier.deliver(id, signal);
  }

  /** Sends a test now. Rejects with `CHANNEL_NOT_FOUND`. */
  testChannel(name: string): Promise<TestRow> {
    return this.#courier.test(name);
  }

  /** Tests every channel of a rule. Rejects with `RULE_NOT_FOUND`. */
  async testRule(name: string): Promise<TestRow[]> {
    const { channels } = await this.rules.get(name);
    return Promise.all(channels.map((channel) => this.#courier.test(channel)));
  }

  /** Forgets what was sent longer ago than it is kept. */
  prune(): Promise<void> {
    return pruneNotices(this.#options.database, this.#options.retentionDays);
  }

  async #timedPass(): Promise<number> {
    const began = this.#clock.monotonic();
    await this.pass();
    return this.#clock.monotonic() - began;
  }

  /** `work` gives what its pause grows with, ms. Goes on past failures, which are logged when they begin and when they end. */
  async #repeat(signal: AbortSignal, work: () => Promise<number>): Promise<void> {
    const { logger, everyMs = PASS_MS } = this.#options;
    let failures = 0;
    while (!signal.aborted && !this.#ended.signal.aborted) {
      let tookMs = 0;
      try {
        tookMs = await work();
        if (failures > 0) logger.info({ failures }, 'notifications go on');
        failures = 0;
      } catch (error) {
        if (signal.aborted || this.#ended.signal.aborted) return;
        if (failures++ === 0) logger.warn({ err: error }, 'notifications failed; they are tried again');
      }
      const pauseMs = Math.max(everyMs, tookMs * REST);
      await this.#clock.sleep(pauseMs, AbortSignal.any([signal, this.#ended.signal])).catch(() => undefined);
    }
  }
}

/** For Prometheus. */
export const notificationMetrics = ({ deliveries }: Pick<Notifications, 'deliveries'>): MetricSource => ({
  name: 'notification_deliveries',
  help: 'Deliveries of notifications by state.',
  label: 'state',
  read: () => deliveries.count(),
});
