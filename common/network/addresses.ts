import { isIP } from 'node:net';

/** An IP address as 4 or 16 bytes. An IPv4 address inside an IPv6 one (mapped, NAT64) is already unwrapped. */
export type Address = readonly number[];

export interface Range {
  readonly prefix: Address;
  readonly bits: number;
}

/** Parses any spelling that `net.isIP` knows, with or without zone; `undefined` for everything else. */
export function parseAddress(text: string): Address | undefined {
  const bare = text.split('%')[0] ?? '';
  const family = isIP(bare);
  if (family === 4) return bare.split('.').map(Number);
  return family === 6 ? unwrap(parseIPv6(bare)) : undefined;
}

function parseIPv6(text: string): number[] {
  // A dotted tail stands for the last two groups.
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const hex = dotted ? `${dotted[1]}${group(+dotted[2]!, +dotted[3]!)}:${group(+dotted[4]!, +dotted[5]!)}` : text;
  const [head = '', tail] = hex.split('::');
  const left = head ? head.split(':') : [];
  const right = tail ? tail.split(':') : [];
  const gap = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...gap, ...right].flatMap((word) => [parseInt(word, 16) >> 8, parseInt(word, 16) & 255]);
}

const group = (high: number, low: number): string => ((high << 8) | low).toString(16);

// IPv4-mapped, and NAT64, which is how a host without IPv4 reaches every IPv4 camera: both are judged as the IPv4 address.
const WRAPPERS: readonly Range[] = [
  { prefix: parseIPv6('::ffff:0:0'), bits: 96 },
  { prefix: parseIPv6('64:ff9b::'), bits: 96 },
];

function unwrap(address: number[]): number[] {
  return WRAPPERS.some((wrapper) => inRange(address, wrapper)) ? address.slice(12) : address;
}

const ISATAP_MARKS = [
  [0x00, 0x00, 0x5e, 0xfe],
  [0x02, 0x00, 0x5e, 0xfe],
];

/** The IPv4 address at which an ISATAP tunnel ends (RFC 5214: the last four bytes of its interface identifier). */
export function isatapTarget(address: Address): Address | undefined {
  if (address.length !== 16) return undefined;
  const isMarked = ISATAP_MARKS.some((mark) => mark.every((byte, i) => address[8 + i] === byte));
  return isMarked ? address.slice(12) : undefined;
}

/** Parses `10.0.0.0/8`, `fd00::/8` or a single address; `undefined` when it is none. */
export function parseRange(text: string): Range | undefined {
  const [base = '', length] = text.trim().split('/');
  const prefix = parseAddress(base);
  if (!prefix || (length !== undefined && !/^\d{1,3}$/.test(length))) return undefined;
  const bits = length === undefined ? prefix.length * 8 : Number(length);
  return bits <= prefix.length * 8 ? { prefix, bits } : undefined;
}

export function inRange(address: Address, { prefix, bits }: Range): boolean {
  if (address.length !== prefix.length) return false;
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (address[i] !== prefix[i]) return false;
  const rest = bits & 7;
  return rest === 0 || (address[whole]! ^ prefix[whole]!) >> (8 - rest) === 0;
}
