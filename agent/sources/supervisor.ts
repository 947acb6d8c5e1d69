import type { EncodedFrame } from '../../common/domain/frame.ts';
import type { Judgement } from '../../common/domain/verdict.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { backoffMs } from '../../common/runtime/retry.ts';
import type { BackoffPolicy } from '../../common/runtime/retry.ts';
import { sleepUnder } from './abort-groups.ts';
import { verdictOfSourceError } from './errors.ts';
import type { HostBreaker } from './host-breaker.ts';
import type { FrameSource } from './source.ts';

export type SupervisedEvent =
  | { kind: 'frame'; frame: EncodedFrame }
  /** One run of the source ended; it is started again after `retryInMs`. */
  | { kind: 'failure'; judgement: Judgement; error: unknown; at: number; retryInMs: number };

export interface SupervisorOptions {
  /** The camera's host without port; trouble is counted by it. */
  host: string;
  breaker: HostBreaker;
  /** Tells the breaker whose failure this is; default: the host's. */
  judge?: (error: unknown) => void;
  /** How long the source must not be started from now, ms, whatever the reason. */
  waitMs?: () => number;
  /** Whether it must not run on; looked at after each picture. */
  mustEnd?: () => boolean;
  clock: Clock;
  signal: AbortSignal;
  policy?: BackoffPolicy;
  random?: () => number;
}

// A camera that restarts takes about half a minute, and is soon noticed; one that is dead for a day is asked once an hour.
const DEFAULT_POLICY: BackoffPolicy = { firstMs: 1_000, ceilingMs: 3_600_000 };
/** Whoever waits for long looks again from time to time, because what it waits for may be called off. */
const MOST_REST_MS = 60_000;

/**
 * Keeps a continuous source running until the signal aborts: restarts it with full jitter and a ceiling, and leaves a host
 * alone whose breaker is open. A picture resets the back-off. Ends quietly on abort.
 */
export async function* supervise(
  source: FrameSource,
  {
    host,
    breaker,
    judge = () => breaker.failed(host),
    waitMs = () => 0,
    mustEnd = () => false,
    clock,
    signal,
    policy = DEFAULT_POLICY,
    random,
  }: SupervisorOptions,
): AsyncGenerator<SupervisedEvent> {
  let failures = 0;
  while (!signal.aborted) {
    const alone = waitMs() || breaker.waitMs(host);
    if (alone > 0) {
      if (!(await rest(clock, Math.min(alone, MOST_REST_MS), signal))) return;
      continue;
    }
    let failure: unknown;
    let settled = false;
    let closed = false;
    try {
      for await (const frame of source.frames(signal)) {
        failures = 0;
        settled = true;
        breaker.succeeded(host);
        yield { kind: 'frame', frame };
        if ((closed = mustEnd())) break;
      }
    } catch (error) {
      failure = error;
    } finally {
      // Also when the reader left the loop: whoever waits for this attempt to decide must not wait for ever.
      if (!settled && failure === undefined) breaker.abandoned(host);
    }
    if (signal.aborted) return breaker.abandoned(host);
    if (closed) continue;
    judge(failure);
    const retryInMs = backoffMs(policy, failures++, random);
    yield { kind: 'failure', judgement: verdictOfSourceError(failure), error: failure, at: clock.now(), retryInMs };
    if (!(await rest(clock, retryInMs, signal))) return;
  }
}

/** `false` when the signal aborted meanwhile. */
async function rest(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleepUnder(clock, ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return !signal.aborted;
}
