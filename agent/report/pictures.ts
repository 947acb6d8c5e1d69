interface Picture {
  bytes: Buffer;
  cameraId: number;
}

/**
 * Newest pictures by digest, in memory, so that those which a receipt asks for can still be sent. Bounded in bytes: pictures
 * are the first thing to be dropped, and each one that was still wanted is counted by whoever misses it.
 */
export class Pictures {
  readonly #maxBytes: number;
  readonly #byDigest = new Map<string, Picture>();
  readonly #newest = new Map<number, string>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#bytes;
  }

  put(cameraId: number, digest: string, bytes: Buffer): void {
    this.#newest.set(cameraId, digest);
    this.#remove(digest);
    this.#byDigest.set(digest, { bytes, cameraId });
    this.#bytes += bytes.length;
    for (const oldest of this.#byDigest.keys()) {
      if (this.#bytes <= this.#maxBytes || oldest === digest) break;
      this.#remove(oldest);
    }
  }

  get(digest: string): Buffer | undefined {
    return this.#byDigest.get(digest)?.bytes;
  }

  /** The newest picture of a camera, for somebody who begins to watch it. */
  newestOf(cameraId: number): { digest: string; bytes: Buffer } | undefined {
    const digest = this.#newest.get(cameraId);
    const bytes = digest === undefined ? undefined : this.get(digest);
    return bytes && { digest: digest as string, bytes };
  }

  /** A picture that no fragment names any more; kept while it is its camera's newest. */
  forget(digest: string): void {
    const picture = this.#byDigest.get(digest);
    if (picture && this.#newest.get(picture.cameraId) !== digest) this.#remove(digest);
  }

  forgetCamera(cameraId: number): void {
    const digest = this.#newest.get(cameraId);
    this.#newest.delete(cameraId);
    if (digest !== undefined) this.forget(digest);
  }

  #remove(digest: string): void {
    const picture = this.#byDigest.get(digest);
    if (!picture) return;
    this.#byDigest.delete(digest);
    this.#bytes -= picture.bytes.length;
  }
}
