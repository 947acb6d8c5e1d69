// Tries the whole table of egress where every address leads back to this machine; see namespace.ts. Prints what came of it.
import { systemClock } from '../../../common/runtime/clock.ts';
import { startDnsServer } from '../dns-server.ts';
import type { DnsRecord } from '../dns-server.ts';
import { agentThatAllows, WAY_NAMES, WAYS } from './attempts.ts';
import type { Outcome, TestAgent, Way } from './attempts.ts';
import { DETOURS, NAMES, OTHER_SCHEMES, ROWS, SPELLINGS } from './table.ts';
import { detourUrl, redirectUrl, segmentUrl, startWitness } from './witness.ts';
import type { Detour } from './witness.ts';

/** An outcome, and to which addresses connections were made. */
export type Seen = Outcome & { contacts: string[] };

/** What came of one row, by way or detour: under the default rule, and where the operator allows the row's range. */
export interface Tried {
  byDefault: Record<string, Seen>;
  allowed: Record<string, Seen>;
}

export interface Report {
  addresses: Record<string, Tried>;
  spellings: Record<string, Tried>;
  names: Record<string, Record<string, Seen[]>>;
  schemes: Record<string, Record<string, Seen>>;
}

/** Where cameras are that send others on: always allowed, and no row of the table. */
const CAMERA = '127.9.9.9';
const STREAMS: Way[] = ['snapshot', 'mjpeg', 'hls', 'rtsp', 'rtmp'];
/** Of the cache of names, whatever the server says. */
const TTL_MS = 6_000;

const witness = await startWitness();
const { port } = witness;
const dns = await startDnsServer({});
let passedMs = 0;
const clock = { ...systemClock, monotonic: () => performance.now() + passedMs };
const agent = (...allow: string[]): TestAgent => agentThatAllows([CAMERA, ...allow], { clock, dnsServer: dns.server });
const usual = agent();

async function seen(by: TestAgent, way: Way, url: string): Promise<Seen> {
  const outcome = await by.attempt(way, url);
  const contacts = (await witness.contacts()).filter((address) => address !== CAMERA);
  return { ...outcome, contacts: [...new Set(contacts)] };
}

const inUrl = (address: string): string => (address.includes(':') ? `[${address}]` : address);

function recordOf([first = [], ...rest]: readonly (readonly string[])[]): DnsRecord {
  const isV6 = (address: string): boolean => address.includes(':');
  const record = { a: first.filter((address) => !isV6(address)), aaaa: first.filter(isV6), ttl: 0 };
  return rest.length > 0 ? { ...record, next: recordOf(rest) } : record;
}

/** Straight, by a name that has this address, and behind each detour. */
async function everyWay(by: TestAgent, address: string, name: string): Promise<Record<string, Seen>> {
  const all: Record<string, Seen> = {};
  for (const way of WAY_NAMES) all[way] = await seen(by, way, WAYS[way].url(`${inUrl(address)}:${port}`));
  for (const way of STREAMS) all[`${way} by name`] = await seen(by, way, WAYS[way].url(`${name}:${port}`));
  for (const detour of Object.keys(DETOURS) as Detour[])
    all[detour] = await seen(by, DETOURS[detour], detourUrl(detour, CAMERA, inUrl(address), port));
  return all;
}

async function addresses(): Promise<Report['addresses']> {
  const all: Report['addresses'] = {};
  for (const [index, { address, reason, range }] of ROWS.entries()) {
    const name = `row${index}.example`;
    dns.records.set(name, recordOf([[address]]));
    const byDefault = await everyWay(usual, address, name);
    const open = agent(range);
    all[address] = { byDefault, allowed: reason === null ? {} : await everyWay(open, address, name) };
    await open.close();
  }
  return all;
}

async function spellings(): Promise<Report['spellings']> {
  const all: Report['spellings'] = {};
  for (const { host, means } of SPELLINGS) {
    const open = agent(means ?? '127.0.0.0/8');
    const tried: Tried = (all[host] = { byDefault: {}, allowed: {} });
    for (const way of WAY_NAMES) {
      const url = WAYS[way].url(`${host}:${port}`);
      tried.byDefault[way] = await seen(usual, way, url);
      tried.allowed[way] = await seen(open, way, url);
    }
    await open.close();
  }
  return all;
}

async function names(): Promise<Report['names']> {
  const all: Report['names'] = {};
  for (const { words, answers, contacts } of NAMES) {
    const byWay: Record<string, Seen[]> = (all[words] = {});
    for (const way of STREAMS) {
      const name = `${words.toLowerCase().replaceAll(/\W+/g, '-')}.${way}.example`;
      dns.records.set(name, recordOf(answers));
      byWay[way] = [];
      for (let i = 0; i < contacts.length; i++) {
        byWay[way].push(await seen(usual, way, WAYS[way].url(`${name}:${port}`)));
        passedMs += TTL_MS;
      }
    }
  }
  return all;
}

async function schemes(): Promise<Report['schemes']> {
  const all: Report['schemes'] = {};
  for (const url of OTHER_SCHEMES)
    all[url] = {
      'a redirect': await seen(usual, 'snapshot', redirectUrl(CAMERA, url, port)),
      'a redirected stream': await seen(usual, 'mjpeg', redirectUrl(CAMERA, url, port)),
      'a redirected playlist': await seen(usual, 'hls', redirectUrl(CAMERA, url, port)),
      'a segment': await seen(usual, 'hls', segmentUrl(CAMERA, url, port)),
    };
  return all;
}

const report: Report = {
  addresses: await addresses(),
  spellings: await spellings(),
  names: await names(),
  schemes: await schemes(),
};
await usual.close();
witness.close();
await dns.close();
console.log(JSON.stringify(report));
