import type {
  DeliveryReport,
  DeliveryRow,
  DeliveryState,
  NotificationMessage,
} from '../../../common/protocol/notifications.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import type { Database } from '../../platform/database/database.ts';
import { statement } from '../../platform/database/queries.ts';

/** An attempt takes half a minute at most; a job that is not through by then has died. */
const TAKEN_SECONDS = 120;
/** Two of the job queue's four places: a mail server that hangs must not hold up everything else. */
const MOST_AT_ONCE = 2;
/** Later nobody wants to hear it any more. */
const GIVE_UP_AFTER = `interval '1 day'`;

export interface TakenDelivery {
  id: number;
  channel: string;
  attempts: number;
  /** ms. */
  madeAt: number;
  message: NotificationMessage;
}

// A channel's oldest first, and the next only after it: the end of something never arrives before its beginning.
const HAND_OUT = statement(
  'deliveries.handOut',
  `update notification_deliveries d set taken_until = clock_timestamp() + interval '${TAKEN_SECONDS} seconds'
   from (
     select id from (
       select distinct on (channel_id) id, next_at, taken_until from notification_deliveries
       where state = 'waiting' order by channel_id, id) first
     where next_at <= clock_timestamp() and (taken_until is null or taken_until < clock_timestamp())
     order by next_at
     limit greatest(0, ${MOST_AT_ONCE} - (
       select count(*) from notification_deliveries where state = 'waiting' and taken_until >= clock_timestamp()))
   ) due where due.id = d.id returning d.id, d.attempts`,
);

const ROW = `
  d.id, m.rule_name as rule, d.channel_name as channel, m.content->>'subject' as subject, d.state, d.attempts, d.answer,
  ms_of_instant(m.created_at) as "createdAt", ms_of_instant(d.tried_at) as "triedAt",
  case d.state when 'waiting' then ms_of_instant(d.next_at) end as "nextAt", ms_of_instant(d.finished_at) as "finishedAt"`;
const FROM = 'notification_deliveries d join notification_messages m on m.id = d.message_id';

export interface DeliveryFilter {
  state?: DeliveryState | undefined;
  rule?: string | undefined;
  channel?: string | undefined;
}

/** What became of every message, by channel. */
export class DeliveryStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Those whose turn it is, with the attempts so far; whoever gets them has them tried. */
  handOut(): Promise<{ id: number; attempts: number }[]> {
    return this.#database.many(HAND_OUT);
  }

  /** Counts an attempt; `undefined` where there is nothing to do any more. */
  take(id: number): Promise<TakenDelivery | undefined> {
    return this.#database.maybeOne<TakenDelivery & Record<string, unknown>>(
      `update notification_deliveries d set attempts = d.attempts + 1, tried_at = clock_timestamp(),
         taken_until = clock_timestamp() + interval '${TAKEN_SECONDS} seconds'
       from notification_messages m
       where d.id = $1 and d.state = 'waiting' and d.channel_id is not null and m.id = d.message_id
       returning d.id, d.channel_name as channel, d.attempts, ms_of_instant(m.created_at) as "madeAt", m.content as message`,
      [id],
    );
  }

  async delivered(id: number, answer: string): Promise<void> {
    await this.#database.query(
      `update notification_deliveries set state = 'delivered', answer = $2, finished_at = clock_timestamp(), taken_until = null
       where id = $1`,
      [id, answer],
    );
  }

  /** Tried again after the pause, unless that is pointless or it is a day old. */
  async failed(id: number, { answer, final, pauseMs }: { answer: string; final: boolean; pauseMs: number }) {
    await this.#database.query(
      `update notification_deliveries d set answer = $2, taken_until = null, next_at = clock_timestamp() + $4 * interval '1 ms',
         state = case when over then 'failed' else 'waiting' end, finished_at = case when over then clock_timestamp() end
       from (select m.id, $3 or m.created_at < clock_timestamp() - ${GIVE_UP_AFTER} as over from notification_messages m) m
       where d.id = $1 and d.state = 'waiting' and m.id = d.message_id`,
      [id, answer, final, pauseMs],
    );
  }

  /** Newest first, before the id `before`. */
  async list(
    { state, rule, channel }: DeliveryFilter,
    { before, limit }: { before?: number | undefined; limit: number },
  ): Promise<{ deliveries: DeliveryRow[]; next: number | null }> {
    const rows = await this.#database.many<DeliveryRow & Record<string, unknown>>(
      `select ${ROW} from ${FROM}
       where ($1::text is null or d.state = $1) and ($2::text is null or m.rule_name = $2)
         and ($3::text is null or d.channel_name = $3) and ($4::bigint is null or d.id < $4)
       order by d.id desc limit $5`,
      [state ?? null, rule ?? null, channel ?? null, before ?? null, limit + 1],
    );
    const deliveries = rows.slice(0, limit);
    return { deliveries, next: rows.length > limit ? (deliveries.at(-1)?.id ?? null) : null };
  }

  /** Rejects with `DELIVERY_NOT_FOUND`. */
  async get(id: number): Promise<DeliveryReport> {
    const row = await this.#database.maybeOne<DeliveryReport & Record<string, unknown>>(
      `select ${ROW}, m.content as message from ${FROM} where d.id = $1`,
      [id],
    );
    if (row) return row;
    throw new AppError(
      'DELIVERY_NOT_FOUND',
      `There is no delivery ${id}; "camfleet notifications deliveries list" shows all.`,
    );
  }

  /** Tries it again now; one that is older than a day only once. Rejects with `DELIVERY_NOT_FOUND` or `DELIVERY_STATE`. */
  async retry(id: number): Promise<DeliveryReport> {
    const { rowCount } = await this.#database.query(
      `update notification_deliveries set state = 'waiting', next_at = clock_timestamp(), finished_at = null
       where id = $1 and state <> 'delivered' and channel_id is not null`,
      [id],
    );
    const report = await this.get(id);
    if (rowCount > 0) return report;
    const reason = report.state === 'delivered' ? 'was delivered already' : 'has no channel any more';
    throw new AppError('DELIVERY_STATE', `Delivery ${id} ${reason}; there is nothing to try again.`);
  }

  /** By state. */
  async count(): Promise<Record<string, number>> {
    const rows = await this.#database.many<{ state: string; count: number }>(
      'select state, count(*)::int as count from notification_deliveries group by state',
    );
    return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
  }
}
