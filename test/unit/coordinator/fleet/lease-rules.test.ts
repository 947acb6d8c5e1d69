import { expect, test } from 'vitest';
import {
  isForgotten,
  decideAccept,
  firstTokenOf,
  incarnationAbove,
  isSilent,
  offerReason,
  renewalsWorkSinceAfter,
} from '../../../../common/protocol/lease-rules.ts';
import type { RenewalFacts } from '../../../../common/protocol/lease-rules.ts';

const ttlMs = 15_000;
const facts = (now: number, change: Partial<RenewalFacts> = {}): RenewalFacts => ({
  ...{ now, ttlMs, aliveAt: now, renewalsWorkSince: 0 },
  ...change,
});

test('a holder is silent after a TTL without a renewal, not before', () => {
  expect(isSilent(1_000, facts(16_000))).toBe(false);
  expect(isSilent(1_000, facts(16_001))).toBe(true);
});

test('after an outage every holder has a whole TTL to carry on', () => {
  const before = { aliveAt: 10_000, renewalsWorkSince: 0 };
  // During the outage, and before the first heartbeat after it, nobody is silent.
  expect(isSilent(9_000, facts(400_000, before))).toBe(false);
  const renewalsWorkSince = renewalsWorkSinceAfter(400_000, before);
  expect(isSilent(9_000, facts(414_000, { renewalsWorkSince }))).toBe(false);
  expect(isSilent(9_000, facts(415_001, { renewalsWorkSince }))).toBe(true);
});

test('heartbeats without a gap change nothing', () => {
  expect(renewalsWorkSinceAfter(12_000, { aliveAt: 11_000, renewalsWorkSince: 5 })).toBe(5);
});

test('a shard whose holder was heard again is not taken from it', () => {
  const holder = { sessionId: 'a', lastRenewedAt: 1_000 };
  const shard = { holder, plannedAsTakeover: true };
  expect(offerReason('b', shard, facts(20_000))).toBe('takeover');
  expect(offerReason('b', { ...shard, holder: { ...holder, lastRenewedAt: 19_000 } }, facts(20_000))).toBeUndefined();
  const offer = { sessionId: 'b', reason: 'takeover' as const, lapsesAt: 23_000 };
  expect(decideAccept('b', offer, holder, facts(21_000))).toBe('begin');
  expect(decideAccept('b', offer, { ...holder, lastRenewedAt: 20_500 }, facts(21_000))).toBe('lapsed');
  expect(decideAccept('b', offer, holder, facts(23_001))).toBe('lapsed');
});

test('a holder who is well goes on until the successor accepts', () => {
  const holder = { sessionId: 'a', lastRenewedAt: 19_000 };
  expect(offerReason('b', { holder, plannedAsTakeover: false }, facts(20_000))).toBe('handover');
  expect(offerReason('a', { holder, plannedAsTakeover: false }, facts(20_000))).toBeUndefined();
});

test('a new incarnation lies above every token that was reported, and an impossible report changes nothing', () => {
  expect(incarnationAbove(500, 0)).toBe(1);
  const reported = firstTokenOf(3) + 17;
  const next = incarnationAbove(reported, 1);
  expect(next).toBe(4);
  expect(firstTokenOf(next ?? 0)).toBeGreaterThan(reported);
  expect(incarnationAbove(Number.MAX_SAFE_INTEGER, 0)).toBeUndefined();
});

test('a grant that a renewal does not name ends, but never within a TTL of its beginning: the renewal may be older', () => {
  expect(isForgotten(1_000, 1_000 + 15_000, 15_000)).toBe(false);
  expect(isForgotten(1_000, 1_001 + 15_000, 15_000)).toBe(true);
});
