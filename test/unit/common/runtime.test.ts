import { expect, test } from 'vitest';
import { SimulatedClock } from '../../../common/runtime/clock.ts';
import { redact } from '../../../common/runtime/redact.ts';
import { backoffMs } from '../../../common/runtime/retry.ts';
import { ShutdownStack } from '../../../common/runtime/service.ts';

test.each([
  ['http://root:hunter2@10.0.0.1/axis-cgi/mjpg/video.cgi', 'hunter2'],
  ['rtsp://admin:p%40ss@cam.example:554/live', 'p%40ss'],
  ['GET http://cam/snapshot.cgi?user=admin&pwd=secret1&x=1', 'secret1'],
  ['{"authorization":"Bearer abcdefghijkl"}', 'abcdefghijkl'],
  ['Authorization: Basic cm9vdDpwYXNz', 'cm9vdDpwYXNz'],
])('no credential of %s survives the redactor', (text, secret) => {
  const clean = redact(text);
  expect(clean).not.toContain(secret);
  expect(redact(clean)).toBe(clean);
});

test('back-off has full jitter, doubles and stops at its ceiling', () => {
  const policy = { firstMs: 100, ceilingMs: 1_000 };
  expect(backoffMs(policy, 0, () => 0)).toBe(100);
  expect(backoffMs(policy, 2, () => 0)).toBe(400);
  expect(backoffMs(policy, 20, () => 0)).toBe(1_000);
  expect(backoffMs(policy, 20, () => 0.999)).toBeGreaterThan(0);
});

test('a simulated clock wakes sleepers in the order in which they fall due', async () => {
  const clock = new SimulatedClock();
  const woken: string[] = [];
  void clock.sleep(20).then(() => woken.push('b'));
  void clock.sleep(10).then(() => woken.push('a'));
  await clock.advance(15);
  expect(woken).toEqual(['a']);
  await clock.advance(15);
  expect(woken).toEqual(['a', 'b']);
});

test('a shutdown stack stops in reverse and goes on past a failure', async () => {
  const stopped: string[] = [];
  const stack = new ShutdownStack();
  stack.defer('first', () => stopped.push('first'));
  stack.defer('broken', () => {
    throw new Error('no');
  });
  stack.defer('last', () => stopped.push('last'));
  await stack.stop();
  expect(stopped).toEqual(['last', 'first']);
});
