import jpeg from '@julusian/jpeg-turbo';
import sharp from 'sharp';
import { messageOf } from '../../common/runtime/errors.ts';
import { countScans, endMarker, hasEndMarker, readHeader, sniff } from './formats.ts';
import type { Format, ImageHeader } from './formats.ts';

/** A decoded picture, 1 (grey) or 3 (RGB) bytes a pixel, row by row, at full size, EXIF orientation ignored. */
export interface Image {
  data: Buffer;
  width: number;
  height: number;
  channels: 1 | 3;
  format: Format;
  /** What had to be overlooked to decode it. */
  note?: string;
}

export type DecodeFailure =
  | { reason: 'not_an_image'; detail: string }
  | { reason: 'corrupt'; detail: string }
  | { reason: 'oversized'; detail: string; width: number; height: number };

export type Decoded = { ok: true; image: Image } | { ok: false; failure: DecodeFailure };

export interface DecoderOptions {
  /** Judged by the header, before anything is decoded. 40 MP is a 7,680 × 5,200 picture. */
  maxPixels?: number;
}

// A picture of few bytes can ask for its full size to be gone over hundreds of times; encoders write about ten scans.
const MAX_SCANS = 64;
const MAX_SCANS_AT_FULL_SIZE = 12;
// A scratch buffer of 4 MP is kept between pictures; larger ones are rare and get memory of their own.
const KEPT_BYTES = 4_000_000;

// One thread a picture and no cache: an agent runs a worker per core, and no camera shows the same file twice.
sharp.concurrency(1);
sharp.cache(false);

/**
 * Turns bytes into pixels. JPEG goes through libjpeg-turbo (the binding decodes at full size only: it has no scaled decoding);
 * everything else, and JPEG that libjpeg-turbo stumbles over, through sharp. One instance per worker thread.
 */
export class Decoder {
  readonly #maxPixels: number;
  #scratch = Buffer.allocUnsafe(512_000);

  constructor({ maxPixels = 40_000_000 }: DecoderOptions = {}) {
    this.#maxPixels = maxPixels;
  }

  /** Grey pixels for verdicts and gate. Their buffer is used again by the next call. */
  decodeGrey(bytes: Buffer): Decoded | Promise<Decoded> {
    return this.#decode(bytes, 1, (size) => this.#grow(size));
  }

  /** RGB pixels for the classifier, in a buffer of their own or at the start of `into`, if that is large enough. */
  decodeRgb(bytes: Buffer, into?: Buffer): Decoded | Promise<Decoded> {
    return this.#decode(bytes, 3, (size) => (into && into.length >= size ? into : Buffer.allocUnsafe(size)));
  }

