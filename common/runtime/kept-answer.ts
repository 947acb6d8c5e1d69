import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';

export interface KeptAnswerOptions {
  /** An answer may take at most this share of the time: where it costs more it is asked for more seldom. Default: a tenth. */
  mostShare?: number;
  clock?: Pick<Clock, 'monotonic'>;
}

/**
 * The newest answer to a question that many ask and that costs more the more there is. Asked again when the answer is older
 * than `freshMs`, or than so many times what it took that it keeps to its share of the time, whichever is longer.
 */
export class KeptAnswer<Answer> {
  readonly #ask: () => Promise<Answer>;
  readonly #freshMs: number;
  readonly #mostShare: number;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #kept: { until: number; answer: Promise<Answer> } | undefined;

  constructor(
    ask: () => Promise<Answer>,
    freshMs: number,
    { mostShare = 0.1, clock = systemClock }: KeptAnswerOptions = {},
  ) {
    this.#ask = ask;
    this.#freshMs = freshMs;
    this.#mostShare = mostShare;
    this.#clock = clock;
  }

  /** Those who ask while an answer is on its way share it. */
  get(): Promise<Answer> {
    const askedAt = this.#clock.monotonic();
    if (this.#kept && askedAt < this.#kept.until) return this.#kept.answer;
    const kept = { until: Infinity, answer: this.#ask() };
    this.#kept = kept;
    kept.answer.then(
      () => {
        const tookMs = this.#clock.monotonic() - askedAt;
        kept.until = askedAt + Math.max(this.#freshMs, tookMs / this.#mostShare);
      },
      // A failure is told to whoever asked, and not kept.
      () => (kept.until = -Infinity),
    );
    return kept.answer;
  }
}
