import type { EncodedFrame } from '../../common/domain/frame.ts';
import { codeOf } from '../../common/runtime/errors.ts';
import { onAbort } from './abort-groups.ts';
import { sourceError } from './errors.ts';
import { header } from './exchange.ts';
import type { StreamReader } from './exchange.ts';
import { StallDeadline } from './ffmpeg/stall.ts';
import type { StreamControl } from './http.ts';
import { withHuffmanTables } from './huffman-tables.ts';
import { Latest } from './latest.ts';
import { MjpegParser } from './mjpeg-parser.ts';
import type { MjpegPart } from './mjpeg-parser.ts';
import { announcedBoundary, numberOf } from './part-headers.ts';
import { SCENE_HEADER, sceneLabelIn } from './scene-label.ts';
import { checkStatus } from './snapshot.ts';
import type { FrameSource, SourceContext, SourceSpec } from './source.ts';
import { parseTarget } from './target.ts';
import type { Target } from './target.ts';

// Slow MJPEG cameras send a picture every few seconds; after so long without one any stream is dead, a fast one earlier.
const MOST_STALL_MS = 15_000;

/** What came over one connection. */
interface Opened {
  contentType: string | undefined;
  /** Bytes. */
  received: number;
  parts: number;
  /** The last part was not cut off. */
  whole: boolean;
}

/** A camera that sends pictures without end over one HTTP answer (multipart/x-mixed-replace, or JPEGs in a row). */
export class MjpegSource implements FrameSource {
  minIntervalMs: number;
  readonly #context: SourceContext;
  readonly #target: Target;
  /** Learned over all connections. */
  readonly #deadline: StallDeadline;
  readonly #nextAttemptId: (() => string) | undefined;

  constructor(spec: SourceSpec, context: SourceContext) {
    this.minIntervalMs = spec.minIntervalMs ?? 0;
    this.#context = context;
    const { stallMs = MOST_STALL_MS } = context;
    this.#deadline = new StallDeadline(stallMs, stallMs);
    this.#target = parseTarget(spec.url, spec.credentials);
    this.#nextAttemptId = context.attemptHeader ? spec.nextAttemptId : undefined;
  }

  /** Ends with `SOURCE_ENDED` when the server closes the stream. Leaving the loop closes the connection. */
  async *frames(signal: AbortSignal): AsyncGenerator<EncodedFrame> {
    signal.throwIfAborted();
    const latest = new Latest<EncodedFrame>();
    const opened: Opened = { contentType: undefined, received: 0, parts: 0, whole: true };
    const stop = new AbortController();
    const withdraw = onAbort(signal, (reason) => stop.abort(reason));
    const reading = this.#context.http
      .stream({ target: this.#target, headers: this.#headers(), signal: stop.signal }, (control) =>
        this.#reader(latest, control, opened),
      )
      .then(() => this.#ended(opened))
      .catch((error: unknown) => {
        if (codeOf(error) === 'SOURCE_TIMEOUT' && opened.parts > 0) this.#deadline.missed();
        latest.end(error);
      });
    try {
      yield* latest;
    } finally {
      withdraw();
      stop.abort();
      await reading;
    }
  }

  #headers(): string[] {
    return this.#nextAttemptId ? ['x-camfleet-attempt', this.#nextAttemptId()] : [];
  }

  #reader(latest: Latest<EncodedFrame>, control: StreamControl, opened: Opened): StreamReader {
    const { clock } = this.#context;
    let parser: MjpegParser;
    let taken = 0;
    let dueAt = -Infinity;
    let since = clock.monotonic();
    const wanted = (): boolean => {
      const now = clock.monotonic();
      this.#deadline.came(now - since);
      since = now;
      control.extend(this.#deadline.ms);
      return now >= dueAt;
    };
    const onPart = (part: MjpegPart): void => {
      // Counted from when the picture was due, not from when it came: else every wait would add up.
      const now = clock.monotonic();
      const next = dueAt + this.minIntervalMs;
      dueAt = next > now ? next : now + this.minIntervalMs;
      opened.parts++;
      latest.push(frameOf(part, clock.now(), opened.received - taken));
      taken = opened.received;
    };
    return {
      onHeaders: (status, rawHeaders) => {
        checkStatus(status, this.#target.host);
        since = clock.monotonic();
        control.extend(this.#deadline.ms);
        opened.contentType = header(rawHeaders, 'content-type');
        parser = new MjpegParser({ boundary: announcedBoundary(opened.contentType), onPart, wanted });
      },
      onData: (chunk) => {
        opened.received += chunk.length;
        parser.push(chunk);
      },
      onEnd: () => void (opened.whole = parser.end()),
    };
  }

  #ended({ contentType, received, parts, whole }: Opened): never {
    const { host } = this.#target;
    if (!whole) throw sourceError('SOURCE_INTERRUPTED', `${host} broke off in the middle of a picture.`, { host });
    const advice = "a camera's video path sends pictures without end.";
    if (parts === 0 && received === 0)
      throw sourceError('SOURCE_EMPTY', `${host} ended its stream before it sent anything; ${advice}`, { host });
    if (parts === 0 && /^(text|application)\//i.test(contentType ?? '')) {
      const facts = { host, bytes: received, contentType: contentType!.slice(0, 60) };
      throw sourceError('SOURCE_NO_PICTURES', `${host} answers with ${facts.contentType}; ${advice}`, facts);
    }
    throw sourceError('SOURCE_ENDED', `${host} ended its stream; ${advice}`, { host });
  }
}

function frameOf({ bytes, headers }: MjpegPart, fetchedAt: number, transferBytes: number): EncodedFrame {
  const frame: EncodedFrame = { bytes: withHuffmanTables(bytes), notModified: false, fetchedAt, transferBytes };
  const contentType = headers.get('content-type');
  const serial = numberOf(headers.get('x-part-serial'));
  if (contentType !== undefined) frame.contentType = contentType;
  if (serial !== undefined) frame.serial = serial;
  const sceneLabel = sceneLabelIn(headers.get(SCENE_HEADER));
  if (sceneLabel !== undefined) frame.sceneLabel = sceneLabel;
  const at = capturedAt(headers);
  frame.capturedAt =
    at !== undefined && at <= fetchedAt && fetchedAt - at < MOST_DELAY_MS
      ? { at, origin: 'stream' }
      : { at: fetchedAt, origin: 'fetch' };
  return frame;
}

// A live picture is seconds old; a clock that says otherwise is wrong.
const MOST_DELAY_MS = 600_000;

/** `X-Timestamp` is what mjpg-streamer and others send: seconds since the epoch, with fraction. */
function capturedAt(headers: ReadonlyMap<string, string>): number | undefined {
  const stamp = headers.get('x-timestamp');
  const seconds = stamp !== undefined && /^\d{9,10}(\.\d+)?$/.test(stamp) ? Number(stamp) : NaN;
  return Number.isFinite(seconds) ? Math.round(seconds * 1000) : undefined;
}
