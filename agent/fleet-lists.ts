import type { PlaceholderAnswer, RenewAnswer, TakedownAnswer, Welcome } from '../common/protocol/agent-link.ts';
import type { Takedown } from '../common/domain/takedown.ts';
import type { Logger } from '../common/runtime/logger.ts';
import type { KeeperLink } from './leases/keeper.ts';
import { ListKeeper } from './list-keeper.ts';

export interface FleetListsOptions {
  link: Pick<KeeperLink, 'call'>;
  pool: { setTakedowns(takedowns: Takedown[]): void; setPlaceholders(hashes: string[]): void };
  logger: Logger;
}

/** What every agent of the fleet has to know: whom it must not fetch, and which pictures are cards. */
export class FleetLists {
  readonly takedowns: ListKeeper<TakedownAnswer>;
  readonly placeholders: ListKeeper<PlaceholderAnswer>;

  constructor({ link, pool, logger }: FleetListsOptions) {
    this.takedowns = new ListKeeper({
      // Number 0 has to be asked for: it ends what an agent still holds.
      ...{ name: 'take-downs', revision: -1, logger },
      fetch: () => link.call('takedown:list', {}),
      apply: ({ takedowns }) => pool.setTakedowns(takedowns),
    });
    this.placeholders = new ListKeeper({
      ...{ name: 'placeholders', revision: 0, logger },
      fetch: () => link.call('placeholder:list', {}),
      apply: ({ hashes }) => pool.setPlaceholders(hashes),
    });
  }

  welcomed({ takedowns }: Welcome): void {
    if (takedowns) this.takedowns.take(takedowns);
  }

  renewed({ takedownRevision, placeholderRevision }: RenewAnswer): void {
    if (takedownRevision !== undefined) this.takedowns.heard(takedownRevision);
    if (placeholderRevision !== undefined) this.placeholders.heard(placeholderRevision);
  }
}
