import type { Clock } from './clock.ts';

export interface GroupedOptions<Item, Answer> {
  /** Answers for the items, in their order. */
  work(items: Item[]): Promise<Answer[]>;
  /** Groups begin no closer together than this. */
  gapMs: number;
  mostItems: number;
  clock: Clock;
}

interface Waiting<Item, Answer> {
  item: Item;
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
}

/**
 * Answers requests together where they come fast: one that comes alone is worked on at once, those that come within `gapMs` of
 * the last group share the next. One group at a time. A failure of the work fails all of its group.
 */
export class Grouped<Item, Answer> {
  readonly #options: GroupedOptions<Item, Answer>;
  #waiting: Waiting<Item, Answer>[] = [];
  #running = false;
  #begunAt = -Infinity;

  constructor(options: GroupedOptions<Item, Answer>) {
    this.#options = options;
  }

  ask(item: Item): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    const { clock, gapMs, mostItems } = this.#options;
    this.#running = true;
    while (this.#waiting.length > 0) {
      const early = this.#begunAt + gapMs - clock.monotonic();
      if (early > 0) await clock.sleep(early);
      this.#begunAt = clock.monotonic();
      await this.#answer(this.#waiting.splice(0, mostItems));
    }
    this.#running = false;
  }

  async #answer(group: Waiting<Item, Answer>[]): Promise<void> {
    try {
      const answers = await this.#options.work(group.map(({ item }) => item));
      for (const [index, { resolve }] of group.entries()) resolve(answers[index] as Answer);
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}
