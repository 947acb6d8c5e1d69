import type { Traffic } from './traffic.ts';

export interface LatestPicture {
  bytes: Buffer;
  /** When it was fetched, ms. */
  at: number;
}

const MOST_BYTES = 64 * 1024 * 1024;

/** Newest pictures of the cameras that somebody watches, in memory; the least recently used ones go first. */
export class LatestPictures {
  readonly #pictures = new Map<number, LatestPicture>();
  readonly #traffic: Traffic;
  readonly #mostBytes: number;
  #bytes = 0;

  constructor(traffic: Traffic, mostBytes = MOST_BYTES) {
    this.#traffic = traffic;
    this.#mostBytes = mostBytes;
  }

  /** Returns false where a newer picture is known, or this one is too large to be held. */
  put(cameraId: number, bytes: Buffer, at: number): boolean {
    this.#traffic.add({ sent: bytes.length });
    const known = this.#pictures.get(cameraId);
    if ((known && known.at > at) || bytes.length > this.#mostBytes) return false;
    this.#forget(cameraId);
    this.#pictures.set(cameraId, { bytes, at });
    this.#bytes += bytes.length;
    for (const oldest of this.#pictures.keys()) {
      if (this.#bytes <= this.#mostBytes) break;
      this.#forget(oldest);
    }
    return true;
  }

  get(cameraId: number): LatestPicture | undefined {
    const picture = this.#pictures.get(cameraId);
    if (!picture) return undefined;
    // A Map keeps the order of insertion: the newest use goes to its end.
    this.#pictures.delete(cameraId);
    this.#pictures.set(cameraId, picture);
    return picture;
  }

  #forget(cameraId: number): void {
    this.#bytes -= this.#pictures.get(cameraId)?.bytes.length ?? 0;
    this.#pictures.delete(cameraId);
  }
}
