import type { EncodedFrame } from '../../common/domain/frame.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { HttpClient } from './http.ts';
import type { Manners } from './manners.ts';
import type { EgressRule } from './egress.ts';
import type { Decoders } from './ffmpeg/decoders.ts';
import type { HostLimiter } from './host-limiter.ts';
import type { Credentials } from './target.ts';

export type { Credentials } from './target.ts';

/** Everything that gives pictures. */
export interface FrameSource {
  /** Least time between two pictures of `frames()`, ms; what comes in between is skipped uncopied. May be changed at any time. */
  minIntervalMs: number;
  /** Runs once and throws when it cannot go on; restarting it is somebody else's business. */
  frames(signal: AbortSignal): AsyncIterable<EncodedFrame>;
}

export interface FetchRequest {
  /** `session/camera/sequence`; told to the camera only when the option `attemptHeader` is on. */
  attemptId?: string;
  /** Of the last picture known: makes the request conditional. */
  etag?: string | undefined;
  lastModified?: string | undefined;
  signal?: AbortSignal;
}

/** A source that is asked: the scheduler decides when, and one call is one attempt. */
export interface PolledSource extends FrameSource {
  fetchOnce(request: FetchRequest): Promise<EncodedFrame>;
  /** Where pictures are wanted more often than this, `frames` costs less than asking each time, ms; absent: never. */
  readonly staysBelowMs?: number;
}

export type Transport = 'snapshot' | 'mjpeg' | 'file' | 'hls' | 'rtsp' | 'rtmp';

/** How to reach a camera. */
export interface SourceSpec {
  transport: Transport;
  url: string;
  credentials?: Credentials | undefined;
  /** See `FrameSource.minIntervalMs`; default 60 s for snapshots, 0 for the others. */
  minIntervalMs?: number;
  /** For the request that opens a stream: see `FetchRequest.attemptId`. */
  nextAttemptId?: (() => string) | undefined;
}

/** What every source of a worker thread shares. */
export interface SourceContext {
  http: HttpClient;
  clock: Clock;
  /** Send `X-Camfleet-Attempt`: for tests, where a simulated camera is the witness. */
  attemptHeader?: boolean;
  /** A stream that brings no picture for so long is given up, ms; where deadlines are learned, the first one. */
  stallMs?: number;
  /** Folders that `file:` URLs may point into. */
  fileRoots?: readonly string[];
  /** For the transports that ffmpeg decodes. */
  streams?: StreamContext;
}

/** What connections need that ffmpeg's relays make. The rule and the limiter are those of `http`. */
export interface StreamContext {
  egress: EgressRule;
  limiter: HostLimiter;
  manners?: Pick<Manners, 'mayAsk' | 'answered'>;
  decoders: Decoders;
  userAgent: string;
}