  #decode(bytes: Buffer, channels: 1 | 3, room: (size: number) => Buffer): Decoded | Promise<Decoded> {
    const header = this.#check(bytes);
    if ('reason' in header) return { ok: false, failure: header };
    if (header.format !== 'jpeg') return this.#bySharp(bytes, header, channels, 'error');
    // CMYK and samples of other than 8 bits are beyond the binding.
    if (header.components === 4 || header.precision !== 8) return this.#bySharp(bytes, header, channels, 'warning');
    const out = room(header.width * header.height * channels);
    const first = decodeTurbo(bytes, out, header, channels);
    if (first) return { ok: true, image: first };
    if (!hasEndMarker(bytes)) {
      // Some cameras leave the end marker out. If nothing else is missing the picture is whole.
      const image = decodeTurbo(Buffer.concat([bytes, endMarker]), out, header, channels);
      if (image) return { ok: true, image: { ...image, note: 'no end marker' } };
    }
    return this.#bySharp(bytes, header, channels, 'warning');
  }

  #check(bytes: Buffer): ImageHeader | DecodeFailure {
    const format = sniff(bytes);
    if (!format) return { reason: 'not_an_image', detail: describe(bytes) };
    const header = readHeader(bytes, format);
    if (!header || header.width === 0 || header.height === 0) return { reason: 'corrupt', detail: 'damaged header' };
    const { width, height } = header;
    if (width * height > this.#maxPixels) return { reason: 'oversized', detail: `${width}x${height}`, width, height };
    if (format === 'jpeg' && countScans(bytes, MAX_SCANS + 1) > this.#scansAllowed(width * height))
      return { reason: 'corrupt', detail: 'more scans than any encoder writes' };
    return header;
  }

  #scansAllowed(pixels: number): number {
    return Math.min(MAX_SCANS, (MAX_SCANS_AT_FULL_SIZE * this.#maxPixels) / pixels);
  }

  #grow(size: number): Buffer {
    if (size > KEPT_BYTES) return Buffer.allocUnsafe(size);
    if (size > this.#scratch.length) this.#scratch = Buffer.allocUnsafe(size);
    return this.#scratch;
  }

  /**
   * The binding does not say why it failed and fails for every warning; libvips tells. Warnings that leave the picture whole
   * are overlooked, everything else is damage.
   */
  async #bySharp(
    bytes: Buffer,
    header: ImageHeader,
    channels: 1 | 3,
    failOn: 'warning' | 'error' | 'none',
    note?: string,
  ): Promise<Decoded> {
    try {
      const pipeline = sharp(bytes, { failOn, limitInputPixels: this.#maxPixels, sequentialRead: true })
        .timeout({ seconds: 20 })
        .flatten();
      const coloured = channels === 1 ? pipeline.toColourspace('b-w') : pipeline.toColourspace('srgb');
      const { data, info } = await coloured.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
      if (info.channels !== channels) return corrupt(`${info.channels} channels instead of ${channels}`);
      const image: Image = { data, width: info.width, height: info.height, channels, format: header.format };
      return { ok: true, image: note === undefined ? image : { ...image, note } };
    } catch (error) {
      const complaint = complaintOf(error);
      if (failOn === 'warning' && isHarmless(complaint)) {
        return this.#bySharp(bytes, header, channels, 'none', complaint);
      }
      return corrupt(complaint);
    }
  }
}

function decodeTurbo(bytes: Buffer, out: Buffer, header: ImageHeader, channels: 1 | 3): Image | undefined {
  try {
    const format = channels === 1 ? jpeg.FORMAT_GRAY : jpeg.FORMAT_RGB;
    // With a buffer of the size that our own reading of the header gives, the library cannot be made to allocate more.
    const { data, width, height } = jpeg.decompressSync(bytes, out, { format });
    return { data, width, height, channels, format: header.format };
  } catch {
    return undefined;
  }
}

const corrupt = (detail: string): Decoded => ({ ok: false, failure: { reason: 'corrupt', detail } });

/** libvips repeats itself on several lines; the distinct ones without their prefix. */
function complaintOf(error: unknown): string {
  const lines = messageOf(error)
    .split('\n')
    .map((line) => line.replace(/^Input buffer has corrupt header: /, '').replace(/^VipsJpeg: /, ''));
  return [...new Set(lines)]
    .filter((line) => line !== '')
    .join('; ')
    .slice(0, 160);
}

// Bytes before the end marker that belong to nothing (padding), a wrong version number in the header, and scan parameters that
// sequential JPEG does not use: none of them touches a pixel.
const HARMLESS = [
  /^Corrupt JPEG data: \d+ extraneous bytes before marker 0xd9$/,
  /^Warning: unknown JFIF revision number/,
  /^Invalid SOS parameters for sequential JPEG$/,
];

const isHarmless = (complaint: string): boolean =>
  complaint !== '' && complaint.split('; ').every((line) => HARMLESS.some((pattern) => pattern.test(line)));

function describe(bytes: Buffer): string {
  const start = bytes.toString('latin1', 0, 512).trimStart().toLowerCase();
  if (start.startsWith('<!doctype html') || start.startsWith('<html') || start.includes('<head')) return 'a web page';
  if (start.startsWith('<?xml') || start.startsWith('<svg')) return 'XML';
  if (start.startsWith('{') || start.startsWith('[')) return 'JSON';
  if (start.startsWith('bm')) return 'a BMP picture, which is not supported';
  return /^[\x09-\x0d\x20-\x7e]+$/.test(start) ? 'text' : 'unknown bytes';
}
