/** Bytes that moved and are not yet in the log; they go with the next transaction. A crash loses them: they are statistics. */
export class Traffic {
  #sent = 0;
  #stored = 0;

  add({ sent = 0, stored = 0 }: { sent?: number; stored?: number }): void {
    this.#sent += sent;
    this.#stored += stored;
  }

  take(): { sent: number; stored: number } {
    const taken = { sent: this.#sent, stored: this.#stored };
    this.#sent = 0;
    this.#stored = 0;
    return taken;
  }
}
