import type { LookupAddress } from 'node:dns';
import { expect, test } from 'vitest';
import { EgressRule } from '../../../../agent/sources/egress.ts';
import type { Lookup } from '../../../../agent/sources/egress.ts';
import { ROWS } from '../../../support/egress/table.ts';

const rule = new EgressRule();

test.each(ROWS)('$address: $reason', ({ address, reason, range }) => {
  expect(rule.reasonAgainst(address) ?? null).toBe(reason);
  if (reason !== null) expect(new EgressRule({ allow: [range] }).reasonAgainst(address)).toBeUndefined();
});

test.each(['camera.example', '', '127.0.0.1.', '0x7f000001', '[::1]', '127.0.0.1 '])('"%s" is no address', (text) => {
  expect(rule.reasonAgainst(text)).toBe('not an address');
});

test('an address with a zone is judged like one without', () => {
  expect(rule.reasonAgainst('fe80::1%eth0')).toBe('link-local');
  expect(new EgressRule({ allow: ['fe80::/10'] }).reasonAgainst('fe80::1%eth0')).toBeUndefined();
});

test('a range that the operator allows opens just that range, in every spelling of its addresses', () => {
  const opened = new EgressRule({ allow: ['127.0.1.0/24', 'fd00:1::/32', '10.9.8.7'] });
  const reasons = [
    '127.0.1.77',
    '::ffff:127.0.1.77',
    'fd00:1:2::3',
    '10.9.8.7',
    '127.0.2.1',
    'fd00:2::1',
    '10.9.8.6',
  ].map((a) => opened.reasonAgainst(a));
  expect(reasons).toEqual([undefined, undefined, undefined, undefined, 'loopback', 'private', 'private']);
});

test.each(['10.0.0.0/33', '10.0.0', 'fd00::/129', 'localhost', '10.0.0.0/x', ''])(
  '"%s" is no range, and the error says so',
  (text) => {
    expect(() => new EgressRule({ allow: [text] })).toThrow(expect.objectContaining({ code: 'EGRESS_RANGE_INVALID' }));
  },
);

const resolving = (...addresses: string[]): Lookup => {
  const found: LookupAddress[] = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  return (_hostname, _options, callback) => callback(null, found);
};

test('a name leads only to those of its addresses that are allowed', () => {
  let got: unknown;
  const mixed = new EgressRule({ lookup: resolving('10.0.0.1', '1.2.3.4', '::1') });
  mixed.lookup('camera.example', { all: true }, (_error, addresses) => (got = addresses));
  expect(got).toEqual([{ address: '1.2.3.4', family: 4 }]);
});

test('a name that leads inside is refused, with the address in the evidence', () => {
  let failure: unknown;
  const inside = new EgressRule({ lookup: resolving('169.254.169.254') });
  inside.lookup('metadata.example', { all: true }, (error) => (failure = error));
  expect(failure).toMatchObject({
    code: 'SOURCE_BLOCKED',
    details: { address: '169.254.169.254', reason: 'link-local' },
  });
});
