import { sourceError } from './errors.ts';

export interface RtmpMessage {
  chunkStream: number;
  timestamp: number;
  type: number;
  messageStream: number;
  body: Buffer;
  /** In force when it was sent. */
  chunkSize: number;
}

const SET_CHUNK_SIZE = 1;
export const COMMAND = 20;

const MAX_CHUNK_STREAMS = 64;
// A key frame of 4K video has a few megabytes.
const MAX_HELD_BYTES = 16_000_000;
const EXTENDED = 0xffffff;
const HEADER_BYTES = [11, 7, 3, 0] as const;
const NOTHING = Buffer.alloc(0);

interface ChunkStream {
  /** Of the current message, ms. */
  timestamp: number;
  /** As the last header gave it: a time, or what to add to the last one. */
  stamp: number;
  extended: boolean;
  length: number;
  type: number;
  messageStream: number;
  /** Bytes of the current message still to come. */
  left: number;
  parts: Buffer[];
}

const NEW: ChunkStream = {
  timestamp: 0,
  stamp: 0,
  extended: false,
  length: 0,
  type: 0,
  messageStream: 0,
  left: 0,
  parts: [],
};

/**
 * Takes one direction of an RTMP connection, behind the handshake, apart into messages. Only bodies that `keeps` asks for are
 * kept; the others are counted past, whatever their size.
 */
export class ChunkReader {
  readonly #keeps: (type: number) => boolean;
  readonly #streams = new Map<number, ChunkStream>();
  #chunkSize = 128;
  #rest: Buffer = NOTHING;
  /** Bytes still to come of a chunk that nobody wants. */
  #skip = 0;
  /** Bytes of messages that are not complete. */
  #held = 0;

  constructor(keeps: (type: number) => boolean) {
    this.#keeps = keeps;
  }

  /** The messages that end in these bytes. Throws `SOURCE_PROTOCOL`. */
  push(bytes: Buffer): RtmpMessage[] {
    let data = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const messages: RtmpMessage[] = [];
    for (;;) {
      const skipped = Math.min(this.#skip, data.length);
      this.#skip -= skipped;
      data = data.subarray(skipped);
      const taken = this.#skip > 0 ? 0 : this.#readChunk(data, messages);
      if (taken === 0) break;
      data = data.subarray(taken);
    }
    this.#rest = data;
    return messages;
  }

  /** Bytes used; 0 when the chunk is not complete. */
  #readChunk(data: Buffer, messages: RtmpMessage[]): number {
    const basic = basicHeader(data);
    if (!basic) return 0;
    const [format, id, basicBytes] = basic;
    const known = this.#streams.get(id);
    if (!known && (format > 1 || this.#streams.size >= MAX_CHUNK_STREAMS)) throw broken('a chunk without beginning');
    const head = readHeader(data, format, basicBytes, known ?? NEW);
    if (!head) return 0;
    const { stream, bytes } = head;
    const size = Math.min(stream.left, this.#chunkSize);
    const keeps = this.#keeps(stream.type);
    if (keeps && data.length < bytes + size) return 0;
    if (keeps) this.#keep(stream, data.subarray(bytes, bytes + size));
    else this.#skip = size;
    stream.left -= size;
    this.#streams.set(id, stream);
    if (keeps && stream.left === 0) messages.push(this.#complete(id, stream));
    return keeps ? bytes + size : bytes;
  }

  #keep(stream: ChunkStream, bytes: Buffer): void {
    this.#held += bytes.length;
    if (this.#held > MAX_HELD_BYTES) throw broken(`messages of more than ${MAX_HELD_BYTES} bytes`);
    stream.parts.push(Buffer.from(bytes));
  }

  #complete(chunkStream: number, { timestamp, type, messageStream, parts }: ChunkStream): RtmpMessage {
    const body = Buffer.concat(parts);
    const chunkSize = this.#chunkSize;
    this.#held -= body.length;
    if (type === SET_CHUNK_SIZE && body.length >= 4) this.#chunkSize = Math.max(1, body.readUInt32BE(0) & 0x7fffffff);
    return { chunkStream, timestamp, type, messageStream, body, chunkSize };
  }
}

const broken = (what: string): Error =>
  sourceError('SOURCE_PROTOCOL', `The camera did not follow RTMP: ${what}.`, { protocol: 'rtmp' });

/** The chunk stream as this header leaves it, and the bytes up to the body; `undefined` when it is not complete. */
function readHeader(
  data: Buffer,
  format: 0 | 1 | 2 | 3,
  from: number,
  known: ChunkStream,
): { stream: ChunkStream; bytes: number } | undefined {
  const at = from + HEADER_BYTES[format];
  if (data.length < at) return undefined;
  const isExtended = format === 3 ? known.extended : data.readUIntBE(from, 3) === EXTENDED;
  const bytes = at + (isExtended ? 4 : 0);
  if (data.length < bytes) return undefined;
  const stream = { ...known, extended: isExtended };
  if (format < 3) stream.stamp = isExtended ? data.readUInt32BE(at) : data.readUIntBE(from, 3);
  if (format < 2) {
    stream.length = data.readUIntBE(from + 3, 3);
    stream.type = data.readUInt8(from + 6);
  }
  if (format === 0) stream.messageStream = data.readUInt32LE(from + 7);
  if (format < 3 || known.left === 0) {
    // The beginning of a message. Only a full header gives a time of its own.
    stream.timestamp = format === 0 ? stream.stamp : (known.timestamp + stream.stamp) % 2 ** 32;
    stream.left = stream.length;
    stream.parts = [];
  }
  return { stream, bytes };
}

/** Format, chunk stream and own length of a basic header; `undefined` when it is not complete. */
function basicHeader(data: Buffer): readonly [0 | 1 | 2 | 3, number, number] | undefined {
  const first = data[0];
  if (first === undefined) return undefined;
  const format = (first >> 6) as 0 | 1 | 2 | 3;
  const low = first & 63;
  if (low > 1) return [format, low, 1];
  if (data.length < 2 + low) return undefined;
  return low === 0 ? [format, data[1]! + 64, 2] : [format, data.readUInt16LE(1) + 64, 3];
}

/** A message as chunks with full headers, which every receiver understands whatever came before. Chunk streams below 64. */
export function writeChunks(message: RtmpMessage): Buffer {
  const { chunkStream, timestamp, type, messageStream, body, chunkSize } = message;
  const extended = timestamp >= EXTENDED;
  const head = Buffer.alloc(12 + (extended ? 4 : 0));
  head[0] = chunkStream & 63;
  head.writeUIntBE(extended ? EXTENDED : timestamp, 1, 3);
  head.writeUIntBE(body.length, 4, 3);
  head[7] = type;
  head.writeUInt32LE(messageStream, 8);
  if (extended) head.writeUInt32BE(timestamp, 12);
  const next = Buffer.concat([Buffer.from([0xc0 | (chunkStream & 63)]), head.subarray(12)]);
  const parts: Buffer[] = [head];
  for (let at = 0; at < body.length; at += chunkSize) {
    if (at > 0) parts.push(next);
    parts.push(body.subarray(at, at + chunkSize));
  }
  return Buffer.concat(parts);
}
