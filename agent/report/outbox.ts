import { errorBodySchema, receiptSchema } from '../../common/protocol/rest.ts';
import type { Batch, Receipt } from '../../common/protocol/rest.ts';
import type { Fragment } from '../../common/domain/fragment.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { AppError, messageOf } from '../../common/runtime/errors.ts';
import type { Logger } from '../../common/runtime/logger.ts';
import { backoffMs } from '../../common/runtime/retry.ts';
import { sha256 } from '../../common/storage/digest.ts';
import { OutboxFolder } from './outbox-folder.ts';
import type { StoredBatch } from './outbox-folder.ts';

/** Delivers the bytes of a batch; throws where nobody answered. */
export interface BatchSender {
  postBatch(bytes: Buffer, digest: string): Promise<{ status: number; body: unknown }>;
}

export interface OutboxOptions {
  folder: string;
  session: string;
  maxBytes: number;
  sender: BatchSender;
  clock: Clock;
  logger: Logger;
  onReceipt?(receipt: Receipt): void;
}

type Fate = { kind: 'receipt'; receipt: Receipt } | { kind: 'applied' } | { kind: 'gap'; expected: number };

// 401 is a session key that a reconnect replaces.
const PASSING = new Set([401, 408, 425, 429]);
const BACKOFF = { firstMs: 500, ceilingMs: 30_000 };

