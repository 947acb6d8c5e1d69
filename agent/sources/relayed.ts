import type { Socket } from 'node:net';
import type { EncodedFrame } from '../../common/domain/frame.ts';
import type { AppError } from '../../common/runtime/errors.ts';
import { onAbort, sleepUnder } from './abort-groups.ts';
import { sourceError } from './errors.ts';
import type { Decoder } from './ffmpeg/decoders.ts';
import { overdue, StallDeadline } from './ffmpeg/stall.ts';
import { Latest } from './latest.ts';
import { connectChecked, Relay } from './relay.ts';
import type { Dialogue, Ends } from './relay.ts';
import { parseRelayTarget } from './relay-target.ts';
import type { RelayTarget } from './relay-target.ts';
import type { FetchRequest, PolledSource, SourceContext, SourceSpec, StreamContext } from './source.ts';

const DEFAULT_INTERVAL_MS = 60_000;
const CONNECT_TIMEOUT_MS = 5_000;

/** What RTSP and RTMP differ in. */
export interface RelayProtocol {
  scheme: 'rtsp' | 'rtmp';
  /**
   * Below this interval a connection that stays costs less processor time than one for each picture. Measured at 720p, 10 frames a
   * second: connecting takes 115 to 155 ms (85 of them for ffmpeg to start), staying 10 to 15 ms a second.
   */
  staysBelowMs: number;
  dialogue(options: {
    target: RelayTarget;
    ends: Ends;
    port: number;
    userAgent: string;
    /** One key frame is enough. */
    isBrief: boolean;
    onClock: (at: number) => void;
    /** Told of every answer that has a status as HTTP's have. */
    onStatus: (status: number, rawHeaders: readonly Buffer[]) => void;
  }): Dialogue;
  alias(port: number): string;
}

type Session = { relay: Relay; decoder: Decoder };

/**
 * A camera whose stream ffmpeg reads through a relay of ours. Connects, takes one key frame and leaves; or stays connected and
 * takes the key frames that are due.
 */
export class RelayedSource implements PolledSource {
  minIntervalMs: number;
  readonly staysBelowMs: number;
  readonly #protocol: RelayProtocol;
  readonly #context: SourceContext;
  readonly #streams: StreamContext;
  readonly #target: RelayTarget;
  /** A connection's first picture takes longer than the following ones. */
  readonly #first: StallDeadline;
  readonly #next: StallDeadline;

  constructor(spec: SourceSpec, context: SourceContext, protocol: RelayProtocol) {
    this.minIntervalMs = spec.minIntervalMs ?? DEFAULT_INTERVAL_MS;
    this.staysBelowMs = protocol.staysBelowMs;
    this.#protocol = protocol;
    this.#context = context;
    this.#streams = streamsOf(context);
    this.#first = new StallDeadline(context.stallMs);
    this.#next = new StallDeadline(context.stallMs);
    this.#target = parseRelayTarget(spec.url, protocol.scheme, spec.credentials);
  }

