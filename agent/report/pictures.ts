/**
 * Newest pictures by digest, in memory, so that those which a receipt asks for can still be sent. Bounded in bytes: pictures
 * are the first thing to be dropped, and each one that was still wanted is counted by whoever misses it.
 */
export class Pictures {
  readonly #maxBytes: number;
  readonly #byDigest = new Map<string, Buffer>();
  readonly #newest = new Map<number, string>();
  /** Of how many cameras a picture is the newest: a placeholder card is that of many. */
  readonly #shownBy = new Map<string, number>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#bytes;
  }

  put(cameraId: number, digest: string, bytes: Buffer): void {
    if (this.#newest.get(cameraId) !== digest) {
      this.#leave(cameraId);
      this.#newest.set(cameraId, digest);
      this.#shownBy.set(digest, (this.#shownBy.get(digest) ?? 0) + 1);
    }
    this.#remove(digest);
    this.#byDigest.set(digest, bytes);
    this.#bytes += bytes.length;
    for (const oldest of this.#byDigest.keys()) {
      if (this.#bytes <= this.#maxBytes || oldest === digest) break;
      this.#remove(oldest);
    }
  }

  get(digest: string): Buffer | undefined {
    return this.#byDigest.get(digest);
  }

  /** The newest picture of a camera, for somebody who begins to watch it. */
  newestOf(cameraId: number): { digest: string; bytes: Buffer } | undefined {
    const digest = this.#newest.get(cameraId);
    const bytes = digest === undefined ? undefined : this.get(digest);
    return bytes && { digest: digest as string, bytes };
  }

  /** A picture that no fragment names any more; kept while it is a camera's newest. */
  forget(digest: string): void {
    if (!this.#shownBy.has(digest)) this.#remove(digest);
  }

  forgetCamera(cameraId: number): void {
    const digest = this.#leave(cameraId);
    if (digest !== undefined) this.forget(digest);
  }

  #leave(cameraId: number): string | undefined {
    const digest = this.#newest.get(cameraId);
    if (digest === undefined) return undefined;
    this.#newest.delete(cameraId);
    const others = (this.#shownBy.get(digest) ?? 1) - 1;
    if (others > 0) this.#shownBy.set(digest, others);
    else this.#shownBy.delete(digest);
    return digest;
  }

  #remove(digest: string): void {
    const bytes = this.#byDigest.get(digest);
    if (!bytes) return;
    this.#byDigest.delete(digest);
    this.#bytes -= bytes.length;
  }
}
