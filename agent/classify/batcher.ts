/** Collects items across cameras into batches of at most `max`, waiting at most `waitMs` for the first of a batch. */
export class Batcher<In, Out> {
  readonly #run: (items: In[]) => Promise<Out[]>;
  readonly #max: number;
  readonly #waitMs: number;
  #waiting: { item: In; resolve(out: Out): void; reject(error: unknown): void }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #running = false;

  constructor(options: { max: number; waitMs: number; run: (items: In[]) => Promise<Out[]> }) {
    this.#run = options.run;
    this.#max = options.max;
    this.#waitMs = options.waitMs;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  add(item: In): Promise<Out> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#waiting.length >= this.#max) void this.#flush();
      else this.#timer ??= setTimeout(() => void this.#flush(), this.#waitMs);
    });
  }

  // One batch at a time: while one runs the next fills up, so load makes batches larger, not more.
  async #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#waiting.length > 0) await this.#runBatch(this.#waiting.splice(0, this.#max));
    } finally {
      this.#running = false;
    }
  }

  async #runBatch(batch: { item: In; resolve(out: Out): void; reject(error: unknown): void }[]): Promise<void> {
    try {
      const outs = await this.#run(batch.map(({ item }) => item));
      batch.forEach(({ resolve }, i) => resolve(outs[i] as Out));
    } catch (error) {
      batch.forEach(({ reject }) => reject(error));
    }
  }
}
