/**
 * What an agent may contact, row by row. Each row is tried over each way to fetch a camera, refused and, where the operator
 * allows its range, let through: test/integration/agent-egress/.
 */
export interface Row {
  /** As it stands in a camera's URL, in a DNS answer or in a redirect; an IPv6 address without brackets. */
  address: string;
  /** The word in the evidence; `null` for a public address. */
  reason: string | null;
  /** What the operator has to allow. */
  range: string;
  /** Nobody can connect to it (multicast, broadcast), not even where it is allowed. */
  unreachable?: boolean;
}

const row = (address: string, reason: string | null, range = address, unreachable = false): Row => ({
  address,
  reason,
  range,
  ...(unreachable && { unreachable }),
});

/** IPv4: IANA's special-purpose registry and multicast; first, last and well-known addresses of each range. */
export const IPV4 = [
  row('0.0.0.0', 'unspecified', '0.0.0.0/8'),
  row('0.1.2.3', 'unspecified', '0.0.0.0/8'),
  row('0.255.255.255', 'unspecified', '0.0.0.0/8'),
  row('10.0.0.0', 'private', '10.0.0.0/8'),
  row('10.1.2.3', 'private', '10.0.0.0/8'),
  row('10.255.255.255', 'private', '10.0.0.0/8'),
  row('100.64.0.0', 'carrier-grade NAT', '100.64.0.0/10'),
  row('100.100.100.200', 'carrier-grade NAT', '100.64.0.0/10'), // metadata service of Alibaba's cloud
  row('100.127.255.255', 'carrier-grade NAT', '100.64.0.0/10'),
  row('127.0.0.1', 'loopback', '127.0.0.0/8'),
  row('127.0.0.53', 'loopback', '127.0.0.0/8'), // systemd's resolver
  row('127.255.255.254', 'loopback', '127.0.0.0/8'),
  row('169.254.0.1', 'link-local', '169.254.0.0/16'),
  row('169.254.169.254', 'link-local', '169.254.0.0/16'), // metadata service of most clouds
  row('169.254.255.255', 'link-local', '169.254.0.0/16'),
  row('172.16.0.0', 'private', '172.16.0.0/12'),
  row('172.17.0.1', 'private', '172.16.0.0/12'), // Docker's host
  row('172.31.255.255', 'private', '172.16.0.0/12'),
  row('192.0.0.0', 'reserved', '192.0.0.0/24'),
  row('192.0.0.8', 'reserved', '192.0.0.0/24'), // dummy
  row('192.0.0.9', 'reserved', '192.0.0.0/24'), // anycast of port control
  row('192.0.0.171', 'reserved', '192.0.0.0/24'), // discovery of NAT64
  row('192.0.0.192', 'reserved', '192.0.0.0/24'), // metadata service of Oracle's cloud
  row('192.0.2.1', 'documentation', '192.0.2.0/24'),
  row('192.88.99.1', '6to4 relay', '192.88.99.0/24'),
  row('192.88.99.2', '6to4 relay', '192.88.99.0/24'),
  row('192.168.0.0', 'private', '192.168.0.0/16'),
  row('192.168.1.1', 'private', '192.168.0.0/16'),
  row('192.168.255.255', 'private', '192.168.0.0/16'),
  row('198.18.0.0', 'benchmarking', '198.18.0.0/15'),
  row('198.19.255.255', 'benchmarking', '198.18.0.0/15'),
  row('198.51.100.7', 'documentation', '198.51.100.0/24'),
  row('203.0.113.7', 'documentation', '203.0.113.0/24'),
  row('224.0.0.1', 'multicast', '224.0.0.0/4', true),
  row('239.255.255.250', 'multicast', '224.0.0.0/4', true), // search for devices of the neighbourhood
  row('240.0.0.0', 'reserved', '240.0.0.0/4'),
  row('255.255.255.254', 'reserved', '240.0.0.0/4'),
  row('255.255.255.255', 'reserved', '240.0.0.0/4', true),
];

