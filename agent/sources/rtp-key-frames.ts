/** How the key frames of a codec are told in RTP (RFC 6184, RFC 7798). */
interface Codec {
  typeOf(first: number): number;
  isKey(type: number): boolean;
  /** Bytes of a unit's header. */
  header: number;
  /** A unit that holds several. */
  aggregate: number;
  /** A part of a unit, whose type stands behind the header. */
  fragments: readonly number[];
  fragmentType(byte: number): number;
}

const CODECS: Record<string, Codec> = {
  H264: {
    typeOf: (first) => first & 31,
    isKey: (type) => type === 5,
    header: 1,
    aggregate: 24,
    fragments: [28, 29],
    fragmentType: (byte) => byte & 31,
  },
  H265: {
    typeOf: (first) => (first >> 1) & 63,
    isKey: (type) => type >= 16 && type <= 21,
    header: 2,
    aggregate: 48,
    fragments: [49],
    fragmentType: (byte) => byte & 63,
  },
};

/**
 * Sees in a stream of RTP packets when a key frame is complete. A decoder holds a frame back until it knows that none goes before
 * it, which may be two key frames later; who ends its input behind the first has it at once.
 */
export class KeyFrameSpotter {
  readonly #codecs = new Map<number, Codec>();
  /** RTP time of the key frame under way. */
  #time: number | undefined;

  /** Learns from a session description which payload type is which codec. */
  learn(description: string): void {
    for (const [, type, name] of description.matchAll(/^a=rtpmap:(\d{1,3})\s+([A-Za-z0-9-]+)\//gm)) {
      const codec = CODECS[name!.toUpperCase().replace('HEVC', 'H265')];
      if (codec) this.#codecs.set(Number(type), codec);
    }
  }

  /** Whether a key frame is complete with this packet. Never, for codecs that are not known here. */
  completes(packet: Buffer): boolean {
    const payload = payloadOf(packet);
    const codec = payload && this.#codecs.get(packet[1]! & 127);
    if (!codec) return false;
    const time = packet.readUInt32BE(4);
    if (this.#time !== undefined && time !== this.#time) return true;
    if (holdsKey(payload, codec)) this.#time = time;
    const isLast = packet[1]! >> 7 === 1;
    return this.#time !== undefined && isLast;
  }
}

function payloadOf(packet: Buffer): Buffer | undefined {
  if (packet.length < 12 || packet[0]! >> 6 !== 2) return undefined;
  let at = 12 + 4 * (packet[0]! & 15);
  if (packet[0]! & 16 && packet.length >= at + 4) at += 4 + 4 * packet.readUInt16BE(at + 2);
  return packet.length > at + 2 ? packet.subarray(at) : undefined;
}

function holdsKey(payload: Buffer, codec: Codec): boolean {
  const type = codec.typeOf(payload[0]!);
  if (codec.fragments.includes(type)) return codec.isKey(codec.fragmentType(payload[codec.header]!));
  if (type !== codec.aggregate) return codec.isKey(type);
  for (let at = codec.header; at + 2 < payload.length; at += 2 + payload.readUInt16BE(at))
    if (codec.isKey(codec.typeOf(payload[at + 2]!))) return true;
  return false;
}
