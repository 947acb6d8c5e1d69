import type { Takedown } from '../common/domain/takedown.ts';
import type { TakedownAnswer } from '../common/protocol/agent-link.ts';
import type { Logger } from '../common/runtime/logger.ts';
import { CoalescedTask } from './leases/coalesced-task.ts';
import type { KeeperLink } from './leases/keeper.ts';

export interface TakedownKeeperOptions {
  link: Pick<KeeperLink, 'call'>;
  apply(takedowns: Takedown[]): void;
  logger: Logger;
}

/** Keeps the list of take-downs as new as the coordinator's. A lost hint costs one renewal. */
export class TakedownKeeper {
  readonly #options: TakedownKeeperOptions;
  readonly #fetch: CoalescedTask;
  #revision = -1;

  constructor(options: TakedownKeeperOptions) {
    this.#options = options;
    this.#fetch = new CoalescedTask(async () => {
      const answer = await options.link.call('takedown:list', {});
      if (answer.ok) this.take(answer.value);
    }, options.logger);
  }

  /** The coordinator's list has this number. A restored database may have a lower one. */
  heard(revision: number): void {
    if (revision !== this.#revision) this.#fetch.run();
  }

  take({ revision, takedowns }: TakedownAnswer): void {
    if (revision === this.#revision) return;
    this.#revision = revision;
    this.#options.apply(takedowns);
    this.#options.logger.info({ takedowns: takedowns.length }, 'take-downs in force');
  }
}