/** IPv6: the same registry, and what was set aside before it. */
export const IPV6 = [
  row('::', 'unspecified'),
  row('::1', 'loopback'),
  row('64:ff9b:1::a00:1', 'local NAT64', '64:ff9b:1::/48'),
  row('64:ff9b:1:ffff:ffff:ffff:ffff:ffff', 'local NAT64', '64:ff9b:1::/48'),
  row('64:ff9b:2::1', 'not public'),
  row('100::', 'discarded', '100::/64'),
  row('100:0:0:1::1', 'discarded', '100:0:0:1::/64'),
  row('2001::1', 'Teredo', '2001::/32'),
  row('2001:0:4136:e378:8000:63bf:3fff:fdd2', 'Teredo', '2001::/32'),
  row('2001:1::1', 'reserved', '2001::/23'),
  row('2001:2::1', 'benchmarking', '2001:2::/48'),
  row('2001:3::1', 'reserved', '2001:3::/32'),
  row('2001:4:112::1', 'reserved', '2001:4:112::/48'),
  row('2001:10::1', 'reserved', '2001:10::/28'), // ORCHID
  row('2001:20::1', 'reserved', '2001:20::/28'), // ORCHID, version 2
  row('2001:30::1', 'reserved', '2001:30::/28'), // drones
  row('2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff', 'reserved', '2001::/23'),
  row('2001:db8::1', 'documentation', '2001:db8::/32'),
  row('2002:7f00:1::', '6to4', '2002::/16'), // 127.0.0.1
  row('2002:a00:1::1', '6to4', '2002::/16'), // 10.0.0.1
  row('2002:808:808::1', '6to4', '2002::/16'), // 8.8.8.8: relays are nobody's we know
  row('3fff::1', 'documentation', '3fff::/20'),
  row('3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff', 'documentation', '3fff::/20'),
  row('4000::1', 'not public'),
  row('5f00::1', 'segment routing', '5f00::/16'),
  row('fc00::1', 'private', 'fc00::/7'),
  row('fd00:ec2::254', 'private', 'fc00::/7'), // metadata service of Amazon's cloud
  row('fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'private', 'fc00::/7'),
  row('fe80::1', 'link-local', 'fe80::/10', true), // without a zone
  row('febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'link-local', 'fe80::/10', true),
  row('fec0::1', 'site-local', 'fec0::/10'),
  row('ff02::1', 'multicast', 'ff00::/8', true),
  row('ff0e::1', 'multicast', 'ff00::/8', true),
];

/** IPv4 inside IPv6: judged as the IPv4 address where it leads to it, else refused as what carries it. */
export const EMBEDDED = [
  row('::ffff:127.0.0.1', 'loopback', '127.0.0.0/8'),
  row('::ffff:7f00:1', 'loopback', '127.0.0.0/8'),
  row('0:0:0:0:0:ffff:0a00:0001', 'private', '10.0.0.0/8'),
  row('::ffff:169.254.169.254', 'link-local', '169.254.0.0/16'),
  row('::ffff:0.0.0.0', 'unspecified', '0.0.0.0/8'),
  row('64:ff9b::127.0.0.1', 'loopback', '127.0.0.0/8'),
  row('64:ff9b::10.0.0.1', 'private', '10.0.0.0/8'),
  row('64:ff9b::a9fe:a9fe', 'link-local', '169.254.0.0/16'),
  row('::127.0.0.1', 'IPv4-compatible'),
  row('::8.8.8.8', 'IPv4-compatible'),
  row('::ffff:0:127.0.0.1', 'IPv4-translated'),
  row('::ffff:0:8.8.8.8', 'IPv4-translated'),
  row('fe80::5efe:10.0.0.1', 'link-local', 'fe80::/10', true),
  row('2606:4700::5efe:10.0.0.1', 'ISATAP'),
  row('2606:4700::200:5efe:127.0.0.1', 'ISATAP'),
];

/** Public addresses, among them the neighbours of the ranges above. */
export const PUBLIC = [
  ...['1.0.0.0', '1.1.1.1', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255'],
  ...['128.0.0.1', '169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '191.255.255.255', '192.0.1.0'],
  ...['192.0.3.0', '192.31.196.1', '192.52.193.1', '192.88.98.255', '192.88.100.0', '192.167.255.255', '192.169.0.0'],
  ...['192.175.48.1', '198.17.255.255', '198.20.0.0', '198.51.99.255', '198.51.101.0', '203.0.112.255', '203.0.114.0'],
  ...['223.255.255.255', '2000::1', '2001:200::1', '2001:4860:4860::8888', '2001:db7:ffff::1', '2001:db9::1'],
  ...['2003::1', '2606:4700::1111', '2620:4f:8000::1', '3ffe:ffff::1', '3fff:1000::1', '::ffff:8.8.8.8'],
  ...['64:ff9b::8.8.8.8', '2606:4700::5efe:8.8.8.8'],
].map((address) => row(address, null));

export const ROWS: readonly Row[] = [...IPV4, ...IPV6, ...EMBEDDED, ...PUBLIC];

/** One address in other words. `host` is everything between `//` and the next slash, port excepted. */
export interface Spelling {
  host: string;
  /** Where it leads to; `null`: it is no URL at all. */
  means: string | null;
}

export const SPELLINGS: readonly Spelling[] = [
  { host: '2130706433', means: '127.0.0.1' },
  { host: '0x7f000001', means: '127.0.0.1' },
  { host: '0X7F.0X0.0X0.0X1', means: '127.0.0.1' },
  { host: '017700000001', means: '127.0.0.1' },
  { host: '0177.0.0.01', means: '127.0.0.1' },
  { host: '0x7f.1', means: '127.0.0.1' },
  { host: '127.1', means: '127.0.0.1' },
  { host: '127.0.1', means: '127.0.0.1' },
  { host: '127.0.0.1.', means: '127.0.0.1' },
  { host: '0', means: '0.0.0.0' },
  { host: '0x0', means: '0.0.0.0' },
  { host: '00000000000.0', means: '0.0.0.0' },
  { host: '167772161', means: '10.0.0.1' },
  { host: '012.0.0.1', means: '10.0.0.1' },
  { host: '0xA9FEA9FE', means: '169.254.169.254' },
  { host: '169.0xfe.43518', means: '169.254.169.254' },
  { host: '0300.0250.1.1', means: '192.168.1.1' },
  { host: '%31%32%37.0.0.1', means: '127.0.0.1' },
  { host: '127%2e0%2e0%2e1', means: '127.0.0.1' },
  { host: '１２７.０.０.１', means: '127.0.0.1' },
  { host: '①②⑦.⓪.⓪.①', means: '127.0.0.1' },
  { host: '127。0。0。1', means: '127.0.0.1' },
  { host: '8.8.8.8@127.0.0.1', means: '127.0.0.1' },
  { host: '8.8.8.8:80@127.0.0.1', means: '127.0.0.1' },
  { host: 'a@8.8.8.8@127.0.0.1', means: '127.0.0.1' },
  { host: '8.8.8.8%40@127.0.0.1', means: '127.0.0.1' },
  { host: 'localhost', means: '127.0.0.1' },
  { host: 'LOCALHOST', means: '127.0.0.1' },
  { host: 'localhost.', means: '127.0.0.1' },
  { host: 'camera.localhost', means: '127.0.0.1' },
  { host: '[::1]', means: '::1' },
  { host: '[0:0:0:0:0:0:0:1]', means: '::1' },
  { host: '[0000::0001]', means: '::1' },
  { host: '[::ffff:7f00:0001]', means: '127.0.0.1' },
  { host: '[0:0:0:0:0:FFFF:127.0.0.1]', means: '127.0.0.1' },
  { host: '256.0.0.1', means: null },
  { host: '127.0.0.1.1', means: null },
  { host: '0x7f.0.0.0x100', means: null },
  { host: '4294967296', means: null },
  { host: '[fe80::1%25lo]', means: null },
  { host: '[::1%lo]', means: null },
  { host: '[::127.0.0.0x1]', means: null },
  { host: '', means: null },
];

/** A name and what its server answers, one time after the other. */
export interface Naming {
  words: string;
  answers: readonly (readonly string[])[];
  /** Whom the attempts contact, one after the other; a word is the reason of a refusal. */
  contacts: readonly string[];
}

export const NAMES: readonly Naming[] = [
  { words: 'a public address', answers: [['8.8.8.8']], contacts: ['8.8.8.8'] },
  { words: 'loopback', answers: [['127.0.0.1']], contacts: ['loopback'] },
  { words: 'loopback in IPv6', answers: [['::1']], contacts: ['loopback'] },
  { words: 'a mapped address', answers: [['::ffff:10.0.0.1']], contacts: ['private'] },
  { words: 'private and public', answers: [['10.0.0.1', '8.8.8.8']], contacts: ['8.8.8.8'] },
  { words: 'public and private', answers: [['8.8.8.8', '169.254.169.254']], contacts: ['8.8.8.8'] },
  { words: 'private, public in IPv6', answers: [['10.0.0.1', '2606:4700::1111']], contacts: ['2606:4700::1111'] },
  { words: 'several that lead inside', answers: [['192.168.1.1', 'fd00::1']], contacts: ['private'] },
  { words: 'public, then loopback', answers: [['8.8.8.8'], ['127.0.0.1']], contacts: ['8.8.8.8', 'loopback'] },
  { words: 'public, then both', answers: [['8.8.8.8'], ['127.0.0.1', '8.8.8.8']], contacts: ['8.8.8.8', '8.8.8.8'] },
  { words: 'loopback, then public', answers: [['127.0.0.1'], ['8.8.8.8']], contacts: ['loopback', '8.8.8.8'] },
];

/** Where a camera that may be contacted can send us, so that the row's address comes only behind it. */
export const DETOURS = {
  'a redirected snapshot': 'snapshot',
  'a redirected stream of pictures': 'mjpeg',
  'a redirected playlist': 'hls',
  'a redirected probe': 'probe',
  'the second of two redirects': 'snapshot',
  'a redirect without scheme': 'snapshot',
  'a rendition of a playlist': 'hls',
  'a segment of a playlist': 'hls',
  'a redirected segment': 'hls',
  'the key of a segment': 'hls',
  'the initialisation of a segment': 'hls',
} as const;

/** Where no redirect and no playlist may lead, whatever is allowed. */
export const OTHER_SCHEMES = [
  'file:///etc/passwd',
  'ftp://8.8.8.8/picture.jpg',
  'gopher://8.8.8.8:80/_GET',
  'data:image/jpeg;base64,/9j/',
  'rtsp://8.8.8.8/live',
  'rtmp://8.8.8.8/live/x',
  'concat:http://8.8.8.8/a|http://8.8.8.8/b',
  'crypto+http://8.8.8.8/a',
  'tcp://8.8.8.8:80',
  'pipe:0',
  'javascript:alert(1)',
  'http://',
  'http://[::1',
];
