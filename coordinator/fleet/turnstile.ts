/** Lets so many through at once, the rest in the order in which they came. */
export class Turnstile {
  readonly #width: number;
  #inside = 0;
  readonly #queue: (() => void)[] = [];

  constructor(width: number) {
    this.#width = width;
  }

  get inside(): number {
    return this.#inside;
  }

  /** How many wait outside. */
  get waiting(): number {
    return this.#queue.length;
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside < this.#width) this.#inside++;
    // Whoever leaves hands its place over, so that nobody slips in between.
    else await new Promise<void>((enter) => this.#queue.push(enter));
    try {
      return await work();
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#inside--;
    }
  }
}
