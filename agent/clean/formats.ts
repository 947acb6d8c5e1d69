export type Format = 'jpeg' | 'png' | 'gif' | 'webp';

export interface ImageHeader {
  format: Format;
  /** px; 0 where the header does not say. */
  width: number;
  height: number;
  /** Only JPEG: colour components and bits of a sample. */
  components?: number;
  precision?: number;
}

/** What the first bytes say; `undefined` when they are no picture that we decode. */
export function sniff(bytes: Buffer): Format | undefined {
  if (bytes.length < 12) return bytes[0] === 0xff && bytes[1] === 0xd8 ? 'jpeg' : undefined;
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return 'jpeg';
  if (bytes.readUInt32BE(0) === 0x89504e47 && bytes.readUInt32BE(4) === 0x0d0a1a0a) return 'png';
  const start = bytes.toString('latin1', 0, 12);
  if (start.startsWith('GIF87a') || start.startsWith('GIF89a')) return 'gif';
  return start.startsWith('RIFF') && start.endsWith('WEBP') ? 'webp' : undefined;
}

/** Reads the size before anything is decoded; `undefined` when the header is damaged. */
export function readHeader(bytes: Buffer, format: Format): ImageHeader | undefined {
  try {
    return READERS[format](bytes);
  } catch {
    return undefined; // it ends inside its header
  }
}

const READERS: Record<Format, (bytes: Buffer) => ImageHeader | undefined> = {
  jpeg: readJpeg,
  png: (bytes) => ({ format: 'png', width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) }),
  gif: (bytes) => ({ format: 'gif', width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) }),
  webp: readWebp,
};

function readWebp(bytes: Buffer): ImageHeader | undefined {
  const kind = bytes.toString('latin1', 12, 16);
  if (kind === 'VP8X')
    return { format: 'webp', width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
  if (kind === 'VP8L') {
    const packed = bytes.readUInt32LE(21);
    return { format: 'webp', width: (packed & 0x3fff) + 1, height: ((packed >>> 14) & 0x3fff) + 1 };
  }
  if (kind !== 'VP8 ') return undefined;
  return { format: 'webp', width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
}

/** Walks the markers up to the frame header (SOF), over garbage between them as libjpeg does. */
function readJpeg(bytes: Buffer): ImageHeader | undefined {
  for (let at = bytes.indexOf(0xff, 2); at >= 0 && at + 9 < bytes.length; at = bytes.indexOf(0xff, at)) {
    const marker = bytes[at + 1]!;
    if (isFrameHeader(marker)) {
      return {
        format: 'jpeg',
        precision: bytes[at + 4]!,
        height: bytes.readUInt16BE(at + 5),
        width: bytes.readUInt16BE(at + 7),
        components: bytes[at + 9]!,
      };
    }
    if (marker === 0xda) return undefined;
    if (marker === 0xff) at += 1;
    else if (marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd9)) at += 2;
    else at += 2 + Math.max(2, bytes.readUInt16BE(at + 2));
  }
  return undefined;
}

/** C0-CF except DHT (C4), JPG (C8) and DAC (CC). */
const isFrameHeader = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;

/** Scans of a JPEG, counted without decoding and no further than `limit`. */
export function countScans(bytes: Buffer, limit: number): number {
  let scans = 0;
  for (let at = bytes.indexOf(SOS); at >= 0 && scans < limit; at = bytes.indexOf(SOS, at + 2)) scans++;
  return scans;
}

const SOS = Buffer.from([0xff, 0xda]);
const EOI = Buffer.from([0xff, 0xd9]);

export const endMarker = EOI;

/** Whether an end marker stands in the last bytes, where trailing padding may follow it. */
export function hasEndMarker(bytes: Buffer): boolean {
  const length = bytes.length;
  if (bytes[length - 2] === 0xff && bytes[length - 1] === 0xd9) return true;
  return bytes.lastIndexOf(EOI) > bytes.lastIndexOf(SOS);
}
