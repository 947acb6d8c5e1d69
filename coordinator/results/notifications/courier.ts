import { systemClock } from '../../../common/runtime/clock.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { AppError, messageOf } from '../../../common/runtime/errors.ts';
import type { Logger } from '../../../common/runtime/logger.ts';
import { redact } from '../../../common/runtime/redact.ts';
import { backoffMs } from '../../../common/runtime/retry.ts';
import type { BackoffPolicy } from '../../../common/runtime/retry.ts';
import type { TestRow } from '../../../common/protocol/notifications.ts';
import type { ChannelStore, OpenChannel } from './channel-store.ts';
import type { Egress, Given, Outgoing } from './channels/channel.ts';
import type { DeliveryStore } from './delivery-store.ts';
import { harmless, testMessage } from './words.ts';

/** The whole of an attempt. Servers that take longer are asked again later. */
const DEADLINE_MS = 30_000;
/** A server that is started anew is back soon; one that is away for hours is asked once an hour. */
const PAUSE: BackoffPolicy = { firstMs: 20_000, ceilingMs: 3_600_000 };
/** Jitter may come near zero, and a server that just failed needs a moment. */
const LEAST_PAUSE_MS = 5_000;
const MOST_PAUSE_MS = 6 * 3_600_000;

export interface CourierOptions {
  channels: ChannelStore;
  deliveries: DeliveryStore;
  egress: Egress;
  logger: Logger;
  clock?: Clock;
  /** Before the next attempt. */
  pause?: BackoffPolicy;
  leastPauseMs?: number;
}

/** Carries messages to servers and notes what they say. */
export class Courier {
  readonly #options: Required<CourierOptions>;

  constructor(options: CourierOptions) {
    this.#options = { clock: systemClock, pause: PAUSE, leastPauseMs: LEAST_PAUSE_MS, ...options };
  }

  /** One attempt. Rejects only when `signal` ends it or the database is away; the delivery then waits as before. */
  async deliver(deliveryId: number, signal: AbortSignal): Promise<{ delivered: boolean; answer: string }> {
    const { deliveries, logger } = this.#options;
    const taken = await deliveries.take(deliveryId);
    if (!taken) return { delivered: false, answer: 'there was nothing to do any more' };
    const { id, channel, message, madeAt, attempts } = taken;
    const outcome = await this.#open(channel).then(
      (open) => this.#attempt(open, { deliveryId: String(id), madeAt, message }, signal),
      (error: unknown): Outcome => ({ delivered: false, answer: messageOf(error), final: false }),
    );
    if (outcome.delivered) {
      await deliveries.delivered(id, outcome.answer);
      return outcome;
    }
    const pauseMs = this.#pauseAfter(attempts, outcome.retryAfterMs);
    await deliveries.failed(id, { ...outcome, pauseMs });
    logger.warn({ delivery: id, channel, attempts, answer: outcome.answer }, 'notification not delivered');
    return { delivered: false, answer: outcome.answer };
  }

  /** Sends a test message now. Rejects with `CHANNEL_NOT_FOUND`. */
  async test(channel: string): Promise<TestRow> {
    const { clock } = this.#options;
    const madeAt = clock.now();
    const outgoing = { deliveryId: `test-${madeAt}`, madeAt, message: testMessage(channel) };
    const never = new AbortController().signal;
    const { delivered, answer } = await this.#attempt(await this.#open(channel), outgoing, never);
    return { channel, delivered, answer };
  }

  #open(channel: string): Promise<OpenChannel> {
    return this.#options.channels.open(channel);
  }

  async #attempt({ kind, given }: OpenChannel, outgoing: Outgoing, stop: AbortSignal): Promise<Outcome> {
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    const shown = (text: string): string => hideSecrets(text, given);
    try {
      const wire = { egress: this.#options.egress, signal: AbortSignal.any([stop, deadline]) };
      return { delivered: true, answer: shown(await kind.send(outgoing, given, wire)), final: false };
    } catch (error) {
      stop.throwIfAborted();
      if (deadline.aborted)
        return { delivered: false, answer: `no answer within ${DEADLINE_MS / 1_000} s`, final: false };
      const details = error instanceof AppError ? error.details : {};
      const retryAfterMs = typeof details['retryAfterMs'] === 'number' ? details['retryAfterMs'] : undefined;
      return { delivered: false, answer: shown(messageOf(error)), final: details['final'] === true, retryAfterMs };
    }
  }

  #pauseAfter(attempts: number, askedMs = 0): number {
    const { pause, leastPauseMs } = this.#options;
    return Math.max(leastPauseMs, backoffMs(pause, attempts - 1), Math.min(askedMs, MOST_PAUSE_MS));
  }
}

interface Outcome {
  delivered: boolean;
  answer: string;
  final: boolean;
  retryAfterMs?: number | undefined;
}

/** A server may repeat what it was given, plain or encoded: that must not stand in a list for people. */
function hideSecrets(text: string, { settings, secrets }: Given): string {
  const hidden = Object.values(secrets)
    .filter((value): value is string => typeof value === 'string')
    .flatMap((value) => [value, encodeURIComponent(value), base64(value), base64(`\0${settings['user']}\0${value}`)])
    .reduce((shown, secret) => shown.replaceAll(secret, '***'), text);
  return harmless(redact(hidden));
}

const base64 = (text: string): string => Buffer.from(text).toString('base64').replace(/=+$/, '');
