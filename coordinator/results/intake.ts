import { batchSchema } from '../../common/protocol/rest.ts';
import type { Receipt } from '../../common/protocol/rest.ts';
import { AppError, codeOf, messageOf } from '../../common/runtime/errors.ts';
import { sha256 } from '../../common/storage/digest.ts';
import type { Database } from '../platform/database/database.ts';
import { applyBatches } from './apply.ts';
import { fitsOf } from './fits.ts';
import type { Submission } from './judge.ts';
import { keepMemoriesAsText } from './memory-text.ts';
import { keyOf } from './session-repository.ts';
import type { Traffic } from './traffic.ts';
import type { WindowService } from './window.ts';

export interface IntakeOptions {
  database: Database;
  window: WindowService;
  traffic: Traffic;
  /** How long agents collect before the next batch, ms; receipts stretch it in a large fleet and while many batches wait. */
  reportMs: number;
  /** Records the id of every counted attempt: for tests only. */
  witness: boolean;
  /** Whether new pictures may be asked for. */
  keepsFrames: () => boolean;
  /** Least time between two regular samples of a camera, ms; 0 or absent takes none. */
  sampleMs?: number;
}

export interface Sender {
  agentId: string;
  sessionId: string;
}

/** While one transaction waits for the disk the other one computes. */
const LANES = 2;
/** Groups begin no closer together, so that the batches of a large fleet share transactions; a small fleet's need not wait. */
const GROUP_GAP = { mostMs: 200, msAnAgent: 4 };
/**
 * While shards change hands there are fewer, larger groups, one at a time: what was fetched waits safely, but a camera of an agent
 * that died is watched by nobody until its shard is accepted. Not where so many batches wait that it would take long to catch up.
 */
const GIVING_WAY = { lanes: 1, gapFactor: 5, mostWaiting: 320 };
/** A group's size bounds how long its first batch waits for the last, and how much one bad batch makes do over. */
const MOST_BATCHES = 32;
const MOST_FRAGMENTS = 1_000;
/** Larger batches cost less each attempt, but a killed agent loses what it has not sent. */
const MOST_STRETCH = 6;
/**
 * A batch costs its transaction some 15 statements, whatever is in it: above this many a second they are made larger instead. At
 * 100,000 cameras a minute and 1,000 agents that is 42 fragments every 25 s instead of 8 every 5 s.
 */
const BATCHES_A_SECOND = 40;

interface Waiting {
  submission: Submission;
  resolve: (receipt: Receipt) => void;
  reject: (error: unknown) => void;
}

/**
 * Takes batches and counts each attempt that lies inside its holder's window exactly once. Batches that arrive while others
 * are being written share the next transaction.
 */
export class Intake {
  readonly #options: IntakeOptions;
  #waiting: Waiting[] = [];
  #lanes = 0;
  #begunAt = -Infinity;
  #opensLater = false;
  /** Session → when it last reported, monotonic ms: those of the last stretched periods are the fleet. */
  readonly #reporting = new Map<string, number>();
  #countedAt = 0;
  #sizeStretch = 1;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /**
   * Counts a batch, of the sender's session or of an earlier one of the same agent. When it resolves, the batch is durable; the
   * same bytes again get the same receipt and count nothing. Rejects with `BATCH_DIGEST` (400), `BATCH_INVALID` (422) or
   * `BATCH_OUT_OF_ORDER` (409, `details.expected`); `details.status` is the HTTP status.
   */
  async accept(sender: Sender, bytes: Buffer, digestHeader: string | undefined): Promise<Receipt> {
    const digest = sha256(bytes);
    if (digestHeader !== digest) throw wrongDigest(digest, digestHeader);
    const batch = parse(bytes);
    this.#options.traffic.add({ sent: bytes.length });
    this.#reporting.set(sender.sessionId, performance.now());
    const submission = { agentId: sender.agentId, sessionId: batch.session, seq: batch.seq, digest, batch };
    return new Promise((resolve, reject) => {
      this.#waiting.push({ submission, resolve, reject });
      this.#open();
    });
  }

