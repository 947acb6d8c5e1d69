import type { LookupAddress } from 'node:dns';
import { describe, expect, test } from 'vitest';
import { EgressRule } from '../../../../agent/sources/egress.ts';
import type { Lookup } from '../../../../agent/sources/egress.ts';

const rule = new EgressRule();

describe('addresses that are nobody else’s are refused', () => {
  test.each([
    ['127.0.0.1', 'loopback'],
    ['127.255.3.4', 'loopback'],
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'unspecified'],
    ['10.1.2.3', 'private'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.1.1', 'private'],
    ['100.64.0.1', 'carrier-grade NAT'],
    ['100.127.255.255', 'carrier-grade NAT'],
    ['169.254.169.254', 'link-local'],
    ['192.0.0.1', 'reserved'],
    ['192.0.2.5', 'documentation'],
    ['198.51.100.5', 'documentation'],
    ['203.0.113.5', 'documentation'],
    ['192.88.99.1', '6to4 relay'],
    ['198.19.0.1', 'benchmarking'],
    ['224.0.0.1', 'multicast'],
    ['239.1.1.1', 'multicast'],
    ['240.0.0.1', 'reserved'],
    ['255.255.255.255', 'reserved'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
    ['fd12:3456::1', 'private'],
    ['ff02::1', 'multicast'],
    ['fec0::1', 'not public'],
    ['::127.0.0.1', 'not public'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:7f00:1', 'loopback'],
    ['0:0:0:0:0:ffff:a00:1', 'private'],
    ['64:ff9b::10.0.0.1', 'private'],
    ['64:ff9b::a9fe:a9fe', 'link-local'],
    ['64:ff9b:1::1', 'not public'],
    ['2002:7f00:1::', '6to4'],
    ['2001::1', 'reserved'],
    ['2001:db8::1', 'documentation'],
    ['3fff::1', 'documentation'],
    ['camera.example', 'not an address'],
  ])('%s: %s', (address, reason) => {
    expect(rule.reasonAgainst(address)).toBe(reason);
  });
});

test.each([
  '1.1.1.1',
  '172.15.255.255',
  '172.32.0.1',
  '100.63.255.255',
  '100.128.0.1',
  '192.167.255.255',
  '223.255.255.255',
  '2606:4700::1111',
  '2001:4860:4860::8888',
  '::ffff:8.8.8.8',
  '64:ff9b::8.8.8.8',
])('the public address %s is allowed', (address) => {
  expect(rule.reasonAgainst(address)).toBeUndefined();
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
