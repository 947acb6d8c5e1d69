import type { Clock } from '../common/runtime/clock.ts';
import type { Logger } from '../common/runtime/logger.ts';
import type { LeaseKeeper } from './leases/keeper.ts';
import { DiskRoom } from './report/room.ts';

export interface RecordingGuardOptions {
  dataFolder: string;
  keeper(): Pick<LeaseKeeper, 'pause' | 'resume'>;
  /** Writes what is captured and not yet written; never rejects. */
  flush(): Promise<void>;
  clock: Clock;
  logger: Logger;
}

/**
 * Stops capture and hands the shards back while nothing can be recorded, be it that the disk is nearly full or that the outbox
 * takes no more: a gap with a reason instead of frames that are lost. What was captured is written while there is room for it.
 */
export class RecordingGuard {
  readonly #options: RecordingGuardOptions;
  readonly #room: DiskRoom;
  /** Empty: records can be written. */
  readonly #obstacles = new Set<'disk' | 'outbox'>();

  constructor(options: RecordingGuardOptions) {
    this.#options = options;
    const { dataFolder: folder, clock, logger } = options;
    this.#room = new DiskRoom({
      ...{ folder, clock, logger },
      onShort: (reason) => {
        this.#stopCapture('disk', reason);
        void options.flush();
      },
      // What waited comes first: it may not fit.
      onRoom: () => void options.flush().then(() => this.#goOn('disk')),
    });
  }

  /** Has looked once when it resolves. */
  async start(): Promise<void> {
    await this.#room.look();
    this.#room.start();
  }

  stop(): void {
    this.#room.stop();
  }

  outboxIsFull(reason: string): void {
    this.#stopCapture('outbox', reason);
  }

  outboxHasRoom(): void {
    this.#goOn('outbox');
  }

  #stopCapture(obstacle: 'disk' | 'outbox', reason: string): void {
    this.#obstacles.add(obstacle);
    void this.#options.keeper().pause(reason);
  }

  #goOn(obstacle: 'disk' | 'outbox'): void {
    if (obstacle === 'disk' && this.#room.isShort) return;
    this.#obstacles.delete(obstacle);
    if (this.#obstacles.size > 0) return;
    this.#options.logger.info('records can be written again');
    this.#options.keeper().resume();
  }
}
