const PACKET_BYTES = 188;
const SYNC = 0x47;

/**
 * Finds the end of the first key frame in MPEG-TS (ISO 13818-1): the first picture that is marked as an entry point, up to where the
 * next of its stream begins. Who ends a decoder's input there neither fetches nor decodes the rest of the segment.
 */
export class TsKeyFrame {
  #rest: Buffer = Buffer.alloc(0);
  #pid: number | undefined;

  /** What of these bytes the decoder needs; `isEnd` when the key frame is complete with them. */
  take(bytes: Buffer): { bytes: Buffer; isEnd: boolean } {
    const data = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    for (; at + PACKET_BYTES <= data.length; at += PACKET_BYTES) {
      const packet = data.subarray(at, at + PACKET_BYTES);
      // Out of step: all of it goes to ffmpeg, which looks for the next packet.
      if (packet[0] !== SYNC) break;
      if (this.#ends(packet)) return { bytes: data.subarray(0, at), isEnd: true };
    }
    const isInStep = at + PACKET_BYTES > data.length;
    this.#rest = isInStep ? Buffer.from(data.subarray(at)) : Buffer.alloc(0);
    return { bytes: isInStep ? data.subarray(0, at) : data, isEnd: false };
  }

  /** What has not been handed out, at the end of the segment. */
  rest(): Buffer {
    return this.#rest;
  }

  #ends(packet: Buffer): boolean {
    const begins = (packet[1]! & 0x40) !== 0;
    if (!begins) return false;
    const pid = packet.readUInt16BE(1) & 0x1fff;
    if (this.#pid !== undefined) return pid === this.#pid;
    if (isEntryPoint(packet) && isVideo(packet)) this.#pid = pid;
    return false;
  }
}

/** The random access indicator in the adaptation field. */
const isEntryPoint = (packet: Buffer): boolean =>
  (packet[3]! & 0x20) !== 0 && packet[4]! > 0 && (packet[5]! & 0x40) !== 0;

/** A packetised elementary stream whose number is one of video. */
function isVideo(packet: Buffer): boolean {
  const at = 4 + ((packet[3]! & 0x20) !== 0 ? 1 + packet[4]! : 0);
  return at + 4 <= PACKET_BYTES && packet.readUIntBE(at, 3) === 1 && packet[at + 3]! >> 4 === 0xe;
}
