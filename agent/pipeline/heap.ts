/** Smallest `due` first; of equal ones the one that was put in first. */
export class DueHeap<T> {
  readonly #items: { due: number; order: number; value: T }[] = [];
  #order = 0;

  get size(): number {
    return this.#items.length;
  }

  /** When the first item falls due; infinite for an empty heap. */
  get nextDue(): number {
    return this.#items[0]?.due ?? Infinity;
  }

  push(due: number, value: T): void {
    const item = { due, order: this.#order++, value };
    let at = this.#items.length;
    this.#items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(item, this.#items[parent]!)) break;
      this.#items[at] = this.#items[parent]!;
      at = parent;
    }
    this.#items[at] = item;
  }

  pop(): T | undefined {
    const top = this.#items[0];
    const last = this.#items.pop();
    if (!top || !last || top === last) return top?.value;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#items.length) break;
      if (child + 1 < this.#items.length && this.#before(this.#items[child + 1]!, this.#items[child]!)) child++;
      if (!this.#before(this.#items[child]!, last)) break;
      this.#items[at] = this.#items[child]!;
      at = child;
    }
    this.#items[at] = last;
    return top.value;
  }

  #before(a: { due: number; order: number }, b: { due: number; order: number }): boolean {
    return a.due < b.due || (a.due === b.due && a.order < b.order);
  }
}
