import { sourceError } from './errors.ts';
import { HttpAuth } from './http-auth.ts';
import type { Sent } from './http-auth.ts';
import type { Dialogue, Ends } from './relay.ts';
import type { RelayTarget } from './relay-target.ts';
import { KeyFrameSpotter } from './rtp-key-frames.ts';
import { headerOf, RtspReader, statusOf, withHeader, writeMessage } from './rtsp-messages.ts';
import type { RtspMessage } from './rtsp-messages.ts';

/** The path that ffmpeg is told; whatever it appends to it is appended to the camera's URL. */
const ALIAS = '/stream';
// Requests without which there is no picture; a refusal of any other (GET_PARAMETER, TEARDOWN) is passed on.
const ESSENTIAL = new Set(['OPTIONS', 'DESCRIBE', 'SETUP', 'PLAY']);
const MAX_PENDING = 32;
const MAX_ANSWERS = 2;

interface Pending {
  message: RtspMessage;
  method: string;
  /** ffmpeg's own number of the request. */
  theirs: string;
  /** The answer to a challenge that it was sent with, and how often it was. */
  sent: Sent | undefined;
  answers: number;
}

export interface RtspOptions {
  target: RelayTarget;
  userAgent: string;
  ends: Ends;
  port: number;
  /** One key frame is enough. */
  isBrief?: boolean;
  /** The camera's clock, from its RTCP sender reports, ms since the epoch. */
  onClock?: (at: number) => void;
  /** Told of every answer with its headers: name, value, name, value, … */
  onStatus?: (status: number, rawHeaders: readonly Buffer[]) => void;
}

/** What ffmpeg is told in place of the camera's URL. */
export const rtspAlias = (port: number): string => `rtsp://127.0.0.1:${port}${ALIAS}`;

/**
 * Passes RTSP between ffmpeg and a camera so that the camera sees its own URL and our name, and ffmpeg sees neither credentials
 * nor anywhere else to go: challenges are answered here, redirections of every kind are errors.
 */
export class RtspDialogue implements Dialogue {
  readonly #options: RtspOptions;
  readonly #alias: string;
  readonly #auth: HttpAuth | undefined;
  readonly #fromFfmpeg = new RtspReader();
  readonly #fromCamera = new RtspReader();
  readonly #spotter = new KeyFrameSpotter();
  readonly #pending = new Map<string, Pending>();
  #lastNumber = 0;

  constructor(options: RtspOptions) {
    this.#options = options;
    this.#alias = rtspAlias(options.port);
    this.#auth = options.target.login && new HttpAuth(options.target.login);
  }

  toCamera(chunk: Buffer): void {
    for (const unit of this.#fromFfmpeg.push(chunk)) {
      if (unit.kind === 'bytes') this.#options.ends.camera(unit.bytes);
      else if (statusOf(unit.message) !== undefined) this.#options.ends.camera(writeMessage(unit.message));
      else this.#ask(unit.message);
    }
  }

  toFfmpeg(chunk: Buffer): void {
    for (const unit of this.#fromCamera.push(chunk)) {
      if (unit.kind === 'bytes') this.#media(unit.bytes, unit.channel);
      else if (statusOf(unit.message) === undefined) this.#requested(unit.message);
      else this.#answered(unit.message, statusOf(unit.message)!);
    }
  }

  #ask(message: RtspMessage): void {
    const [method = '', url = '', version = 'RTSP/1.0'] = message.start.split(' ');
    const start = `${method} ${this.#real(url)} ${version}`;
    const pending = {
      message: { ...message, start },
      method,
      theirs: headerOf(message, 'cseq') ?? '',
      sent: undefined,
      answers: 0,
    };
    if (this.#pending.size >= MAX_PENDING) this.#pending.clear(); // a camera that answers nothing
    this.#send(pending);
  }

  /** ffmpeg's URLs begin with the alias where it had none of the camera's own (Content-Base, control) to go by. */
  #real(url: string): string {
    return url.startsWith(this.#alias) ? this.#options.target.url + url.slice(this.#alias.length) : url;
  }