  async fetchOnce({ signal }: FetchRequest = {}): Promise<EncodedFrame> {
    for await (const frame of this.#run(signal ?? new AbortController().signal, undefined)) return frame;
    throw ended(this.#target.host);
  }

  async *frames(signal: AbortSignal): AsyncGenerator<EncodedFrame> {
    if (this.#streams.decoders.hasRoomToStay) return yield* this.#run(signal, this.minIntervalMs);
    for (;;) {
      yield await this.fetchOnce({ signal });
      await sleepUnder(this.#context.clock, this.minIntervalMs, signal);
    }
  }

  /** Leaving the loop ends ffmpeg and the connection. */
  async *#run(signal: AbortSignal, everyMs: number | undefined): AsyncGenerator<EncodedFrame> {
    signal.throwIfAborted();
    const { limiter } = this.#streams;
    const { host } = this.#target;
    const stop = new AbortController();
    const pictures = new Latest<EncodedFrame>();
    const withdraw = onAbort(signal, (reason) => (stop.abort(reason), pictures.end(reason)));
    await limiter.acquire(host, signal);
    let release = (): void => (limiter.release(host), void (release = () => {}));
    let session: Session | undefined;
    let isDone = false;
    try {
      const { url, path } = this.#target;
      this.#streams.manners?.mayAsk({ origin: url.slice(0, -path.length), path, host });
      session = await this.#open(stop.signal, pictures, everyMs);
      for await (const frame of pictures) {
        // One that stays would hold the host's turn for hours.
        if (everyMs !== undefined) release();
        isDone = everyMs === undefined;
        yield frame;
      }
    } finally {
      withdraw();
      release();
      stop.abort();
      if (session) await close(session, isDone);
    }
  }

  async #open(signal: AbortSignal, pictures: Latest<EncodedFrame>, everyMs: number | undefined): Promise<Session> {
    const upstream = await connectChecked({
      ...this.#target,
      egress: this.#streams.egress,
      timeoutMs: CONNECT_TIMEOUT_MS,
      signal,
    });
    let relay: Relay | undefined;
    try {
      const { scheme, alias } = this.#protocol;
      const decoder = await this.#streams.decoders.start(signal, async () => {
        const watch = this.#watch(signal, pictures, everyMs ?? 0);
        relay = await this.#relay(upstream, everyMs === undefined, (at) => watch.clockSaid(at));
        void relay.over.catch((error: unknown) => pictures.end(error));
        const url = alias(relay.port);
        const taken = relay;
        return {
          input: { kind: 'relay', scheme, url },
          everyMs,
          onPicture: (bytes) => watch.picture(bytes, taken.received),
          onEnd: (reason) => pictures.end(taken.endedByCamera ? ended(this.#target.host, reason) : reason),
        };
      });
      return { relay: relay!, decoder };
    } catch (error) {
      relay?.close();
      upstream.destroy();
      throw error;
    }
  }

  #relay(upstream: Socket, isBrief: boolean, onClock: (at: number) => void): Promise<Relay> {
    const target = this.#target;
    const { userAgent, manners } = this.#streams;
    const onStatus = (status: number, rawHeaders: readonly Buffer[]): void =>
      manners?.answered(target.host, status, rawHeaders);
    return Relay.open(upstream, target.host, (ends, port) =>
      this.#protocol.dialogue({ target, ends, port, userAgent, isBrief, onClock, onStatus }),
    );
  }

  /** Ends the pictures when the next one is overdue; ffmpeg is silent for `everyMs` by itself. */
  #watch(signal: AbortSignal, pictures: Latest<EncodedFrame>, everyMs: number) {
    const { clock } = this.#context;
    let deadline = this.#first;
    let since = clock.monotonic();
    let taken = 0;
    let dueAt = -Infinity;
    let offset: number | undefined;
    void overdue(this.#context.clock, signal, () => since + deadline.ms + everyMs).then((late) => {
      if (!late) return;
      const waited = deadline.ms + everyMs;
      deadline.missed();
      pictures.end(stalled(this.#target.host, waited));
    });
    return {
      clockSaid: (at: number): void => void (offset = at - clock.now()),
      picture: (bytes: Buffer, received: number): void => {
        const now = clock.monotonic();
        deadline.came(now - since);
        since = now;
        deadline = this.#next;
        if (now < dueAt) return;
        dueAt = Math.max(dueAt, now - this.minIntervalMs) + this.minIntervalMs * 0.95;
        pictures.push(frameOf(bytes, clock.now(), received - taken, offset));
        taken = received;
      },
    };
  }
}

async function close({ relay, decoder }: Session, isDone: boolean): Promise<void> {
  const left = decoder.leave(isDone).then(() => relay.close());
  // One that has its picture says goodbye to the camera by itself: nobody has to wait for that.
  if (!isDone) await left;
}

/** Throws where this agent has no ffmpeg supervision: a worker is given it as a whole. */
export function streamsOf({ streams }: SourceContext): StreamContext {
  if (!streams) throw sourceError('SOURCE_PROTOCOL', 'This agent was started without support for streams.');
  return streams;
}

/** A camera's clock is believed where it does not claim the future. */
export function frameOf(
  bytes: Buffer,
  fetchedAt: number,
  transferBytes: number,
  offset: number | undefined,
): EncodedFrame {
  const at = offset === undefined ? undefined : Math.round(fetchedAt + offset);
  return {
    bytes,
    notModified: false,
    contentType: 'image/jpeg',
    fetchedAt,
    transferBytes,
    capturedAt:
      at !== undefined && at > 0 && at <= fetchedAt ? { at, origin: 'stream' } : { at: fetchedAt, origin: 'fetch' },
  };
}

export const stalled = (host: string, ms: number): AppError =>
  sourceError('SOURCE_TIMEOUT', `${host} sent no picture within ${ms} ms.`, { host, timeoutMs: ms });

const ended = (host: string, reason?: AppError): AppError =>
  sourceError('SOURCE_ENDED', `${host} ended the stream without a picture; check its URL.`, {
    host,
    ...reason?.details,
  });
