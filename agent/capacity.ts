/**
 * What this agent says it can take, in attempts a second: the probe's figure, corrected by what happens. Being late lowers it
 * below what was managed; keeping up near the limit raises it again, slowly and never above the probe's figure.
 */
export class Capacity {
  readonly #probed: number;
  #current: number;

  constructor(probed: number) {
    this.#probed = probed;
    this.#current = probed;
  }

  get current(): number {
    return this.#current;
  }

  /** @param rate attempts a second over the last period, @param lateShare share of the cameras that were late */
  learn({ rate, lateShare }: { rate: number; lateShare: number }): number {
    // A camera or two late says something about them; a tenth of all says something about us.
    if (lateShare > 0.1 && rate > 0) this.#current = Math.max(1, Math.min(this.#current, rate * 0.9));
    else if (lateShare < 0.02) this.#current = Math.min(this.#probed, this.#current * 1.02);
    return this.#current;
  }
}
