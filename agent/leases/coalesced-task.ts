import { messageOf } from '../../common/runtime/errors.ts';
import type { Logger } from '../../common/runtime/logger.ts';

/** Runs one at a time; any number of wake-ups during a run lead to one more run after it. */
export class CoalescedTask {
  readonly #task: () => Promise<void>;
  readonly #logger: Logger;
  #running = false;
  #again = false;

  constructor(task: () => Promise<void>, logger: Logger) {
    this.#task = task;
    this.#logger = logger;
  }

  run(): void {
    this.#again = true;
    if (!this.#running) void this.#loop();
  }

  async #loop(): Promise<void> {
    this.#running = true;
    try {
      while (this.#again) {
        this.#again = false;
        await this.#task();
      }
    } catch (error) {
      this.#logger.error({ reason: messageOf(error) }, 'a task of the lease keeper failed');
    } finally {
      this.#running = false;
    }
  }
}
