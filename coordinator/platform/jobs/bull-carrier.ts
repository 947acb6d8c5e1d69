import Bull from 'bull';
import { Redis } from 'ioredis';
import type { Clock } from '../../../common/runtime/clock.ts';
import { messageOf } from '../../../common/runtime/errors.ts';
import type { Logger } from '../../../common/runtime/logger.ts';

export type RedisConnection = { url: string } | { path: string };

export interface CarrierOptions {
  redis: RedisConnection;
  /** Begins every key in Redis. */
  prefix: string;
  clock: Clock;
  logger: Logger;
}

/** A Redis that comes back soon is found soon. */
const RECONNECT_CEILING_MS = 2_000;
/** Enough to say goodbye to a Redis that is there; one that is away must not hold up the shutdown. */
const CLOSE_WITHIN_MS = 1_000;

type ConnectionKind = 'client' | 'subscriber' | 'bclient';

/** Brings ids of jobs from whoever enqueues them to whoever runs them. It may lose or repeat them: the database decides. */
export class BullCarrier {
  readonly #queue: Bull.Queue<{ id: number }>;
  readonly #clients = new Map<ConnectionKind, Redis>();
  readonly #clock: Clock;
  readonly #logger: Logger;
  #trouble: string | undefined;
  #isClosed = false;

  constructor({ redis, prefix, clock, logger }: CarrierOptions) {
    this.#clock = clock;
    this.#logger = logger;
    // Bull opens the blocking connection only when it listens, and a command that it sends at once, without waiting for the
    // answer, would fail unhandled if the connection never came. Opened now, it is ready by then.
    for (const kind of ['client', 'bclient'] as const) this.#clients.set(kind, this.#connect(redis));
    this.#queue = new Bull<{ id: number }>('jobs', {
      prefix,
      createClient: (kind) => this.#clients.get(kind) ?? this.#connect(redis),
      // The job's history is in the database; an id that is through may be carried again.
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true, attempts: 1 },
      settings: { stalledInterval: 15_000, maxStalledCount: 3, retryProcessDelay: 500 },
    });
    this.#queue.on('error', (error) => this.#noteTrouble(error));
  }

  /** False while Redis cannot be reached. */
  get isConnected(): boolean {
    return [...this.#clients.values()].every(({ status }) => status === 'ready');
  }

  /**
   * Carries the id, unless the same turn of the same job is on its way already. Resolves false where Redis cannot be reached.
   * `turn` differs each time the job is queued: an id that a dead process took along must not block the next turn.
   */
  async carry(id: number, turn: number): Promise<boolean> {
    if (!this.isConnected || this.#isClosed) return false;
    try {
      await this.#queue.add({ id }, { jobId: `${id}-${turn}` });
      return true;
    } catch (error) {
      this.#noteTrouble(error);
      return false;
    }
  }

  /** Calls `run` for every id that arrives, `concurrency` at a time. Call it once, while connected. */
  listen(concurrency: number, run: (id: number) => Promise<void>): void {
    // Resolves only when the queue closes.
    this.#queue.process(concurrency, ({ data }) => run(data.id)).catch((error: unknown) => this.#noteTrouble(error));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const closing = this.#queue.close(true).catch(() => undefined);
    if (this.isConnected) await Promise.race([closing, this.#clock.sleep(CLOSE_WITHIN_MS)]);
    for (const client of this.#clients.values()) client.disconnect();
    await closing;
  }

  #connect(redis: RedisConnection): Redis {
    const options = {
      // Bull's own demand: its blocking commands outlive a connection.
      maxRetriesPerRequest: null,
      enableReadyCheck: false,
      retryStrategy: (times: number) => Math.min(times * 100, RECONNECT_CEILING_MS),
    };
    const client = 'url' in redis ? new Redis(redis.url, options) : new Redis({ path: redis.path, ...options });
    client.on('error', (error: Error) => this.#noteTrouble(error));
    client.on('ready', () => {
      if (this.#trouble === undefined || !this.isConnected) return;
      this.#logger.info('Redis is back');
      this.#trouble = undefined;
    });
    return client;
  }

  /** The same trouble comes once a connection and attempt: said when it changes. */
  #noteTrouble(error: unknown): void {
    const text = messageOf(error);
    if (text === this.#trouble || this.#isClosed) return;
    this.#trouble = text;
    this.#logger.warn({ err: error }, 'trouble with Redis, jobs wait');
  }
}
