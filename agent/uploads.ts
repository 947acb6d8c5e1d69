import type { Receipt } from '../common/protocol/rest.ts';
import { messageOf } from '../common/runtime/errors.ts';
import type { Logger } from '../common/runtime/logger.ts';

export interface UploadsOptions {
  http: {
    putFrame(digest: string, bytes: Buffer): Promise<{ status: number }>;
    putLatest(cameraId: number, digest: string, bytes: Buffer): Promise<{ status: number }>;
  };
  pool: { picture(digest: string): Promise<Buffer | null> };
  logger: Logger;
}

/** Pictures that wait; more than this and the connection is too slow for them. */
const MAX_WAITING = 2_000;

/** Sends pictures: those that receipts asked for, one after the other, and the newest of watched cameras. */
export class Uploads {
  readonly #options: UploadsOptions;
  readonly #wanted = new Set<string>();
  readonly #latest = new Map<number, { digest: string; bytes: Buffer }>();
  #sending = false;
  /** Pictures that were wanted and could not be sent. */
  dropped = 0;

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  want(wanted: Receipt['wanted']): void {
    for (const { digest } of wanted) {
      if (this.#wanted.size < MAX_WAITING) this.#wanted.add(digest);
      else this.dropped++;
    }
    void this.#send();
  }

  /** Only the newest picture of a camera is worth sending. */
  show(cameraId: number, digest: string, bytes: Buffer): void {
    this.#latest.set(cameraId, { digest, bytes });
    void this.#send();
  }

  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    const before = this.dropped;
    try {
      while (await this.#sendNext());
    } finally {
      this.#sending = false;
      if (this.dropped > before)
        this.#options.logger.warn(
          { pictures: this.dropped - before, inAll: this.dropped },
          'pictures that the coordinator wanted could not be sent; their records could',
        );
    }
  }

  async #sendNext(): Promise<boolean> {
    const { http, pool, logger } = this.#options;
    const [latest] = this.#latest;
    try {
      if (latest) {
        const [cameraId, { digest, bytes }] = latest;
        this.#latest.delete(cameraId);
        const { status } = await http.putLatest(cameraId, digest, bytes);
        if (status >= 300) logger.debug({ cameraId, status }, 'newest picture not taken');
        return true;
      }
      const [digest] = this.#wanted;
      if (digest === undefined) return false;
      this.#wanted.delete(digest);
      const bytes = await pool.picture(digest);
      const status = bytes ? (await http.putFrame(digest, bytes)).status : 0;
      if (status < 200 || status >= 300) this.dropped++;
    } catch (error) {
      this.dropped++;
      logger.debug({ reason: messageOf(error) }, 'picture not sent');
    }
    return true;
  }
}
