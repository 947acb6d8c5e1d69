import pg from 'pg';
import { systemClock } from '../../../common/runtime/clock.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { AppError, codeOf } from '../../../common/runtime/errors.ts';
import type { Logger } from '../../../common/runtime/logger.ts';
import { backoffMs } from '../../../common/runtime/retry.ts';
import { holdLock } from './advisory-lock.ts';
import { asDatabaseError, isConflict } from './errors.ts';
import { Queries } from './queries.ts';
import type { Queryable, QueryTarget } from './queries.ts';
import { columnTypes } from './types.ts';

/** What `pg` needs to find the server: a URL, or a host (a socket's folder counts) with user and database. */
export type DatabaseConnection =
  { connectionString: string } | { host: string; port: number; user: string; database: string };

export interface DatabaseOptions {
  connection: DatabaseConnection;
  logger: Logger;
  clock?: Clock;
  /** Connections at most. */
  poolSize?: number;
}

export type Isolation = 'read committed' | 'repeatable read' | 'serializable';

/** Two cores and their database are busy with fewer; more only makes them wait for each other inside PostgreSQL. */
const POOL_SIZE = 16;
/** A caller of a request waits no longer for a free connection. */
const CONNECT_TIMEOUT_MS = 10_000;
/** A transaction whose process hangs must not hold its row locks for ever. */
const IDLE_IN_TRANSACTION_MS = 60_000;
/** Conflicts are rare and short; one that persists this often is a fault worth seeing. */
const MOST_TRANSACTION_ATTEMPTS = 8;
const CONFLICT_POLICY = { firstMs: 10, ceilingMs: 500 };

/** PostgreSQL for every repository. Created without connecting; the server may come, go and come again. */
export class Database extends Queries {
  readonly #pool: pg.Pool;
  readonly #settings: pg.ClientConfig;
  readonly #clock: Clock;

  constructor({ connection, logger, clock = systemClock, poolSize = POOL_SIZE }: DatabaseOptions) {
    const settings: pg.ClientConfig = {
      ...connection,
      application_name: 'camfleet',
      types: columnTypes,
      keepAlive: true,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    };
    const pool = new pg.Pool({ ...settings, max: poolSize });
    // An idle connection that breaks reports here; without a listener a restart of PostgreSQL would end this process.
    pool.on('error', (error) => logger.warn({ err: error }, 'idle database connection lost'));
    super(pool);
    this.#pool = pool;
    this.#settings = settings;
    this.#clock = clock;
  }

  /**
   * Runs `work` in one transaction on one connection and returns its result. A serialization failure or a deadlock rolls back
   * and runs `work` again, so it must have no effect outside the transaction.
   */
  async transaction<T>(work: (tx: Queryable) => Promise<T>, options: { isolation?: Isolation } = {}): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#transactionOnce(work, options.isolation ?? 'read committed');
      } catch (error) {
        if (!isConflict(error) || attempt === MOST_TRANSACTION_ATTEMPTS) throw error;
        await this.#clock.sleep(backoffMs(CONFLICT_POLICY, attempt));
      }
    }
  }

  async #transactionOnce<T>(work: (tx: Queryable) => Promise<T>, isolation: Isolation): Promise<T> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw asDatabaseError(error);
    });
    // A connection that breaks while it is ours reports here too; the running query rejects by itself.
    let broken: Error | undefined;
    const onError = (error: Error): void => void (broken = error);
    client.on('error', onError);
    const tx = new Queries(client as QueryTarget);
    try {
      await tx.query(`begin isolation level ${isolation}`);
      const result = await work(tx);
      await tx.query('commit');
      return result;
    } catch (error) {
      await tx.query('rollback').catch((failure: Error) => (broken ??= failure));
      throw error;
    } finally {
      client.off('error', onError);
      // A connection in an unknown state is closed instead of given to the next caller.
      client.release(broken);
    }
  }

  /**
   * Runs `work` while this process alone holds the named lock among all that use this database; waits for its turn. The lock
   * lives on a connection of its own: should that break, the lock is lost and the signal given to `work` aborts.
   * Rejects with the signal's reason when `signal` aborts while waiting.
   */
  async withLock<T>(name: string, work: (held: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return holdLock(new pg.Client(this.#settings), name, work, { clock: this.#clock, signal });
  }

  /** Whether the server answers now. Never rejects. */
  async isReady(timeoutMs = 2_000): Promise<boolean> {
    const answer = this.query('select 1').then(
      () => true,
      () => false,
    );
    const timeout = new AbortController();
    const late = this.#clock.sleep(timeoutMs, timeout.signal).then(
      () => false,
      () => false,
    );
    return Promise.race([answer, late]).finally(() => timeout.abort());
  }

  /** The database's clock, ms since the epoch: the only clock that decides about leases and windows. */
  async clockNow(): Promise<number> {
    const { now } = await this.one<{ now: number }>('select extract(epoch from clock_timestamp()) * 1000 as now');
    return now;
  }

  /** Waits until the server answers; rejects with the last failure after `withinMs`. */
  async waitUntilReady(withinMs: number): Promise<void> {
    const deadline = this.#clock.monotonic() + withinMs;
    for (let attempt = 0; ; attempt++) {
      try {
        await this.query('select 1');
        return;
      } catch (error) {
        if (codeOf(error) !== 'DATABASE_UNAVAILABLE' || this.#clock.monotonic() > deadline) throw error;
        await this.#clock.sleep(backoffMs({ firstMs: 50, ceilingMs: 1_000 }, attempt));
      }
    }
  }

  /** Connections in use, idle, and callers that wait for one: for metrics. */
  get connections(): { total: number; idle: number; waiting: number } {
    return { total: this.#pool.totalCount, idle: this.#pool.idleCount, waiting: this.#pool.waitingCount };
  }

  /** Waits for the running queries, then closes every connection. */
  async close(): Promise<void> {
    if (this.#pool.ended) return;
    await this.#pool.end();
  }
}

/** A `Database` whose server answers: start-up fails here, with a reason, rather than in the first query. */
export async function createDatabase(options: DatabaseOptions): Promise<Database> {
  const database = new Database(options);
  try {
    await database.waitUntilReady(CONNECT_TIMEOUT_MS);
  } catch (error) {
    await database.close();
    throw new AppError('DATABASE_UNAVAILABLE', `PostgreSQL does not answer; check DATABASE_URL and the server's log.`, {
      cause: error,
    });
  }
  return database;
}
