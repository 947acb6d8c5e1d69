import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NoticeItem } from '../../../../common/protocol/notifications.ts';
import { isDue } from '../../../../coordinator/results/notifications/messages.ts';
import { compose, harmless } from '../../../../coordinator/results/notifications/words.ts';

const item = (given: Partial<NoticeItem> = {}): NoticeItem => ({
  ...{ event: 'incident', id: 7, kind: 'host', name: 'one.example', state: 'offline', verdict: 'timeout', cameras: 2 },
  ...{ since: Date.UTC(2026, 2, 1, 12), until: null, now: null },
  reason: '2 cameras of host one.example bring no picture: no answer in time.',
  examples: [
    { id: 1, name: 'Harbour' },
    { id: 2, name: 'Bridge' },
  ],
  ...given,
});
const ended = (now: Record<string, number>): NoticeItem =>
  item({ until: Date.UTC(2026, 2, 1, 13), now, reason: 'Host one.example is no longer offline.' });
const parts: Parameters<typeof compose>[0] = {
  rule: 'night',
  began: [],
  ended: [],
  unlisted: { began: 0, ended: 0 },
  passed: 0,
};

describe('a message', () => {
  test('says in its subject what began, and how much more', () => {
    const subjectOf = (given: Partial<typeof parts>) => compose({ ...parts, ...given }).subject;
    expect(subjectOf({ began: [item()] })).toBe('2 cameras of host one.example bring no picture');
    expect(subjectOf({ began: [item(), item()], ended: [ended({ online: 2 })] })).toBe(
      '2 cameras of host one.example bring no picture (and 1 more, 1 over)',
    );
    expect(subjectOf({ ended: [ended({ online: 2 })] })).toBe('Well again: host one.example');
    expect(subjectOf({ ended: [ended({ paused: 2 })] })).toBe('Over: host one.example');
    expect(subjectOf({ ended: [ended({ online: 1, frozen: 1 }), ended({})] })).toBe(
      'Over: host one.example and 1 more',
    );
  });

  test('lists what it can and counts the rest', () => {
    const { text } = compose({ ...parts, began: [item({ cameras: 9 })], unlisted: { began: 3, ended: 0 }, passed: 2 });
    expect(text).toBe(
      `Began:
- 2 cameras of host one.example bring no picture: no answer in time.
  (since 2026-03-01 12:00 UTC; incident 7; cameras Harbour (1), Bridge (2) and 7 more)
- and 3 more

2 more came and went before this message could be sent.

From camfleet, by the rule "night".
`,
    );
  });

  test('is one short line of subject and plain text whatever anything calls itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (name) => {
        const { subject, text } = compose({ ...parts, began: [item({ reason: name, examples: [{ id: 1, name }] })] });
        expect(subject).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}<>]/u);
        expect([...subject].length).toBeLessThanOrEqual(150);
        expect(text).not.toMatch(/[\p{Cf}\p{Zl}\p{Zp}<>\r]/u);
        expect(text.split('\n')).toHaveLength(6);
      }),
    );
    expect(harmless('a\r\n\tb <i>')).toBe('a b ‹i›');
  });
});

describe('a rule speaks', () => {
  const pending = { ...{ ruleId: 1, rule: 'r', windowMs: 30_000, perHour: 2, hours: null, timeZone: 'UTC' }, sent: 0 };
  // A Sunday.
  const since = Date.UTC(2026, 2, 1, 12);

  test('when its window is over', () => {
    expect(isDue({ ...pending, since, now: since + 29_999 })).toBe(false);
    expect(isDue({ ...pending, since, now: since + 30_000 })).toBe(true);
  });

  test('no more often than it may in an hour', () => {
    expect(isDue({ ...pending, since, now: since + 60_000, sent: 1 })).toBe(true);
    expect(isDue({ ...pending, since, now: since + 60_000, sent: 2 })).toBe(false);
  });

  test('in its hours, by its own zone', () => {
    const hours = 'Su 12:00-13:00';
    expect(isDue({ ...pending, since, now: since + 60_000, hours })).toBe(true);
    expect(isDue({ ...pending, since, now: since + 3_600_000, hours })).toBe(false);
    expect(isDue({ ...pending, since, now: since + 60_000, hours, timeZone: 'Europe/Berlin' })).toBe(false);
  });
});
