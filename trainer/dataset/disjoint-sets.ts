/** Numbers 0…n−1 in sets that can only grow together. */
export class DisjointSets {
  readonly #parents: number[];

  constructor(size: number) {
    this.#parents = Array.from({ length: size }, (_, i) => i);
  }

  /** The smallest number of its set: the same whatever the order of joins. */
  rootOf(i: number): number {
    let at = i;
    // Halving the way up keeps later look-ups short.
    while (this.#parents[at] !== at) at = this.#parents[at] = this.#parents[this.#parents[at] as number] as number;
    return at;
  }

  join(a: number, b: number): void {
    const [first, second] = [this.rootOf(a), this.rootOf(b)];
    this.#parents[Math.max(first, second)] = Math.min(first, second);
  }

  /** All sets, each in order, ordered by their first. */
  sets(): number[][] {
    const sets = new Map<number, number[]>();
    for (let i = 0; i < this.#parents.length; i++) {
      const members = sets.get(this.rootOf(i));
      if (members) members.push(i);
      else sets.set(this.rootOf(i), [i]);
    }
    return [...sets.values()];
  }
}
