import { createDecipheriv } from 'node:crypto';
import { sourceError } from './errors.ts';
import type { Input } from './ffmpeg/arguments.ts';
import type { ByteRange, Segment } from './hls-playlist.ts';
import type { HttpClient } from './http.ts';
import { checkStatus } from './snapshot.ts';
import type { Target } from './target.ts';

export type MediaFormat = Extract<Input, { kind: 'pipe' }>['format'];

export interface SegmentRequest {
  http: HttpClient;
  /** An address of the playlist, with the camera's credentials where they may go. */
  target(url: string): Target;
  /** Bytes of a segment; beyond it the stream is not what it claims to be. */
  maxBytes: number;
  /** From the request to the last byte, ms. */
  deadlineMs: number;
  signal: AbortSignal;
}

const KEY_BYTES = 16;

/** Fetches the initialisation section and the key first, then hands the segment's bytes over as they come, decrypted. */
export async function readSegment(
  segment: Segment,
  request: SegmentRequest,
  onBytes: (bytes: Buffer) => void,
): Promise<void> {
  if (segment.map) onBytes(await whole(segment.map.url, segment.map.range, request));
  const decipher = segment.key && (await decipherOf(segment, request));
  const take = decipher ? (bytes: Buffer): void => onBytes(decipher.update(bytes)) : onBytes;
  await read(segment.url, segment.range, request, take);
  // A cut-off segment lacks its padding: what was decrypted before serves all the same.
  if (decipher) onBytes(finalOf(decipher));
}

async function whole(url: string, range: ByteRange | undefined, request: SegmentRequest): Promise<Buffer> {
  const parts: Buffer[] = [];
  await read(url, range, request, (bytes) => parts.push(Buffer.from(bytes)));
  return Buffer.concat(parts);
}

async function decipherOf(
  { key, sequence }: Segment,
  request: SegmentRequest,
): Promise<ReturnType<typeof createDecipheriv>> {
  const secret = await whole(key!.url, undefined, { ...request, maxBytes: 1_024 });
  if (secret.length !== KEY_BYTES)
    throw sourceError('SOURCE_PROTOCOL', `The stream's key has ${secret.length} bytes instead of ${KEY_BYTES}.`, {
      keyBytes: secret.length,
    });
  const counted = Buffer.alloc(KEY_BYTES);
  counted.writeBigUInt64BE(BigInt(sequence), 8);
  return createDecipheriv('aes-128-cbc', secret, key!.iv ?? counted);
}

function finalOf(decipher: ReturnType<typeof createDecipheriv>): Buffer {
  try {
    return decipher.final();
  } catch {
    return Buffer.alloc(0);
  }
}

/** A server that does not know ranges sends all: then the part is cut out here. */
async function read(
  url: string,
  range: ByteRange | undefined,
  { http, target, maxBytes, deadlineMs, signal }: SegmentRequest,
  onBytes: (bytes: Buffer) => void,
): Promise<void> {
  const to = target(url);
  const headers = range ? ['range', `bytes=${range.offset}-${range.offset + range.length - 1}`] : [];
  let skip = 0;
  let left = Infinity;
  let received = 0;
  await http.stream({ target: to, headers, signal }, (control) => ({
    onHeaders: (status) => {
      checkStatus(status, to.host);
      control.extend(deadlineMs);
      if (range && status !== 206) skip = range.offset;
      if (range) left = range.length;
    },
    onData: (chunk) => {
      received += chunk.length;
      if (received > maxBytes) throw tooLarge(to.host, received, maxBytes);
      const skipped = Math.min(skip, chunk.length);
      skip -= skipped;
      const bytes = chunk.subarray(skipped, skipped + Math.min(left, chunk.length - skipped));
      left -= bytes.length;
      if (bytes.length > 0) onBytes(bytes);
    },
  }));
}

const tooLarge = (host: string, bytes: number, maxBytes: number): Error =>
  sourceError(
    'SOURCE_TOO_LARGE',
    `A part of the stream at ${host} has ${bytes} bytes or more, ${maxBytes} are allowed.`,
    {
      host,
      bytes,
      maxBytes,
    },
  );

const TS_PACKET_BYTES = 188;
const TS_SYNC = 0x47;
const BOXES = new Set(['ftyp', 'styp', 'moov', 'moof', 'sidx', 'emsg', 'prft', 'free', 'mdat']);

/**
 * What a segment is made of, by its first bytes; `undefined` while there are too few. ffmpeg is never left to guess. Throws
 * `SOURCE_PROTOCOL` for everything that holds no pictures.
 */
export function formatOf(bytes: Buffer): MediaFormat | undefined {
  if (bytes.length < 8) return undefined;
  if (BOXES.has(bytes.toString('latin1', 4, 8))) return 'mov';
  if (bytes[0] === TS_SYNC && (bytes.length <= TS_PACKET_BYTES || bytes[TS_PACKET_BYTES] === TS_SYNC)) return 'mpegts';
  throw sourceError('SOURCE_PROTOCOL', 'A segment of the stream is neither MPEG-TS nor MP4.', {
    begins: bytes.toString('hex', 0, 8),
  });
}