  #open(): void {
    const { lanes, gapFactor } = this.#givesWay() ? GIVING_WAY : { lanes: LANES, gapFactor: 1 };
    while (this.#lanes < lanes && this.#waiting.length > 0) {
      const gapMs = gapFactor * Math.min(GROUP_GAP.mostMs, this.#reporting.size * GROUP_GAP.msAnAgent);
      const early = this.#begunAt + gapMs - performance.now();
      if (early > 0) return this.#openIn(early);
      this.#begunAt = performance.now();
      this.#lanes++;
      void this.#apply(this.#nextGroup()).finally(() => {
        this.#lanes--;
        this.#open();
      });
    }
  }

  #givesWay(): boolean {
    return this.#waiting.length <= GIVING_WAY.mostWaiting && this.#options.window.isHandingOver?.() === true;
  }

  #openIn(ms: number): void {
    if (this.#opensLater) return;
    this.#opensLater = true;
    setTimeout(() => {
      this.#opensLater = false;
      this.#open();
    }, ms);
  }

  /** In order of arrival; of one session only one batch. */
  #nextGroup(): Waiting[] {
    const group = new Map<string, Waiting>();
    const later: Waiting[] = [];
    let fragments = 0;
    for (const waiting of this.#waiting) {
      const key = keyOf(waiting.submission);
      const size = waiting.submission.batch.fragments.length;
      const fits = group.size === 0 || (group.size < MOST_BATCHES && fragments + size <= MOST_FRAGMENTS);
      if (!fits || group.has(key)) later.push(waiting);
      else {
        group.set(key, waiting);
        fragments += size;
      }
    }
    this.#waiting = later;
    return [...group.values()];
  }

  #reportMs(): number {
    const groups = Math.floor(this.#waiting.length / MOST_BATCHES);
    return Math.round(this.#options.reportMs * Math.min(MOST_STRETCH, this.#stretchBySize() + groups));
  }

  /** Counted once a period: all reports between see the same. */
  #stretchBySize(): number {
    const { reportMs } = this.#options;
    const now = performance.now();
    if (now - this.#countedAt > reportMs) {
      this.#countedAt = now;
      for (const [session, at] of this.#reporting) {
        if (now - at > (MOST_STRETCH + 1) * reportMs) this.#reporting.delete(session);
      }
      this.#sizeStretch = Math.max(1, (this.#reporting.size * 1_000) / reportMs / BATCHES_A_SECOND);
    }
    return this.#sizeStretch;
  }

  /** Never rejects: every waiting batch is answered. */
  async #apply(group: Waiting[]): Promise<void> {
    const { database, traffic, keepsFrames, ...options } = this.#options;
    const moved = traffic.take();
    try {
      const answers = await database.transaction((tx) =>
        applyBatches(
          tx,
          group.map(({ submission }) => submission),
          { ...options, reportMs: this.#reportMs(), keepsFrames: keepsFrames(), traffic: moved },
        ),
      );
      // Only new batches write the log.
      if (answers.every((answer) => answer instanceof AppError)) traffic.add(moved);
      for (const [index, { resolve, reject }] of group.entries()) {
        const answer = answers[index] as Receipt | AppError;
        if (answer instanceof AppError) reject(answer);
        else resolve(answer);
      }
    } catch (error) {
      traffic.add(moved);
      if (group.length === 1 || codeOf(error) === 'DATABASE_UNAVAILABLE') {
        for (const { reject } of group) reject(asInvalid(error));
        return;
      }
      // One of them is to blame; alone the others succeed.
      for (const one of group) await this.#apply([one]);
    }
  }
}

const isBatch = fitsOf(batchSchema);

function parse(bytes: Buffer): Submission['batch'] {
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(messageOf(error), error);
  }
  if (isBatch(value)) {
    const batch = value as Submission['batch'];
    keepMemoriesAsText(text, batch.fragments);
    return batch;
  }
  const parsed = batchSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalid(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`, parsed.error);
}

function invalid(why: string, cause?: unknown): AppError {
  const message = `The batch is not of the form that protocol 1 describes: ${why}`;
  return new AppError('BATCH_INVALID', message, { cause, details: { status: 422 } });
}

/** Class 22: a value that no column can hold, such as the character U+0000. Sending it again cannot help. */
function asInvalid(error: unknown): unknown {
  return /^22/.test(codeOf(error) ?? '') ? invalid(messageOf(error), error) : error;
}

function wrongDigest(found: string, header: string | undefined): AppError {
  const message = `The bytes have the SHA-256 ${found}, the header says ${header ?? 'nothing'}; send the batch again.`;
  return new AppError('BATCH_DIGEST', message, { details: { status: 400 } });
}
