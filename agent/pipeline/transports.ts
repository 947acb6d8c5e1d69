import type { EncodedFrame } from '../../common/domain/frame.ts';
import type { Assignment } from '../../common/protocol/agent-link.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { sourceError } from '../sources/errors.ts';
import type { HostBreaker } from '../sources/host-breaker.ts';
import { createSource, isPolled } from '../sources/kinds.ts';
import type { FetchRequest, FrameSource, SourceContext } from '../sources/source.ts';
import { supervise } from '../sources/supervisor.ts';
import type { CameraPipeline } from './camera-pipeline.ts';
import type { Pace } from './pace.ts';

/** An MJPEG stream that is looked at less often than this is opened for each picture: reading it all the time would waste bandwidth. */
const CONTINUOUS_BELOW_MS = 10_000;

export interface Transport {
  kind: 'polled' | 'continuous';
  source: FrameSource;
}

/** `nextAttemptId` names the request that opens a stream. Throws `SOURCE_URL_INVALID` for a URL that this kind of source cannot use. */
export function transportOf(assignment: Assignment, context: SourceContext, nextAttemptId: () => string): Transport {
  const spec = { ...assignment.source, minIntervalMs: assignment.intervalMs, nextAttemptId };
  const source = createSource(spec, context);
  const staysBelowMs = isPolled(source) ? (source.staysBelowMs ?? 0) : CONTINUOUS_BELOW_MS;
  const continuous = assignment.intervalMs < staysBelowMs;
  return { kind: continuous ? 'continuous' : 'polled', source };
}

/** One picture at a time from either kind of source. */
export function takeOne(source: FrameSource, signal: AbortSignal): (request: FetchRequest) => Promise<EncodedFrame> {
  if (isPolled(source)) return (request) => source.fetchOnce(request);
  return async () => {
    for await (const frame of source.frames(signal)) return frame;
    throw sourceError('SOURCE_ENDED', 'The stream ended without a picture; check its URL.');
  };
}

export interface StreamRun {
  breaker: HostBreaker;
  clock: Clock;
  pace: Pace;
  waitMs: () => number;
  mustEnd: () => boolean;
  judge: (error: unknown) => void;
}

/**
 * Reads a stream for as long as the camera is this agent's: each picture is one attempt, and so is each time that the stream
 * breaks or cannot be opened.
 */
export async function runStream(
  source: FrameSource,
  pipeline: CameraPipeline,
  { pace, ...run }: StreamRun,
): Promise<void> {
  const { signal } = pipeline;
  const { host } = pipeline.camera.assignment;
  for await (const event of supervise(source, { host, signal, ...run })) {
    if (event.kind === 'failure') {
      pipeline.fail(event.error);
      continue;
    }
    source.minIntervalMs = pace.askedMs();
    await pipeline.receive(event.frame);
  }
}
