import { expect, test } from 'vitest';
import { sourceError, verdictOfSourceError } from '../../../../agent/sources/errors.ts';
import { HostBreaker } from '../../../../agent/sources/host-breaker.ts';
import type { FrameSource } from '../../../../agent/sources/source.ts';
import { supervise } from '../../../../agent/sources/supervisor.ts';
import type { SupervisedEvent } from '../../../../agent/sources/supervisor.ts';
import type { EncodedFrame } from '../../../../common/domain/frame.ts';
import { AppError } from '../../../../common/runtime/errors.ts';
import { SimulatedClock } from '../../../../common/runtime/clock.ts';

const frame: EncodedFrame = { bytes: Buffer.from('x'), notModified: false, fetchedAt: 0, transferBytes: 1 };
const refused = () => sourceError('SOURCE_REFUSED', 'refused');

/** Each run gives so many frames and then breaks. */
function breaking(...runs: number[]): FrameSource & { runs: number } {
  return {
    minIntervalMs: 0,
    runs: 0,
    async *frames() {
      for (let left = runs[this.runs++] ?? 0; left > 0; left--) yield frame;
      throw refused();
    },
  };
}

function setUp(source: FrameSource, failures = 1_000) {
  const clock = new SimulatedClock();
  const lease = new AbortController();
  const breaker = new HostBreaker({ clock, failures, firstMs: 60_000, ceilingMs: 60_000, random: () => 0 });
  const events: SupervisedEvent[] = [];
  const done = (async () => {
    // random 0: always the whole of the jitter's span
    const options = {
      host: 'h',
      breaker,
      clock,
      signal: lease.signal,
      policy: { firstMs: 1_000, ceilingMs: 8_000 },
      random: () => 0,
    };
    for await (const event of supervise(source, options)) events.push(event);
  })();
  const waits = () => events.flatMap((event) => (event.kind === 'failure' ? [event.retryInMs] : []));
  return { clock, lease, breaker, events, done, waits };
}

test('a source that keeps failing is restarted ever later, up to the ceiling', async () => {
  const { clock, lease, done, waits } = setUp(breaking());
  await clock.advance(0);
  await clock.advance(38_000);
  expect(waits()).toEqual([1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000]);
  lease.abort();
  await done;
});

test('a picture resets the back-off, and failures carry their verdict', async () => {
  const { clock, lease, done, waits, events } = setUp(breaking(0, 0, 2, 0));
  await clock.advance(0);
  await clock.advance(3_500);
  expect(waits()).toEqual([1_000, 2_000, 1_000]);
  expect(events.filter(({ kind }) => kind === 'frame')).toHaveLength(2);
  expect(events[0]).toMatchObject({ kind: 'failure', judgement: { verdict: 'refused' }, at: 1_700_000_000_000 });
  lease.abort();
  await done;
});

test('the end of the lease ends it at once and quietly, also while it waits', async () => {
  const source = breaking();
  const { clock, lease, done } = setUp(source);
  await clock.advance(0);
  lease.abort(new Error('taken'));
  await done;
  await clock.advance(60_000);
  expect(source.runs).toBe(1);
});

test('a source that must not run is ended, waits, and runs again', async () => {
  const clock = new SimulatedClock();
  const lease = new AbortController();
  let closedUntil = 5_000;
  const source: FrameSource & { runs: number } = {
    minIntervalMs: 0,
    runs: 0,
    async *frames(signal) {
      this.runs++;
      for (;;) {
        await clock.sleep(1_000, signal);
        yield frame;
      }
    },
  };
  const breaker = new HostBreaker({ clock, failures: 1, firstMs: 60_000, ceilingMs: 60_000 });
  const waitMs = () => Math.max(0, closedUntil - clock.monotonic());
  const seen: number[] = [];
  const done = (async () => {
    for await (const event of supervise(source, {
      host: 'h',
      breaker,
      clock,
      signal: lease.signal,
      waitMs,
      mustEnd: () => waitMs() > 0,
    })) {
      expect(event.kind).toBe('frame');
      seen.push(clock.monotonic());
      if (seen.length === 2) closedUntil = 200_000;
    }
  })();
  await clock.advance(0);
  await clock.advance(202_500);
  expect([seen, source.runs]).toEqual([[6_000, 7_000, 201_000, 202_000], 2]);
  lease.abort();
  await done;
});

test('under a breaker a dead host is tried once a minute', async () => {
  const source = breaking();
  const { clock, lease, done } = setUp(source, 2);
  await clock.advance(0);
  for (let i = 0; i < 10; i++) await clock.advance(60_000);
  expect(source.runs).toBeGreaterThanOrEqual(9);
  expect(source.runs).toBeLessThanOrEqual(12);
  lease.abort();
  await done;
});

test('what no source would throw is an attempt that failed, and an abort is none', () => {
  expect(verdictOfSourceError(new TypeError('bug'))).toEqual({
    verdict: 'failed',
    evidence: { code: 'UNKNOWN', message: 'bug' },
  });
  expect(verdictOfSourceError(new AppError('ELSE', 'else')).verdict).toBe('failed');
  const abort = new DOMException('gone', 'AbortError');
  expect(() => verdictOfSourceError(abort)).toThrow(abort);
});
