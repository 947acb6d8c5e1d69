import { sourceError } from './errors.ts';

/** A request or an answer of RTSP (RFC 2326), or bytes that pass as they are (interleaved RTP and RTCP). */
export type RtspUnit = { kind: 'message'; message: RtspMessage } | { kind: 'bytes'; bytes: Buffer; channel: number };

export interface RtspMessage {
  /** `DESCRIBE rtsp://… RTSP/1.0` or `RTSP/1.0 200 OK`. */
  start: string;
  /** Name and value in order, as written. */
  headers: (readonly [string, string])[];
  body: Buffer;
}

const MAX_HEAD_BYTES = 65_536;
const MAX_BODY_BYTES = 1_000_000;
const DOLLAR = 0x24;
const NOTHING = Buffer.alloc(0);

/** Takes one direction of an RTSP connection apart, however the network cuts it. */
export class RtspReader {
  #rest: Buffer = NOTHING;

  /** Throws `SOURCE_PROTOCOL` for what is no RTSP. */
  push(chunk: Buffer): RtspUnit[] {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const units: RtspUnit[] = [];
    for (;;) {
      const taken = data[0] === DOLLAR ? readInterleaved(data, units) : readMessage(data, units);
      if (taken === 0) break;
      data = data.subarray(taken);
    }
    this.#rest = data;
    return units;
  }
}

/** Bytes used; 0 when the unit is not complete. Packets are up to 64 kB long, by their format. */
function readInterleaved(data: Buffer, units: RtspUnit[]): number {
  if (data.length < 4) return 0;
  const length = 4 + data.readUInt16BE(2);
  if (data.length < length) return 0;
  units.push({ kind: 'bytes', bytes: data.subarray(0, length), channel: data[1]! });
  return length;
}

function readMessage(data: Buffer, units: RtspUnit[]): number {
  // Some cameras put empty lines between messages.
  let from = 0;
  while (data[from] === 0x0d || data[from] === 0x0a) from++;
  if (from > 0) return from;
  if (data.length === 0) return 0;
  const end = data.indexOf('\r\n\r\n');
  if ((end < 0 && data.length > MAX_HEAD_BYTES) || !isUpper(data[0]!))
    throw sourceError('SOURCE_PROTOCOL', 'The camera did not follow RTSP: something else than a message or a packet.', {
      protocol: 'rtsp',
    });
  if (end < 0) return 0;
  const [start = '', ...lines] = data.toString('latin1', 0, end).split('\r\n');
  const headers = lines.flatMap(headerIn);
  const length = Number(headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1] ?? 0);
  if (!Number.isInteger(length) || length < 0 || length > MAX_BODY_BYTES)
    throw sourceError(
      'SOURCE_TOO_LARGE',
      `The camera announces an RTSP message of ${length} bytes, ${MAX_BODY_BYTES} are allowed.`,
      {
        bytes: Number.isFinite(length) ? length : -1,
        maxBytes: MAX_BODY_BYTES,
      },
    );
  const total = end + 4 + length;
  if (data.length < total) return 0;
  units.push({ kind: 'message', message: { start, headers, body: data.subarray(end + 4, total) } });
  return total;
}

const isUpper = (byte: number): boolean => byte >= 0x41 && byte <= 0x5a;

function headerIn(line: string): [string, string][] {
  const colon = line.indexOf(':');
  return colon <= 0 ? [] : [[line.slice(0, colon).trim(), line.slice(colon + 1).trim()]];
}

export function writeMessage({ start, headers, body }: RtspMessage): Buffer {
  const lines = [start, ...headers.map(([name, value]) => `${name}: ${value}`), '', ''];
  return Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), body]);
}

/** The first header of this lower-case name. */
export function headerOf({ headers }: RtspMessage, name: string): string | undefined {
  return headers.find(([each]) => each.toLowerCase() === name)?.[1];
}

/** The message with this header in place of all of its name; the name stays as it was written. */
export function withHeader(message: RtspMessage, name: string, value: string): RtspMessage {
  const others = message.headers.filter(([each]) => each.toLowerCase() !== name.toLowerCase());
  return { ...message, headers: [...others, [name, value]] };
}

/** The status of an answer; `undefined` for a request. */
export function statusOf({ start }: RtspMessage): number | undefined {
  const status = /^RTSP\/\d\.\d (\d{3})/.exec(start)?.[1];
  return status === undefined ? undefined : Number(status);
}
