import { sourceError } from './errors.ts';
import type { Dialogue, Ends } from './relay.ts';
import type { RelayTarget } from './relay-target.ts';
import { mapStrings, readAmf, textIn, writeAmf } from './rtmp-amf.ts';
import type { Amf } from './rtmp-amf.ts';
import { ChunkReader, COMMAND, writeChunks } from './rtmp-chunks.ts';
import type { RtmpMessage } from './rtmp-chunks.ts';

/** What ffmpeg is told in place of the camera's application and stream. */
const APPLICATION = 'application';
const STREAM = 'stream';
const AUDIO = 8;
const VIDEO = 9;
/** In the first byte of a video message, below the bit that marks newer codecs: 1 a key frame, 4 one that the server made. */
const KEY_FRAMES = new Set([1, 4]);
/** Version byte and two blocks of 1536 bytes, in each direction. */
const HANDSHAKE_BYTES = 1 + 2 * 1536;

export const rtmpAlias = (port: number): string => `rtmp://127.0.0.1:${port}/${APPLICATION}/${STREAM}`;

/**
 * A URL's application and stream, divided as ffmpeg and the players do: the application is the first segment of the path, or the
 * first two of three and more; recorded MPEG-4 files are marked.
 */
export function divideRtmpPath(path: string): { application: string; stream: string } {
  const [plain = '', ...query] = path.replace(/^\//, '').split('?');
  const segments = plain.split('/');
  const count = segments.length > 2 ? 2 : 1;
  const name = segments.slice(count).join('/');
  const marked = /\.(mp4|f4v|mov)$/i.test(name) && !name.includes(':') ? `mp4:${name}` : name.replace(/\.flv$/i, '');
  return { application: segments.slice(0, count).join('/'), stream: [marked, ...query].join('?') };
}

/**
 * Passes RTMP between ffmpeg and a camera so that the camera is asked for its own application and stream, and ffmpeg is never
 * sent anywhere else. Of the media only key frames are passed on: ffmpeg then has nothing to skip, and nothing to wait for.
 */
export class RtmpDialogue implements Dialogue {
  readonly #target: RelayTarget;
  readonly #ends: Ends;
  readonly #isBrief: boolean;
  readonly #replacements: ReadonlyMap<string, string>;
  readonly #fromFfmpeg = new ChunkReader(() => true);
  readonly #fromCamera = new ChunkReader((type) => type !== AUDIO);
  #handshakeSent = 0;
  #handshakeReceived = 0;

  /** @param isBrief one key frame is enough */
  constructor(target: RelayTarget, ends: Ends, port: number, isBrief: boolean) {
    this.#target = target;
    this.#isBrief = isBrief;
    this.#ends = ends;
    const { application, stream } = divideRtmpPath(target.path);
    const origin = target.url.slice(0, -target.path.length);
    this.#replacements = new Map([
      [APPLICATION, application],
      [STREAM, stream],
      [`rtmp://127.0.0.1:${port}/${APPLICATION}`, `${origin}/${application}`],
    ]);
  }

  toCamera(chunk: Buffer): void {
    const raw = Math.min(chunk.length, HANDSHAKE_BYTES - this.#handshakeSent);
    this.#handshakeSent += raw;
    if (raw > 0) this.#ends.camera(chunk.subarray(0, raw));
    for (const message of this.#fromFfmpeg.push(chunk.subarray(raw))) {
      const body = message.type === COMMAND ? this.#real(message.body) : message.body;
      this.#ends.camera(writeChunks({ ...message, body }));
    }
  }

  /** Looked at before it is passed on: what we refuse, ffmpeg never sees. */
  toFfmpeg(chunk: Buffer): void {
    const raw = Math.min(chunk.length, HANDSHAKE_BYTES - this.#handshakeReceived);
    this.#handshakeReceived += raw;
    if (raw > 0) this.#ends.ffmpeg(chunk.subarray(0, raw));
    for (const message of this.#fromCamera.push(chunk.subarray(raw))) {
      if (message.type === COMMAND) this.#judge(message.body);
      if (isWanted(message)) this.#ends.ffmpeg(writeChunks(message));
      // The decoder would hold it back until two more have come, were this not the end.
      if (this.#isBrief && message.type === VIDEO && isPicture(message.body)) this.#ends.enough();
    }
  }

  /** ffmpeg's commands are of kinds that we know to the end. */
  #real(body: Buffer): Buffer {
    return writeAmf(readAmf(body).map((value) => mapStrings(value, (text) => this.#replacements.get(text) ?? text)));
  }

  #judge(body: Buffer): void {
    const [name, , , info] = readAmf(body);
    if (name?.type !== 'string') return;
    const code = textIn(info, 'code') ?? '';
    if (name.value === '_error' || (name.value === 'onStatus' && textIn(info, 'level') === 'error'))
      this.#refused(code, info);
  }

  #refused(code: string, info: Amf | undefined): void {
    const { host } = this.#target;
    const description = textIn(info, 'description') ?? '';
    const facts = { host, rtmpStatus: code.slice(0, 80) };
    const ex = info?.type === 'object' ? info.entries.find(([name]) => name === 'ex')?.[1] : undefined;
    if (textIn(ex, 'redirect') !== undefined || /redirect/i.test(description))
      throw sourceError('SOURCE_REDIRECTS', `${host} redirects (RTMP); enter the final URL.`, facts);
    if (/auth|denied|forbidden|not allowed/i.test(description))
      throw sourceError(
        'SOURCE_UNAUTHORIZED',
        `${host} refuses us (${code}); enter a URL with the stream's key.`,
        facts,
      );
    if (/StreamNotFound|UnpublishNotify/i.test(code))
      throw sourceError('SOURCE_ENDED', `${host} has no such stream now (${code}); check the path.`, facts);
    // Some servers do not know every question of ffmpeg's (FCSubscribe, _checkbw) and say so, to no harm.
    if (code !== '' && !/Call\.Failed/i.test(code))
      throw sourceError('SOURCE_HTTP_ERROR', `${host} answers ${code}; check the path.`, facts);
  }
}

/** A video message's parameter sets are marked as key frames, too. */
const isWanted = ({ type, body }: RtmpMessage): boolean => type !== VIDEO || KEY_FRAMES.has(((body[0] ?? 0) >> 4) & 7);

const AVC = 7;
const CODED_FRAMES = new Set([1, 3]);

/** A key frame, and not only its parameter sets: for codecs with either, the packet's type tells. */
function isPicture(body: Buffer): boolean {
  const first = body[0] ?? 0;
  if (!KEY_FRAMES.has((first >> 4) & 7)) return false;
  if (first & 128) return CODED_FRAMES.has(first & 15);
  return (first & 15) !== AVC || body[1] === 1;
}
