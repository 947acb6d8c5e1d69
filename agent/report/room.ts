import { statfs } from 'node:fs/promises';
import type { Clock } from '../../common/runtime/clock.ts';
import { messageOf } from '../../common/runtime/errors.ts';
import type { Logger } from '../../common/runtime/logger.ts';

export interface DiskRoomOptions {
  folder: string;
  clock: Clock;
  logger: Logger;
  /** Less than the reserve is free. */
  onShort(reason: string): void;
  /** There is room again. */
  onRoom(): void;
  /** Bytes of the disk; default: as the system tells. */
  read?(folder: string): Promise<DiskSpace>;
}

export interface DiskSpace {
  free: number;
  total: number;
}

/** Whoever captures has to stop within a second. */
const LOOK_MS = 500;
/** Room for what is captured but not written yet, and for whatever else lives on the disk, to end in good order. */
const MOST_RESERVE = 64_000_000;
const RESERVE_SHARE = 1 / 16;
/** Of the reserve; else a disk at the edge would turn capture on and off all the time. */
const ENOUGH = 2;

/** Looks how much room the disk of the data folder has, so that capture stops before records are refused. */
export class DiskRoom {
  readonly #options: DiskRoomOptions;
  readonly #stopped = new AbortController();
  #isShort = false;
  #isBlind = false;

  constructor(options: DiskRoomOptions) {
    this.#options = options;
  }

  get isShort(): boolean {
    return this.#isShort;
  }

  start(): void {
    void this.#watch();
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #watch(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#stopped.signal.aborted) {
      await this.look();
      await clock.sleep(LOOK_MS, this.#stopped.signal).catch(() => {});
    }
  }

  async look(): Promise<void> {
    const { folder, logger, onShort, onRoom, read = spaceOf } = this.#options;
    try {
      const { free, total } = await read(folder);
      this.#isBlind = false;
      const reserve = Math.min(MOST_RESERVE, total * RESERVE_SHARE);
      if (!this.#isShort && free < reserve) {
        this.#isShort = true;
        onShort(
          `The disk of ${folder} has ${megabytes(free)} MB free and should have ${megabytes(reserve)}; make room on it.`,
        );
      } else if (this.#isShort && free >= reserve * ENOUGH) {
        this.#isShort = false;
        onRoom();
      }
    } catch (error) {
      // Writing will tell.
      if (!this.#isBlind) logger.warn({ folder, reason: messageOf(error) }, 'the disk does not tell how full it is');
      this.#isBlind = true;
    }
  }
}

async function spaceOf(folder: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { free: bavail * bsize, total: blocks * bsize };
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
