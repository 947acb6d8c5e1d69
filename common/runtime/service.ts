import type { Logger } from './logger.ts';

export interface Service {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Release next to acquire, stop in reverse. `defer` right after something was opened; `stop` closes all, newest first, and
 * goes on past a failure so that one broken part does not leave the others running.
 */
export class ShutdownStack {
  readonly #entries: { name: string; stop: () => unknown }[] = [];
  readonly #logger: Logger | undefined;
  #stopping: Promise<void> | undefined;

  constructor(logger?: Logger) {
    this.#logger = logger;
  }

  defer(name: string, stop: () => unknown): void {
    this.#entries.push({ name, stop });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    for (let entry = this.#entries.pop(); entry; entry = this.#entries.pop()) {
      try {
        await entry.stop();
        this.#logger?.debug({ part: entry.name }, 'stopped');
      } catch (error) {
        this.#logger?.error({ part: entry.name, err: error }, 'could not stop cleanly');
      }
    }
  }
}
