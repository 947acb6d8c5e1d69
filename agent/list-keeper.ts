import { CoalescedTask } from './leases/coalesced-task.ts';
import type { Logger } from '../common/runtime/logger.ts';
import type { Result } from '../common/runtime/result.ts';

export interface ListKeeperOptions<List extends { revision: number }> {
  /** For the log, in the plural: `take-downs`. */
  name: string;
  /** Asks the coordinator for the list. Never throws. */
  fetch(): Promise<Result<List>>;
  apply(list: List): void;
  /** The number of the list that an agent begins with. */
  revision: number;
  logger: Logger;
}

/** Keeps a list as new as the coordinator's, whose renewals name its number. A lost hint costs one renewal. */
export class ListKeeper<List extends { revision: number }> {
  readonly #options: ListKeeperOptions<List>;
  readonly #fetch: CoalescedTask;
  #revision: number;

  constructor(options: ListKeeperOptions<List>) {
    this.#options = options;
    this.#revision = options.revision;
    this.#fetch = new CoalescedTask(async () => {
      const answer = await options.fetch();
      if (answer.ok) this.take(answer.value);
    }, options.logger);
  }

  /** The coordinator's list has this number. A restored database may have a lower one. */
  heard(revision: number): void {
    if (revision !== this.#revision) this.#fetch.run();
  }

  take(list: List): void {
    const { revision } = list;
    if (revision === this.#revision) return;
    this.#revision = revision;
    this.#options.apply(list);
    this.#options.logger.info({ list: this.#options.name, revision }, 'a list of the fleet is in force');
  }
}
