import { createSocket } from 'node:dgram';
import type { AddressInfo } from 'node:net';

export interface DnsRecord {
  a?: string[];
  aaaa?: string[];
  ttl?: number;
  /** What it answers from the second question for A on. */
  next?: DnsRecord;
  /** Of the answer, ms. */
  delayMs?: number;
  /** NXDOMAIN is 3, SERVFAIL 2. */
  code?: number;
}

export interface DnsServer {
  server: string;
  /** Names in the order in which they were asked for (A only). */
  readonly asked: string[];
  /** What it knows; another name does not exist. `undefined`: it does not answer at all. */
  records: Map<string, DnsRecord | undefined>;
  close(): Promise<void>;
}

/** A small DNS server on loopback: one question a packet, A and AAAA records, everything else is "no data". */
export async function startDnsServer(records: Record<string, DnsRecord | undefined>): Promise<DnsServer> {
  const socket = createSocket('udp4');
  const known = new Map(Object.entries(records));
  const asked: string[] = [];
  const timers = new Set<NodeJS.Timeout>();
  socket.on('message', (query, from) => {
    const { name, type } = questionOf(query);
    if (type === A) asked.push(name);
    const record = known.has(name) ? known.get(name) : { code: 3 };
    if (!record) return;
    if (type === A && record.next) known.set(name, record.next);
    const timer = setTimeout(() => {
      timers.delete(timer);
      socket.send(answerOf(query, record, type), from.port, from.address);
    }, record.delayMs ?? 0);
    timers.add(timer);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return {
    server: `127.0.0.1:${(socket.address() as AddressInfo).port}`,
    asked,
    records: known,
    close: async () => {
      for (const timer of timers) clearTimeout(timer);
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}

const A = 1;
const AAAA = 28;

function questionOf(query: Buffer): { name: string; type: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1) };
}

function answerOf(query: Buffer, { a = [], aaaa = [], ttl = 60, code = 0 }: DnsRecord, type: number): Buffer {
  let end = 12;
  while (query[end]! > 0) end += query[end]! + 1;
  end += 5;
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8180 | code, 2);
  header.writeUInt16BE(1, 4);
  const known = { [A]: a.map(bytesOfV4), [AAAA]: aaaa.map(bytesOfV6) }[type] ?? [];
  const addresses = code === 0 ? known : [];
  header.writeUInt16BE(addresses.length, 6);
  const answers = addresses.map((address) => {
    const answer = Buffer.alloc(12 + address.length);
    answer.writeUInt16BE(0xc00c, 0);
    answer.writeUInt16BE(type, 2);
    answer.writeUInt16BE(1, 4);
    answer.writeUInt32BE(ttl, 6);
    answer.writeUInt16BE(address.length, 10);
    answer.set(address, 12);
    return answer;
  });
  return Buffer.concat([header, query.subarray(12, end), ...answers]);
}

const bytesOfV4 = (text: string): number[] => text.split('.').map(Number);

function bytesOfV6(text: string): number[] {
  // The URL parser knows every spelling, and gives the one without a dotted tail.
  const [head = '', tail] = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::');
  const words = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const [left, right] = [words(head), words(tail ?? '')];
  const gap = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...gap, ...right].flatMap((word) => [parseInt(word, 16) >> 8, parseInt(word, 16) & 255]);
}
