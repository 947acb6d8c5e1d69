import { expect, test } from 'vitest';
import { HostLimiter } from '../../../../agent/sources/host-limiter.ts';
import { SimulatedClock } from '../../../../common/runtime/clock.ts';

function setUp(concurrency: number, minDelayMs: number) {
  const clock = new SimulatedClock();
  const limiter = new HostLimiter({ clock, concurrency, minDelayMs });
  const started: string[] = [];
  const start = (name: string, host = 'h', signal?: AbortSignal) =>
    limiter.acquire(host, signal).then(() => void started.push(`${name}@${clock.monotonic()}`));
  return { clock, limiter, started, start };
}

test('no more requests than allowed run at once, and they come in the order in which they asked', async () => {
  const { clock, limiter, started, start } = setUp(2, 0);
  for (const name of ['a', 'b', 'c', 'd']) void start(name);
  await clock.advance(0);
  expect(started).toEqual(['a@0', 'b@0']);
  limiter.release('h');
  await clock.advance(0);
  await clock.advance(5);
  limiter.release('h');
  await clock.advance(0);
  expect(started).toEqual(['a@0', 'b@0', 'c@0', 'd@5']);
});

test('requests to one host keep their distance in time, loopback or not; other hosts do not wait', async () => {
  const { clock, limiter, started, start } = setUp(10, 100);
  for (const name of ['a', 'b', 'c']) void start(name, '127.0.0.1');
  void start('x', '127.0.0.2');
  await clock.advance(0);
  await clock.advance(99);
  expect(started).toEqual(['a@0', 'x@0']);
  await clock.advance(201);
  expect(started).toEqual(['a@0', 'x@0', 'b@100', 'c@200']);
  expect(limiter.tryAcquire('127.0.0.1')).toBe(true);
});

test('whoever is aborted while waiting leaves the queue, and the next one takes the turn', async () => {
  const { clock, limiter, started, start } = setUp(1, 0);
  const lease = new AbortController();
  void start('a');
  const waiting = start('b', 'h', lease.signal);
  void start('c');
  lease.abort(new Error('lease gone'));
  await expect(waiting).rejects.toThrow('lease gone');
  await expect(start('d', 'h', lease.signal)).rejects.toThrow('lease gone');
  limiter.release('h');
  await clock.advance(0);
  expect(started).toEqual(['a@0', 'c@0']);
});

test('a host’s own budget takes effect at once and can be taken back', async () => {
  const { clock, limiter, started, start } = setUp(1, 0);
  for (const name of ['a', 'b', 'c']) void start(name);
  limiter.setBudget('h', { concurrency: 3, minDelayMs: 0 });
  await clock.advance(0);
  expect(started).toHaveLength(3);
  limiter.setBudget('h', undefined);
  limiter.release('h');
  limiter.release('h');
  expect(limiter.tryAcquire('h')).toBe(false);
});

test('100,000 hosts that were asked once take no memory afterwards', async () => {
  const { clock, limiter } = setUp(2, 50);
  for (let i = 0; i < 100_000; i++) {
    await limiter.acquire(`host-${i}`);
    limiter.release(`host-${i}`);
    if (i % 1_000 === 0) await clock.advance(100);
  }
  await clock.advance(100);
  await limiter.acquire('last');
  expect(limiter.size).toBeLessThan(3_000);
});

test('300 requests waiting under one lease share one listener', async () => {
  const { limiter } = setUp(1, 0);
  const lease = new AbortController();
  const warnings: unknown[] = [];
  const onWarning = (warning: unknown): void => void warnings.push(warning);
  process.on('warning', onWarning);
  const waiting = Array.from({ length: 300 }, () => limiter.acquire('h', lease.signal));
  lease.abort(new Error('gone'));
  const outcomes = await Promise.allSettled(waiting);
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', onWarning);
  expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(299);
  expect(warnings).toEqual([]);
});

test('two names of one host share its budget, also what was under way and what waited before that was known', async () => {
  const { clock, limiter, started, start } = setUp(2, 0);
  limiter.setBudget('one', { concurrency: 2, minDelayMs: 0 });
  for (const name of ['a', 'b', 'c']) void start(name, 'one');
  for (const name of ['x', 'y', 'z']) void start(name, 'two');
  await clock.advance(0);
  expect(started).toHaveLength(4);
  limiter.setKey('two', 'one');
  expect(limiter.size).toBe(1);
  limiter.release('two');
  limiter.release('one');
  await clock.advance(1);
  // Four were under way, two have ended: the budget of two is used up.
  expect(started).toHaveLength(4);
  limiter.release('two');
  limiter.release('one');
  await clock.advance(1);
  expect(started.slice(4)).toEqual(['c@2', 'z@2']);
  expect(limiter.tryAcquire('two')).toBe(false);
  limiter.release('one');
  limiter.release('two');
  await clock.advance(0);
  expect(limiter.size).toBe(0);
});

test('names that are no longer one host part with what each has under way', async () => {
  const { clock, limiter, started, start } = setUp(2, 0);
  limiter.setKey('two', 'one');
  void start('a', 'one');
  void start('x', 'two');
  void start('y', 'two');
  await clock.advance(0);
  expect(started).toEqual(['a@0', 'x@0']);
  limiter.setKey('two', undefined);
  await clock.advance(0);
  expect(started).toEqual(['a@0', 'x@0', 'y@0']);
  for (const host of ['two', 'two', 'one']) limiter.release(host);
  expect(limiter.size).toBe(0);
});

test('an IPv6 address is one host with and without its brackets', () => {
  const { limiter } = setUp(1, 0);
  expect([limiter.tryAcquire('[::1]'), limiter.tryAcquire('::1')]).toEqual([true, false]);
  limiter.release('[::1]');
  expect(limiter.size).toBe(0);
});
