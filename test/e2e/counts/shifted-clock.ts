import { rename, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';

const PRELOAD = resolve(import.meta.dirname, '../../support/clock-shift.cjs');

/** Clocks of an agent that differ from this machine's; they may be set while it runs. */
export class ShiftedClock {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** For the agent's process; the file has to exist before it starts. */
  get env(): Record<string, string> {
    return { NODE_OPTIONS: `--require ${PRELOAD}`, CAMFLEET_TEST_CLOCK: this.#path };
  }

  /** What is added to both clocks, ms. A suspended machine's monotonic clock stands still, its wall clock does not. */
  async set({ wallMs = 0, monotonicMs = 0 }: { wallMs?: number; monotonicMs?: number }): Promise<void> {
    await writeFile(`${this.#path}.draft`, JSON.stringify({ wallMs, monotonicMs }));
    await rename(`${this.#path}.draft`, this.#path);
  }
}
