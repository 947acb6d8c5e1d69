/** Marker, length, "Exif\0\0" and the TIFF header come within the first segments; cameras write them first. */
const MOST_SCANNED = 65_536 * 2;
const EXIF_IFD = 0x8769;
const DATE_TIME_ORIGINAL = 0x9003;
const OFFSET_TIME_ORIGINAL = 0x9011;
const ENTRY_BYTES = 12;

/** Reads a TIFF structure in its own byte order; everything outside it reads as absent. */
interface Tiff {
  bytes: Buffer;
  littleEndian: boolean;
}

/**
 * When a JPEG says that it was taken, ms since the epoch (EXIF 2.31: DateTimeOriginal with OffsetTimeOriginal). A time without
 * an offset is of an unknown zone and counts as absent, as does everything malformed.
 */
export function exifInstant(jpeg: Buffer): number | undefined {
  const tiff = findTiff(jpeg);
  if (!tiff) return undefined;
  const pointer = entriesAt(tiff, u32(tiff, 4))?.get(EXIF_IFD);
  const entries = pointer === undefined ? undefined : entriesAt(tiff, u32(tiff, pointer + 8));
  const date = textAt(tiff, entries?.get(DATE_TIME_ORIGINAL));
  const offset = textAt(tiff, entries?.get(OFFSET_TIME_ORIGINAL));
  const parts = /^(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)$/.exec(date ?? '');
  if (!parts || !/^[+-]\d\d:\d\d$/.test(offset ?? '')) return undefined;
  const [, year, month, day, time] = parts;
  const at = Date.parse(`${year}-${month}-${day}T${time}${offset}`);
  return Number.isNaN(at) ? undefined : at;
}

/** The TIFF structure inside the APP1 segment that begins with "Exif". */
function findTiff(jpeg: Buffer): Tiff | undefined {
  let at = 2;
  while (at + 4 <= Math.min(jpeg.length, MOST_SCANNED) && jpeg[at] === 0xff) {
    const marker = jpeg[at + 1] as number;
    const end = at + 2 + jpeg.readUInt16BE(at + 2);
    // Start of scan: no more headers.
    if (marker === 0xda) return undefined;
    if (marker === 0xe1 && jpeg.toString('latin1', at + 4, at + 10) === 'Exif\0\0') {
      const bytes = jpeg.subarray(at + 10, end);
      const order = bytes.toString('latin1', 0, 2);
      return order === 'II' || order === 'MM' ? { bytes, littleEndian: order === 'II' } : undefined;
    }
    at = end;
  }
  return undefined;
}

const fits = ({ bytes }: Tiff, at: number | undefined, length: number): at is number =>
  at !== undefined && at >= 0 && at + length <= bytes.length;

function u16(tiff: Tiff, at: number): number | undefined {
  if (!fits(tiff, at, 2)) return undefined;
  return tiff.littleEndian ? tiff.bytes.readUInt16LE(at) : tiff.bytes.readUInt16BE(at);
}

function u32(tiff: Tiff, at: number): number | undefined {
  if (!fits(tiff, at, 4)) return undefined;
  return tiff.littleEndian ? tiff.bytes.readUInt32LE(at) : tiff.bytes.readUInt32BE(at);
}

/** Tag → offset of its entry. */
function entriesAt(tiff: Tiff, ifd: number | undefined): Map<number, number> | undefined {
  const count = ifd === undefined ? undefined : u16(tiff, ifd);
  if (count === undefined || !fits(tiff, ifd, 2 + count * ENTRY_BYTES)) return undefined;
  const entries = new Map<number, number>();
  for (let index = 0; index < count; index++) {
    const entry = ifd + 2 + index * ENTRY_BYTES;
    entries.set(u16(tiff, entry) as number, entry);
  }
  return entries;
}

/** An ASCII value; short ones stand in the entry itself. */
function textAt(tiff: Tiff, entry: number | undefined): string | undefined {
  if (entry === undefined) return undefined;
  const length = u32(tiff, entry + 4) ?? 0;
  const at = length <= 4 ? entry + 8 : u32(tiff, entry + 8);
  if (length > 64 || !fits(tiff, at, length)) return undefined;
  return tiff.bytes.toString('latin1', at, at + length).replace(/\0.*$/s, '');
}
