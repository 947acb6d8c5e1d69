import type { PlaceholderAnswer } from '../common/protocol/agent-link.ts';
import type { Logger } from '../common/runtime/logger.ts';
import { CoalescedTask } from './leases/coalesced-task.ts';
import type { KeeperLink } from './leases/keeper.ts';

export interface PlaceholderKeeperOptions {
  link: Pick<KeeperLink, 'call'>;
  /** Perceptual hashes of the cards that the fleet knows. */
  apply(hashes: string[]): void;
  logger: Logger;
}

/** Keeps the list of placeholder pictures as new as the coordinator's: each renewal names its number. */
export class PlaceholderKeeper {
  readonly #options: PlaceholderKeeperOptions;
  readonly #fetch: CoalescedTask;
  #revision = 0;

  constructor(options: PlaceholderKeeperOptions) {
    this.#options = options;
    this.#fetch = new CoalescedTask(async () => {
      const answer = await options.link.call('placeholder:list', {});
      if (answer.ok) this.#take(answer.value);
    }, options.logger);
  }

  /** A restored database may have a lower one. */
  heard(revision: number): void {
    if (revision !== this.#revision) this.#fetch.run();
  }

  #take({ revision, hashes }: PlaceholderAnswer): void {
    if (revision === this.#revision) return;
    this.#revision = revision;
    this.#options.apply(hashes);
    this.#options.logger.info({ placeholders: hashes.length }, 'placeholder pictures known');
  }
}
