import type { IterationReport } from '../../common/domain/training.ts';
import { HEARTBEAT_SECONDS } from '../../common/protocol/training.ts';
import type { GoOn, Progress } from '../../common/protocol/training.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { AppError, codeOf } from '../../common/runtime/errors.ts';
import type { Logger } from '../../common/runtime/logger.ts';

/** News goes out this often at most. */
const LOOK_EVERY_MS = 1_000;

export interface HeartbeatOptions {
  send(news: Pick<Progress, 'iterations' | 'note'>, signal: AbortSignal): Promise<GoOn>;
  clock: Clock;
  logger: Logger;
}

/**
 * Tells the coordinator that a run lives and what is new. `lost` aborts with TRAINING_CANCELLED or TRAINING_CLAIM_LOST where it
 * answers so. A coordinator that is away gets the news when it is back.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #lost = new AbortController();
  readonly #over = new AbortController();
  readonly #running: Promise<void>;
  #iterations: IterationReport[] = [];
  #note: string;
  #hasNews = true;
  #sentAt = -Infinity;

  constructor(note: string, options: HeartbeatOptions) {
    this.#note = note;
    this.#options = options;
    this.#running = this.#run();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  note(note: string): void {
    this.#note = note;
    this.#hasNews = true;
  }

  iteration(report: IterationReport): void {
    this.#iterations.push(report);
    this.#hasNews = true;
  }

  /** Sends what is left, once. */
  async stop(): Promise<void> {
    this.#over.abort();
    await this.#running;
    if (this.#iterations.length > 0) await this.#send(AbortSignal.timeout(5_000)).catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.#options;
    while (!this.#over.signal.aborted) {
      const isDue = clock.monotonic() - this.#sentAt >= HEARTBEAT_SECONDS * 1_000;
      if (this.#hasNews || isDue) {
        await this.#send(this.#over.signal).catch((error: unknown) => {
          if (!this.#over.signal.aborted) logger.warn({ code: codeOf(error) }, 'heartbeat not delivered');
        });
      }
      await clock.sleep(LOOK_EVERY_MS, this.#over.signal).catch(() => undefined);
    }
  }

  async #send(signal: AbortSignal): Promise<void> {
    const iterations = this.#iterations;
    const goOn = await this.#options.send({ iterations: iterations.slice(0, 1_000), note: this.#note }, signal);
    this.#iterations = this.#iterations.slice(Math.min(iterations.length, 1_000));
    this.#hasNews = this.#iterations.length > 0;
    this.#sentAt = this.#options.clock.monotonic();
    if (goOn === 'cancel') this.#lost.abort(new AppError('TRAINING_CANCELLED', 'The run was cancelled.'));
    if (goOn === 'gone') {
      this.#lost.abort(
        new AppError('TRAINING_CLAIM_LOST', 'The run is no longer ours; another trainer may have begun.'),
      );
    }
  }
}
