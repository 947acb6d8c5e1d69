import { createHash } from 'node:crypto';
import type { EncodedFrame } from '../../common/domain/frame.ts';
import { AppError, codeOf } from '../../common/runtime/errors.ts';
import { onAbort, sleepUnder } from './abort-groups.ts';
import { sourceError } from './errors.ts';
import { overdue, StallDeadline } from './ffmpeg/stall.ts';
import { SegmentFeed } from './hls-feed.ts';
import { chooseVariant, parsePlaylist } from './hls-playlist.ts';
import type { Playlist, Segment } from './hls-playlist.ts';
import { readSegment } from './hls-segment.ts';
import { frameOf, stalled, streamsOf } from './relayed.ts';
import { checkStatus } from './snapshot.ts';
import type { FetchRequest, PolledSource, SourceContext, SourceSpec, StreamContext } from './source.ts';
import { parseTarget } from './target.ts';
import type { Target } from './target.ts';

const DEFAULT_INTERVAL_MS = 60_000;
// A day of four-second segments.
const MAX_PLAYLIST_BYTES = 2_000_000;
// Ten seconds at 25 Mbit/s.
const MAX_SEGMENT_BYTES = 32_000_000;

type Media = Extract<Playlist, { kind: 'media' }>;

/**
 * A camera that offers HTTP Live Streaming. One attempt reads the playlist and the newest segment as far as its first key frame;
 * where the newest segment is the one of last time, the playlist alone. There is nothing to stay connected to.
 */
export class HlsSource implements PolledSource {
  minIntervalMs: number;
  readonly #context: SourceContext;
  readonly #streams: StreamContext;
  readonly #target: Target;
  readonly #deadline: StallDeadline;
  /** Where the rendition's own playlist is, once the master playlist has said it. */
  #rendition: string | undefined;

  constructor(spec: SourceSpec, context: SourceContext) {
    this.minIntervalMs = spec.minIntervalMs ?? DEFAULT_INTERVAL_MS;
    this.#context = context;
    this.#streams = streamsOf(context);
    this.#deadline = new StallDeadline(context.stallMs);
    this.#target = parseTarget(spec.url, spec.credentials);
  }

  /** With the `etag` of the last picture, a stream that has gone on to no further segment comes back as `notModified`. */
  async fetchOnce({ signal = new AbortController().signal, etag }: FetchRequest = {}): Promise<EncodedFrame> {
    const { media, bytes } = await this.#media(signal);
    const newest = media.segments.at(-1);
    if (!newest)
      throw sourceError('SOURCE_ENDED', `The playlist of ${this.#target.host} names no segment; the stream is off.`, {
        host: this.#target.host,
      });
    if (etag === tagOf(newest)) return this.#unchanged(etag, bytes);
    return this.#newestOf(media.segments, bytes, signal);
  }

  async *frames(signal: AbortSignal): AsyncGenerator<EncodedFrame> {
    let etag: string | undefined;
    for (;;) {
      const frame = await this.fetchOnce({ etag, signal });
      etag = frame.etag;
      yield frame;
      await sleepUnder(this.#context.clock, this.minIntervalMs, signal);
    }
  }

  /** A playlist may be ahead of the servers that hold the segments: then the one before will do. */
  async #newestOf(segments: readonly Segment[], bytes: number, signal: AbortSignal): Promise<EncodedFrame> {
    const [before, newest] = segments.length > 1 ? segments.slice(-2) : [undefined, segments[0]];
    try {
      return await this.#frameOf(newest!, bytes, signal);
    } catch (error) {
      const isMissing = error instanceof AppError && error.details['httpStatus'] === 404;
      if (!isMissing || !before) throw error;
      return this.#frameOf(before, bytes, signal);
    }
  }

