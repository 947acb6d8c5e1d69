/**
 * What this agent says it can take, in attempts a second: the probe's figure, corrected by what happens. Where busy threads are
 * late it falls to what they managed; where they keep up it rises again, slowly and never above the probe's figure.
 * Lateness without load is the cameras' or their hosts', and says nothing about this machine.
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

  /**
   * @param rate attempts a second over the last period
   * @param lateShare share of the cameras that were late
   * @param busy of the busiest thread, 0 to 1
   */
  learn({ rate, lateShare, busy }: { rate: number; lateShare: number; busy: number }): number {
    if (lateShare > 0.1 && busy > 0.85 && rate > 0) this.#current = Math.max(1, Math.min(this.#current, rate * 0.9));
    else if (busy < 0.7) this.#current = Math.min(this.#probed, this.#current * 1.02);
    return this.#current;
  }
}
