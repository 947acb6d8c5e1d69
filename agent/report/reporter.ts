import type { Fragment } from '../../common/domain/fragment.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { codeOf, messageOf } from '../../common/runtime/errors.ts';
import type { Logger } from '../../common/runtime/logger.ts';
import { dateFragment } from './fragments.ts';
import type { UndatedFragment } from './fragments.ts';

/** Fragments a batch: some 2 MB. */
const MAX_FRAGMENTS = 2_000;

export interface ReporterOptions {
  /** Everything that was captured since the last call. */
  collect(): Promise<UndatedFragment[]>;
  date: Parameters<typeof dateFragment>[1];
  outbox: { add(fragments: Fragment[], clockErrorMs: number): Promise<void> };
  clock: Clock;
  logger: Logger;
  /** Records cannot be written: whoever captures must stop. */
  onFull(reason: string): void;
  /** They can be written again. */
  onRoom(): void;
}

/** Every `reportMs` makes batches of what was captured. What cannot be dated yet waits for its anchor. */
export class Reporter {
  readonly #options: ReporterOptions;
  readonly #stopped = new AbortController();
  #waiting: UndatedFragment[] = [];
  #reportMs = 5_000;
  #full = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  /** Fragments that wait to be dated or written. */
  get waiting(): number {
    return this.#waiting.length;
  }

  start(): void {
    void this.#loop();
  }

  /** How long to collect before the next batch, ms. */
  setPeriod(reportMs: number): void {
    this.#reportMs = reportMs;
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** Collects and writes everything up to now, after a report that is under way. */
  flush(): Promise<void> {
    this.#running = this.#running.catch(() => {}).then(() => this.#flush());
    return this.#running;
  }

  async #loop(): Promise<void> {
    const { clock, logger } = this.#options;
    while (!this.#stopped.signal.aborted) {
      await clock.sleep(this.#reportMs, this.#stopped.signal).catch(() => {});
      if (this.#stopped.signal.aborted) return;
      await this.flush().catch((error: unknown) => logger.error({ err: error }, 'report failed'));
    }
  }

  async #flush(): Promise<void> {
    const { collect, date } = this.#options;
    this.#waiting.push(...(await collect()));
    const undated: UndatedFragment[] = [];
    const dated: { fragment: Fragment; errorMs: number; source: UndatedFragment }[] = [];
    for (const source of this.#waiting) {
      const result = dateFragment(source, date);
      if (result) dated.push({ ...result, source });
      else undated.push(source);
    }
    this.#waiting = undated;
    for (let from = 0; from < dated.length; from += MAX_FRAGMENTS) {
      const part = dated.slice(from, from + MAX_FRAGMENTS);
      if (await this.#write(part)) continue;
      this.#waiting.push(...dated.slice(from).map(({ source }) => source));
      return;
    }
  }

  async #write(part: { fragment: Fragment; errorMs: number }[]): Promise<boolean> {
    const { outbox, onFull, onRoom } = this.#options;
    try {
      const worst = part.reduce((most, { errorMs }) => Math.max(most, errorMs), 0);
      await outbox.add(
        part.map(({ fragment }) => fragment),
        worst,
      );
      if (this.#full) onRoom();
      this.#full = false;
      return true;
    } catch (error) {
      if (codeOf(error) !== 'OUTBOX_FULL') throw error;
      if (!this.#full) onFull(messageOf(error));
      this.#full = true;
      return false;
    }
  }
}