  async #media(signal: AbortSignal): Promise<{ media: Media; bytes: number }> {
    const known = this.#rendition;
    try {
      const first = await this.#playlist(known === undefined ? this.#target : this.#to(known), signal);
      if (first.playlist.kind === 'media') return { media: first.playlist, bytes: first.bytes };
      const url = chooseVariant(first.playlist.variants).url;
      const second = await this.#playlist(this.#to(url), signal);
      if (second.playlist.kind !== 'media')
        throw sourceError('SOURCE_PROTOCOL', 'A rendition of the stream is no playlist of segments.');
      this.#rendition = url;
      return { media: second.playlist, bytes: first.bytes + second.bytes };
    } catch (error) {
      // Addresses of renditions expire: the next attempt begins at the master playlist, and so does this one.
      this.#rendition = undefined;
      if (known === undefined || codeOf(error) === undefined || signal.aborted) throw error;
      return this.#media(signal);
    }
  }

  async #playlist(target: Target, signal: AbortSignal): Promise<{ playlist: Playlist; bytes: number }> {
    const reply = await this.#context.http.get({ target, signal });
    checkStatus(reply.status, target.host);
    const bytes = reply.transferBytes;
    if (bytes > MAX_PLAYLIST_BYTES)
      throw sourceError(
        'SOURCE_TOO_LARGE',
        `The playlist of ${target.host} has ${bytes} bytes, ${MAX_PLAYLIST_BYTES} are allowed.`,
        {
          host: target.host,
          bytes,
          maxBytes: MAX_PLAYLIST_BYTES,
        },
      );
    const { origin, path } = reply.target ?? target;
    return { playlist: parsePlaylist(reply.body.toString('utf8'), origin + path), bytes };
  }

  async #frameOf(segment: Segment, before: number, signal: AbortSignal): Promise<EncodedFrame> {
    const { clock } = this.#context;
    let received = before;
    const bytes = await this.#keyFrame(segment, signal, (more) => (received += more));
    const now = clock.now();
    const offset = segment.at === undefined ? undefined : segment.at - now;
    return { ...frameOf(bytes, now, received, offset), etag: tagOf(segment) };
  }

  /** Leaves as soon as the frame is there: the rest of the segment is not fetched. */
  async #keyFrame(segment: Segment, signal: AbortSignal, onBytes: (count: number) => void): Promise<Buffer> {
    const stop = new AbortController();
    const fetching = new AbortController();
    const { http, clock } = this.#context;
    const { decoders } = this.#streams;
    const now = (): number => clock.monotonic();
    const feed = new SegmentFeed({ decoders, signal: stop.signal, now, onEnough: () => fetching.abort() });
    const withdraw = onAbort(signal, (reason) => (stop.abort(reason), fetching.abort(), feed.pictures.end(reason)));
    const patience = this.#deadline.ms;
    const began = now();
    const request = { http, target: (url: string) => this.#to(url), maxBytes: MAX_SEGMENT_BYTES, deadlineMs: patience };
    const reading = readSegment(segment, { ...request, signal: fetching.signal }, (bytes) => {
      onBytes(bytes.length);
      feed.push(bytes);
    }).then(
      () => feed.end(),
      (error: unknown) => feed.hasEnough || feed.pictures.end(error),
    );
    void overdue(this.#context.clock, stop.signal, () => began + patience + feed.queuedMs).then((isLate) => {
      if (!isLate) return;
      this.#deadline.missed();
      feed.pictures.end(stalled(this.#target.host, patience));
    });
    let isDone = false;
    try {
      for await (const picture of feed.pictures) {
        isDone = true;
        this.#deadline.came(now() - began - feed.queuedMs);
        return picture;
      }
      throw sourceError('SOURCE_ENDED', 'The newest segment of the stream holds no picture.');
    } finally {
      withdraw();
      stop.abort();
      fetching.abort();
      void reading.then(() => feed.close(isDone));
    }
  }

  #unchanged(etag: string, transferBytes: number): EncodedFrame {
    const fetchedAt = this.#context.clock.now();
    return {
      bytes: null,
      notModified: true,
      etag,
      fetchedAt,
      transferBytes,
      capturedAt: { at: fetchedAt, origin: 'fetch' },
    };
  }

  /** Credentials are the camera's: no other origin that a playlist names is told them. */
  #to(url: string): Target {
    const target = parseTarget(url);
    // The same object: what the camera asked for once is remembered for all of its addresses.
    if (this.#target.auth && target.origin === this.#target.origin) target.auth = this.#target.auth;
    return target;
  }
}

/** Names a segment; without its query, which is another for every request where addresses are signed. */
function tagOf({ sequence, url, range }: Segment): string {
  const digest = createHash('sha256').update(`${url.split('?')[0]} ${range?.offset ?? 0}`);
  return `"hls-${sequence}-${digest.digest('hex').slice(0, 16)}"`;
}
