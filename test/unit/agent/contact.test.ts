import { expect, test } from 'vitest';
import type { ProbeItem } from '../../../common/protocol/agent-link.ts';
import { ContactProbe, userAgentWith } from '../../../agent/probe/contact.ts';
import { loadAgentConfig } from '../../../config/load.ts';

test.each([
  [
    'camfleet/0.1 (public camera observation)',
    'ops@example.org',
    'camfleet/0.1 (public camera observation; ops@example.org)',
  ],
  [
    'camfleet/0.1 (public camera observation)',
    'https://example.org/us',
    'camfleet/0.1 (public camera observation; +https://example.org/us)',
  ],
  ['us/1', 'ops@example.org', 'us/1 (ops@example.org)'],
  ['us/1 (ops@example.org)', 'ops@example.org', 'us/1 (ops@example.org)'],
  ['us/1', null, 'us/1'],
])('%s with %s is %s', (agent, contact, whole) => {
  expect(userAgentWith(agent, contact)).toBe(whole);
});

test('the probe warns once, as soon as cameras of others are fetched without a contact', () => {
  const camera = (host: string, transport: 'snapshot' | 'file' = 'snapshot') => ({
    host,
    source: { transport, url: '' },
  });
  const items: ProbeItem[] = [];
  const probe = new ContactProbe(null, (item) => items.push(item));
  probe.saw([camera('127.0.0.7'), camera('localhost'), camera('::1'), camera('file', 'file')]);
  expect(items).toEqual([]);
  probe.saw([camera('127.0.0.7'), camera('cams.example.org')]);
  probe.saw([camera('cams.example.org')]);
  expect(items).toEqual([
    expect.objectContaining({ ok: false, mend: expect.stringContaining('egress.contact') as string }),
  ]);
  const good: ProbeItem[] = [];
  new ContactProbe('ops@example.org', (item) => good.push(item)).saw([camera('cams.example.org')]);
  expect(good).toEqual([expect.objectContaining({ ok: true })]);
});

test('a contact is a mail address or a page, and nothing that would break a header', () => {
  const load = (contact: string) => loadAgentConfig({ flags: { 'egress.contact': contact } }).config.egress.contact;
  expect([load('ops@example.org'), load('https://example.org/us?x=1'), load('')]).toEqual([
    'ops@example.org',
    'https://example.org/us?x=1',
    null,
  ]);
  for (const wrong of ['me', 'a@b (c)', 'x@y\r\nCookie: 1', 'ftp://example.org'])
    expect(() => load(wrong)).toThrow(/contact/);
});