  #send(pending: Pending): void {
    const number = String(++this.#lastNumber);
    const [method = '', url = ''] = pending.message.start.split(' ');
    const sent = this.#auth?.authorize(method, url);
    let message = withHeader(pending.message, 'CSeq', number);
    message = withHeader(message, 'User-Agent', this.#options.userAgent);
    if (sent) message = withHeader(message, 'Authorization', sent.value);
    this.#pending.set(number, { ...pending, sent, answers: pending.answers + (sent ? 1 : 0) });
    this.#options.ends.camera(writeMessage(message));
  }

  #answered(answer: RtspMessage, status: number): void {
    const number = headerOf(answer, 'cseq') ?? '';
    // Answers come in the order of the requests; a camera that forgets the number answers the oldest.
    const key = this.#pending.has(number) ? number : ([...this.#pending.keys()][0] ?? '');
    const pending = this.#pending.get(key);
    if (!pending) return;
    this.#pending.delete(key);
    this.#options.onStatus?.(
      status,
      answer.headers.flat().map((text) => Buffer.from(text)),
    );
    if (status === 401 && this.#mayTryAgain(answer, pending)) return this.#send(pending);
    this.#judge(status, pending.method);
    if (pending.method === 'DESCRIBE') this.#spotter.learn(answer.body.toString('latin1'));
    this.#options.ends.ffmpeg(writeMessage(withHeader(answer, 'CSeq', pending.theirs)));
  }

  /** A nonce that grew old is no refusal of the password; but a camera that always says so is not asked for ever. */
  #mayTryAgain(answer: RtspMessage, { sent, answers }: Pending): boolean {
    const values = answer.headers
      .filter(([name]) => name.toLowerCase() === 'www-authenticate')
      .map(([, value]) => value);
    return answers < MAX_ANSWERS && this.#auth?.challenged(values, sent) === true;
  }

  #judge(status: number, method: string): void {
    const { host } = this.#options.target;
    const facts = { host, rtspStatus: status, method };
    if (status >= 300 && status < 400)
      throw sourceError('SOURCE_REDIRECTS', `${host} redirects (RTSP ${status}); enter the final URL.`, facts);
    if (status < 400 || !ESSENTIAL.has(method)) return;
    if (status === 401 || status === 403)
      throw sourceError(
        'SOURCE_UNAUTHORIZED',
        `${host} answers ${status} to ${method}; enter the camera's credentials.`,
        facts,
      );
    throw sourceError('SOURCE_HTTP_ERROR', `${host} answers ${status} to ${method}; check the path.`, facts);
  }

  /** Cameras may ask, too. */
  #requested(message: RtspMessage): void {
    const { host } = this.#options.target;
    if (/^REDIRECT\b/.test(message.start))
      throw sourceError('SOURCE_REDIRECTS', `${host} redirects in the middle of the stream; enter the final URL.`, {
        host,
        method: 'REDIRECT',
      });
    this.#options.ends.ffmpeg(writeMessage(message));
  }

  #media(bytes: Buffer, channel: number): void {
    if (channel % 2 === 1 && this.#options.onClock) {
      const at = senderReportTime(bytes.subarray(4));
      if (at !== undefined) this.#options.onClock(at);
    }
    this.#options.ends.ffmpeg(bytes);
    if (this.#options.isBrief && channel % 2 === 0 && this.#spotter.completes(bytes.subarray(4)))
      this.#options.ends.enough();
  }
}

const SENDER_REPORT = 200;
const NTP_TO_EPOCH_SECONDS = 2_208_988_800;

/** The wall clock in an RTCP sender report (RFC 3550, 6.4.1), ms since the epoch; `undefined` in any other packet. */
export function senderReportTime(packet: Buffer): number | undefined {
  if (packet.length < 16 || packet[0]! >> 6 !== 2 || packet[1] !== SENDER_REPORT) return undefined;
  const at = (packet.readUInt32BE(8) - NTP_TO_EPOCH_SECONDS) * 1_000 + packet.readUInt32BE(12) / 2 ** 32 / 1e-3;
  return at > 0 ? Math.round(at) : undefined;
}
