/**
 * Finds the end of a JPEG by its own structure, so that neither boundaries nor announced lengths are needed. Fed with a buffer
 * that grows at its end; remembers where it is. Marker segments are skipped by their length, so a thumbnail inside EXIF does
 * not end the picture.
 */
export class JpegWalker {
  #at = 0;
  #inScan = false;

  /** `start` is the offset of the SOI marker. */
  begin(start: number): void {
    this.#at = start + 2;
    this.#inScan = false;
  }

  /** The buffer's content was moved towards its beginning. */
  shift(by: number): void {
    this.#at -= by;
  }

  /**
   * Goes on as far as `end`. `whole`: the offset just behind the end marker. `restart`: the offset of an SOI inside the data,
   * where this picture was cut off and the next begins. `undefined`: more bytes are needed.
   */
  walk(buffer: Buffer, end: number): { whole: number } | { restart: number } | undefined {
    for (;;) {
      const marker = this.#nextMarker(buffer, end);
      if (marker === undefined) return undefined;
      if (marker === 0xd9) return { whole: this.#at + 2 };
      if (marker === 0xd8) return { restart: this.#at };
      if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {
        this.#at += 2;
        continue;
      }
      if (this.#at + 4 > end) return undefined;
      this.#inScan = marker === 0xda;
      this.#at += 2 + Math.max(2, buffer.readUInt16BE(this.#at + 2));
    }
  }

  /** Moves to the next marker that is not part of the entropy-coded data; `undefined` when it is not there yet. */
  #nextMarker(buffer: Buffer, end: number): number | undefined {
    while (this.#at + 2 <= end) {
      if (buffer[this.#at] !== 0xff) {
        const next = buffer.indexOf(0xff, this.#at);
        this.#at = next < 0 || next >= end ? end : next;
        continue;
      }
      const marker = buffer[this.#at + 1]!;
      if (marker === 0xff) this.#at += 1;
      else if (marker === 0x00) this.#at += 2;
      else if (this.#inScan && marker >= 0xd0 && marker <= 0xd7) this.#at += 2;
      else return marker;
    }
    return undefined;
  }
}
