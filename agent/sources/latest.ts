/**
 * Hands values from a pusher to one reader. A reader that is slower gets the newest value and never a queue of old ones:
 * a frame nobody had time for is worth nothing a second later.
 */
export class Latest<T> {
  #value: T | undefined;
  #ended: { error?: unknown } | undefined;
  #wake: (() => void) | undefined;
  /** Values that a newer one replaced. */
  dropped = 0;

  push(value: T): void {
    if (this.#value !== undefined) this.dropped++;
    this.#value = value;
    this.#wake?.();
  }

  /** After the last value the reader is done, or gets the error. */
  end(error?: unknown): void {
    this.#ended ??= error === undefined ? {} : { error };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      if (this.#value !== undefined) {
        const value = this.#value;
        this.#value = undefined;
        yield value;
      } else if (this.#ended) {
        if ('error' in this.#ended) throw this.#ended.error;
        return;
      } else {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#wake = undefined;
      }
    }
  }
}
