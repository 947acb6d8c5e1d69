import type { CapturedAt, EncodedFrame } from '../../common/domain/frame.ts';
import { sleepUnder } from './abort-groups.ts';
import { sourceError } from './errors.ts';
import { exifInstant } from './exif.ts';
import { header } from './exchange.ts';
import type { Reply } from './exchange.ts';
import { SCENE_HEADER, sceneLabelIn } from './scene-label.ts';
import type { FetchRequest, PolledSource, SourceContext, SourceSpec } from './source.ts';
import { parseTarget } from './target.ts';
import type { Target } from './target.ts';

const DEFAULT_INTERVAL_MS = 60_000;
// A validator is sent back as it came, so it has to be a legal header value; the length keeps a camera's memory small.
const SENDABLE = /^[\x20-\x7e]{1,128}$/;

/** A camera with a URL that answers with its current picture. */
export class SnapshotSource implements PolledSource {
  minIntervalMs: number;
  readonly #context: SourceContext;
  readonly #target: Target;

  constructor(spec: SourceSpec, context: SourceContext) {
    this.#context = context;
    this.minIntervalMs = spec.minIntervalMs ?? DEFAULT_INTERVAL_MS;
    this.#target = parseTarget(spec.url, spec.credentials);
  }

  /** One attempt. Throws the `SOURCE_…` codes of errors.ts; with `etag` or `lastModified` a 304 comes back as `notModified`. */
  async fetchOnce(request: FetchRequest): Promise<EncodedFrame> {
    const reply = await this.#context.http.get({
      target: this.#target,
      headers: this.#headers(request),
      signal: request.signal,
    });
    const conditional = request.etag !== undefined || request.lastModified !== undefined;
    if (reply.status === 304 && conditional) return frameOf(reply, null);
    checkStatus(reply.status, this.#target.host);
    return frameOf(reply, reply.body);
  }

  async *frames(signal: AbortSignal): AsyncGenerator<EncodedFrame> {
    let last: EncodedFrame | undefined;
    for (;;) {
      const frame = await this.fetchOnce({ etag: last?.etag, lastModified: last?.lastModified, signal });
      last = frame.notModified ? last : frame;
      yield frame;
      await sleepUnder(this.#context.clock, this.minIntervalMs, signal);
    }
  }

  #headers(request: FetchRequest): string[] {
    const headers: string[] = [];
    if (request.etag !== undefined) headers.push('if-none-match', request.etag);
    else if (request.lastModified !== undefined) headers.push('if-modified-since', request.lastModified);
    if (this.#context.attemptHeader && request.attemptId) headers.push('x-camfleet-attempt', request.attemptId);
    return headers;
  }
}

/** Throws for every status that brings no picture. */
export function checkStatus(status: number, host: string): void {
  if (status >= 200 && status < 300) return;
  const facts = { host, httpStatus: status };
  if (status === 401 || status === 403)
    throw sourceError('SOURCE_UNAUTHORIZED', `${host} answers ${status}; enter the camera's credentials.`, facts);
  throw sourceError('SOURCE_HTTP_ERROR', `${host} answers ${status} instead of a picture; check the path.`, facts);
}

// Date counts seconds and is written before the answer travels.
const CLOCK_SLACK_MS = 5_000;

/**
 * An instant that the camera told, by our clock. Where the camera's own clock is wrong its Date is wrong by as much, so that
 * their difference is the picture's age. What lies in the future is worth nothing.
 */
function byOurClock(told: number, date: number, fetchedAt: number): number | undefined {
  const clockError = Math.abs(date - fetchedAt) > CLOCK_SLACK_MS ? date - fetchedAt : 0;
  const at = told - clockError;
  return at > 0 && at <= fetchedAt ? at : undefined;
}

function capturedAt({ rawHeaders, fetchedAt }: Reply, frame: EncodedFrame): CapturedAt {
  const date = (): number => Date.parse(header(rawHeaders, 'date') ?? '');
  if (frame.lastModified !== undefined) {
    const at = byOurClock(Date.parse(frame.lastModified), date(), fetchedAt);
    if (at !== undefined) return { at, origin: 'header' };
  }
  const stamp = frame.bytes ? exifInstant(frame.bytes) : undefined;
  const at = stamp === undefined ? undefined : byOurClock(stamp, date(), fetchedAt);
  return at === undefined ? { at: fetchedAt, origin: 'fetch' } : { at, origin: 'exif' };
}

function frameOf(reply: Reply, bytes: Buffer | null): EncodedFrame {
  const frame: EncodedFrame = {
    bytes,
    notModified: bytes === null,
    fetchedAt: reply.fetchedAt,
    transferBytes: reply.transferBytes,
  };
  const contentType = header(reply.rawHeaders, 'content-type');
  const etag = header(reply.rawHeaders, 'etag');
  const lastModified = header(reply.rawHeaders, 'last-modified');
  const sceneLabel = sceneLabelIn(header(reply.rawHeaders, SCENE_HEADER));
  if (contentType !== undefined) frame.contentType = contentType;
  if (sceneLabel !== undefined) frame.sceneLabel = sceneLabel;
  if (etag !== undefined && SENDABLE.test(etag)) frame.etag = etag;
  if (lastModified !== undefined && SENDABLE.test(lastModified)) frame.lastModified = lastModified;
  frame.capturedAt = capturedAt(reply, frame);
  return frame;
}