/**
 * Batches on disk until the coordinator's receipt. `(session, seq)` names a batch, its bytes never change, one is in flight,
 * and those of earlier sessions go first under their own numbers.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #folder: OutboxFolder;
  readonly #stopped = new AbortController();
  #queue: StoredBatch[] = [];
  #bytes = 0;
  #seq = 0;
  #refused = 0;
  #wake: (() => void) | undefined;
  #idle: (() => void)[] = [];
  #hurry = new AbortController();

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#folder = new OutboxFolder(options.folder, options.session, options.clock.now());
  }

  /** Batches that have no receipt yet. */
  get size(): number {
    return this.#queue.length;
  }

  /** Batches in `refused/`. */
  get refused(): number {
    return this.#refused;
  }

  async start(): Promise<void> {
    this.#queue = await this.#folder.open();
    this.#bytes = this.#queue.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#refused = await this.#folder.countRefused();
    void this.#deliver();
  }

  /** Returns when the batch is safe on disk. Throws `OUTBOX_FULL` where it cannot be: then nothing was written. */
  async add(fragments: Fragment[], clockErrorMs: number): Promise<void> {
    const seq = this.#seq + 1;
    const bytes = encode({ session: this.#options.session, seq, clockErrorMs, fragments });
    if (this.#bytes + bytes.length > this.#options.maxBytes) {
      throw new AppError(
        'OUTBOX_FULL',
        `The outbox holds ${this.#bytes} bytes and may hold ${this.#options.maxBytes}; restore the connection to the coordinator or raise outbox.maxBytes.`,
      );
    }
    const stored = await this.#folder.write(seq, bytes);
    this.#seq = seq;
    this.#bytes += stored.bytes;
    this.#queue.push(stored);
    this.#wake?.();
  }

  /** A new connection: do not wait out the back-off. */
  hurry(): void {
    this.#hurry.abort();
  }

  /** Resolves when everything is delivered; rejects with the signal's reason. */
  flushed(signal: AbortSignal): Promise<void> {
    if (this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#idle.push(resolve);
      if (signal.aborted) reject(signal.reason as Error);
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  }

  stop(): void {
    this.#stopped.abort();
    this.#hurry.abort();
    this.#wake?.();
  }

  async #deliver(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const next = this.#queue[0];
      if (!next) {
        for (const resolve of this.#idle.splice(0)) resolve();
        await new Promise<void>((wake) => (this.#wake = wake));
        continue;
      }
      try {
        await this.#deliverOne(next);
        this.#queue.shift();
        this.#bytes -= next.bytes;
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        // The disk failed us while releasing or refusing; the coordinator answers a repetition with the same receipt.
        this.#options.logger.error({ err: error }, 'a batch could not be taken out of the outbox');
        await this.#options.clock.sleep(1_000, this.#stopped.signal).catch(() => {});
      }
    }
  }

  async #deliverOne(batch: StoredBatch): Promise<void> {
    const bytes = await this.#folder.read(batch);
    let fate = await this.#send(bytes, batch);
    if (fate?.kind === 'gap') {
      // Numbers before this one were refused, or a restored database forgot them: empty batches close the gap.
      await this.#closeGap(batch.session, fate.expected, batch.seq);
      fate = await this.#send(bytes, batch);
    }
    if (fate === undefined) return;
    if (fate.kind === 'gap') {
      return void (await this.#refuse(batch, 409, {
        code: 'BATCH_GAP',
        message: `Batch ${fate.expected} is expected.`,
      }));
    }
    if (fate.kind === 'receipt') this.#options.onReceipt?.(fate.receipt);
    await this.#folder.release(batch);
  }

  async #closeGap(session: string, from: number, until: number): Promise<void> {
    this.#options.logger.warn({ session, from, until }, 'batches are missing, empty ones close the gap');
    for (let seq = from; seq < until && !this.#stopped.signal.aborted; seq++) {
      const empty = encode({ session, seq, clockErrorMs: 0, fragments: [] });
      await this.#send(empty, undefined);
    }
  }

  /** Sends until there is an answer that stands. `undefined`: refused for good (and moved away), or we are stopping. */
  async #send(bytes: Buffer, batch: StoredBatch | undefined): Promise<Fate | undefined> {
    const digest = sha256(bytes);
    for (let attempt = 0; ; attempt++) {
      let trouble: string;
      try {
        const { status, body } = await this.#options.sender.postBatch(bytes, digest);
        const fate = fateOf(status, body, digest, batch?.seq);
        if (fate) return fate;
        trouble = `status ${status}`;
        const passes = PASSING.has(status) || status >= 500 || (status >= 200 && status < 300);
        if (!passes) return await this.#refuse(batch, status, body);
      } catch (error) {
        trouble = messageOf(error);
      }
      this.#stopped.signal.throwIfAborted();
      this.#options.logger.debug({ trouble, attempt, seq: batch?.seq }, 'batch not delivered, trying again');
      this.#hurry = new AbortController();
      await this.#options.clock.sleep(backoffMs(BACKOFF, attempt), this.#hurry.signal).catch(() => {});
      this.#stopped.signal.throwIfAborted();
    }
  }

  async #refuse(batch: StoredBatch | undefined, status: number, body: unknown): Promise<undefined> {
    const error = errorBodySchema.safeParse(body);
    const reason = error.success ? `${error.data.code}: ${error.data.message}` : `status ${status}`;
    this.#options.logger.error({ session: batch?.session, seq: batch?.seq, reason }, 'batch refused');
    if (!batch) return undefined;
    await this.#folder.refuse(batch, reason);
    this.#refused++;
    return undefined;
  }
}

const encode = (batch: Batch): Buffer => Buffer.from(JSON.stringify(batch));

function fateOf(status: number, body: unknown, digest: string, seq: number | undefined): Fate | undefined {
  if (status >= 200 && status < 300) {
    const receipt = receiptSchema.safeParse(body);
    return receipt.success && receipt.data.digest === digest ? { kind: 'receipt', receipt: receipt.data } : undefined;
  }
  if (status !== 409 || seq === undefined) return undefined;
  const details = errorBodySchema.safeParse(body);
  const expected = details.success ? (details.data.details as { expected?: unknown } | undefined)?.expected : undefined;
  if (typeof expected !== 'number') return undefined;
  if (expected > seq) return { kind: 'applied' };
  return expected < seq ? { kind: 'gap', expected } : undefined;
}
