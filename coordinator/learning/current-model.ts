import type { Clock } from '../../common/runtime/clock.ts';
import type { Logger } from '../../common/runtime/logger.ts';
import type { Service } from '../../common/runtime/service.ts';
import type { Models } from './models/models.ts';

/** Another coordinator may promote a model: this one hears of it no later. */
const ASK_EVERY_MS = 2_000;

/** The version in force, at hand for every renewal without a question to the database. */
export class CurrentModel implements Service {
  readonly #models: Pick<Models, 'current'>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #stopping = new AbortController();
  readonly #onChanged: (version: string | null) => void;
  #version: string | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(
    models: Pick<Models, 'current'>,
    { clock, logger, onChanged }: { clock: Clock; logger: Logger; onChanged: (version: string | null) => void },
  ) {
    this.#models = models;
    this.#clock = clock;
    this.#logger = logger;
    this.#onChanged = onChanged;
  }

  /** `null` where there is none. */
  get version(): string | null {
    return this.#version;
  }

  /** Reads it now, e.g. after a promotion here. */
  async refresh(): Promise<void> {
    const version = await this.#models.current();
    if (version === this.#version) return;
    this.#version = version;
    this.#onChanged(version);
  }

  async start(): Promise<void> {
    await this.refresh();
    this.#running = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#clock.sleep(ASK_EVERY_MS, signal).catch(() => undefined);
      await this.refresh().catch((error: unknown) => this.#logger.warn({ err: error }, 'model in force not read'));
    }
  }
}
