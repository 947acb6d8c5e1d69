import turbo from '@julusian/jpeg-turbo';
import { encodeJpeg } from './jpeg.ts';

// 300 KB each at 352x288: some 300 cameras are drawn from memory as it is.
const RAW_BYTES = 96 * 1024 * 1024;
// The others are kept as JPEG, about a tenth: drawing a still anew costs thirty times what unpacking it costs.
const PACKED_BYTES = 192 * 1024 * 1024;
const PACKED_QUALITY = 94;

/** Keeps the still parts of scenes: those last used as they are, older ones packed, the oldest not at all. */
export class Stills {
  readonly #width: number;
  readonly #height: number;
  /** Least recently used first. */
  readonly #raw = new Map<string, Uint8ClampedArray>();
  /** Oldest first. */
  readonly #packed = new Map<string, Buffer>();
  #packedBytes = 0;

  constructor(width: number, height: number) {
    this.#width = width;
    this.#height = height;
  }

  get(key: string, draw: () => Uint8ClampedArray): Uint8ClampedArray {
    const still = this.#raw.get(key) ?? this.#unpacked(key) ?? draw();
    this.#raw.delete(key);
    this.#raw.set(key, still);
    if (this.#raw.size > Math.max(1, Math.floor(RAW_BYTES / still.length))) this.#packOldest();
    return still;
  }

  #unpacked(key: string): Uint8ClampedArray | undefined {
    const jpeg = this.#packed.get(key);
    if (!jpeg) return undefined;
    const { data } = turbo.decompressSync(jpeg, { format: turbo.FORMAT_RGB });
    return new Uint8ClampedArray(data.buffer, data.byteOffset, data.length);
  }

  /** What was packed once stays packed: a still never changes, so it is never packed twice. */
  #packOldest(): void {
    const [key, still] = this.#raw.entries().next().value as [string, Uint8ClampedArray];
    this.#raw.delete(key);
    if (this.#packed.has(key)) return;
    const jpeg = encodeJpeg(still, this.#width, this.#height, PACKED_QUALITY);
    this.#packed.set(key, jpeg);
    this.#packedBytes += jpeg.length;
    for (const [oldest, bytes] of this.#packed) {
      if (this.#packedBytes <= PACKED_BYTES) break;
      this.#packed.delete(oldest);
      this.#packedBytes -= bytes.length;
    }
  }
}
