import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { mkdtemp, rm } from 'node:fs/promises';
import { afterEach, expect, test } from 'vitest';
import { DnsCache } from '../../../agent/sources/dns-cache.ts';
import type { DnsCacheOptions } from '../../../agent/sources/dns-cache.ts';
import { EgressRule } from '../../../agent/sources/egress.ts';
import { parseHosts } from '../../../agent/sources/hosts-file.ts';
import { HostLimiter } from '../../../agent/sources/host-limiter.ts';
import { HttpClient } from '../../../agent/sources/http.ts';
import { parseTarget } from '../../../agent/sources/target.ts';
import { SimulatedClock, systemClock } from '../../../common/runtime/clock.ts';
import { startDnsServer } from '../../support/dns-server.ts';
import type { DnsRecord } from '../../support/dns-server.ts';

const closers: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function setUp(records: Record<string, DnsRecord | undefined>, options: Partial<DnsCacheOptions> = {}) {
  const server = await startDnsServer(records);
  const clock = new SimulatedClock();
  const cache = new DnsCache({ clock, servers: [server.server], hostsFile: '/nonexistent', ...options });
  closers.push(
    () => server.close(),
    () => cache.close(),
  );
  const addresses = async (name: string) => (await cache.resolve(name)).map(({ address }) => address);
  return { server, clock, cache, addresses };
}

test('a name is asked for once in its TTL, whoever asks, and again after it', async () => {
  const { server, clock, addresses } = await setUp({ 'cam.example.org': { a: ['192.0.2.1', '192.0.2.2'], ttl: 30 } });
  const both = await Promise.all([addresses('cam.example.org'), addresses('CAM.example.org.')]);
  expect(both).toEqual([
    ['192.0.2.1', '192.0.2.2'],
    ['192.0.2.1', '192.0.2.2'],
  ]);
  await clock.advance(29_000);
  await addresses('cam.example.org');
  expect(server.asked).toEqual(['cam.example.org']);
  server.records.set('cam.example.org', { a: ['192.0.2.9'] });
  await clock.advance(2_000);
  expect(await addresses('cam.example.org')).toEqual(['192.0.2.9']);
  expect(server.asked).toHaveLength(2);
});

test('that a name does not exist is remembered for seconds only', async () => {
  const { server, clock, addresses } = await setUp({});
  for (let i = 0; i < 3; i++) await expect(addresses('gone.example.org')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  expect(server.asked).toHaveLength(1);
  server.records.set('gone.example.org', { a: ['192.0.2.3'] });
  await clock.advance(11_000);
  expect(await addresses('gone.example.org')).toEqual(['192.0.2.3']);
});

test('while no server answers, what was known lately still serves', async () => {
  const { server, clock, addresses } = await setUp({ 'cam.example.org': { a: ['192.0.2.1'], ttl: 10 } });
  await addresses('cam.example.org');
  server.records.set('cam.example.org', { code: 2 });
  await clock.advance(60_000);
  expect(await addresses('cam.example.org')).toEqual(['192.0.2.1']);
  await clock.advance(3_700_000);
  await expect(addresses('cam.example.org')).rejects.toMatchObject({ code: 'ESERVFAIL' });
});

test('what is remembered is bounded', async () => {
  const names = Array.from({ length: 30 }, (_, index) => `cam${index}.example.org`);
  const { cache, server, addresses } = await setUp(
    Object.fromEntries(names.map((name) => [name, { a: ['192.0.2.1'] }])),
    {
      maxNames: 10,
    },
  );
  for (const name of names) await addresses(name);
  expect(cache.size).toBe(10);
  await addresses(names[29]!);
  expect(server.asked).toHaveLength(30);
  await addresses(names[0]!);
  expect(server.asked).toHaveLength(31);
});

test('the hosts file comes first and is read again when it changes; localhost needs no server', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'camfleet-dns-'));
  closers.push(() => rm(folder, { recursive: true }));
  const hostsFile = join(folder, 'hosts');
  await writeFile(hostsFile, '# cameras\n::7 own.example.org\n192.0.2.7\town.example.org own # mine\n');
  const { server, clock, addresses } = await setUp({}, { hostsFile });
  expect(await addresses('own.example.org')).toEqual(['192.0.2.7', '::7']);
  expect(await addresses('own')).toEqual(['192.0.2.7']);
  expect(await addresses('localhost')).toEqual(['127.0.0.1', '::1']);
  expect(await addresses('192.0.2.99')).toEqual(['192.0.2.99']);
  await writeFile(hostsFile, '192.0.2.8 own.example.org somewhere.else.example.org');
  await clock.advance(11_000);
  expect(await addresses('own.example.org')).toEqual(['192.0.2.8']);
  expect(server.asked).toEqual([]);
  expect(parseHosts('not an address\n\n127.0.0.1').size).toBe(0);
});

test('slow servers starve nobody: files are read at once while 60 names wait for their answers', async () => {
  const names = Array.from({ length: 60 }, (_, index) => `slow${index}.example.org`);
  const { addresses } = await setUp(
    Object.fromEntries(names.map((name) => [name, { a: ['192.0.2.1'], delayMs: 1_000 }])),
  );
  let answered = 0;
  const all = Promise.all(names.map((name) => addresses(name).then(() => answered++)));
  // The thread pool has four threads; a lookup by getaddrinfo would occupy one for each answer.
  for (let read = 0; read < 8; read++) await readFile(new URL(import.meta.url));
  expect(answered).toBe(0);
  await all;
  expect(answered).toBe(60);
});

test('a connection falls back to the next address of a name, and every address is judged', async () => {
  const web = createServer((_, response) => response.end('picture'));
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.2', resolve));
  closers.push(() => new Promise((resolve) => web.close(resolve)));
  const { port } = web.address() as AddressInfo;
  const { cache } = await setUp(
    { 'cam.example.org': { a: ['127.0.0.1', '127.0.0.2'] }, 'inside.example.org': { a: ['10.0.0.1'] } },
    { clock: systemClock },
  );
  const http = new HttpClient({
    egress: new EgressRule({ allow: ['127.0.0.0/8'], lookup: cache.lookup }),
    limiter: new HostLimiter({ clock: systemClock, concurrency: 5, minDelayMs: 0 }),
    clock: systemClock,
    userAgent: 'test',
  });
  closers.push(() => http.close());
  const reply = await http.get({ target: parseTarget(`http://cam.example.org:${port}/`) });
  expect(reply.body.toString()).toBe('picture');
  await expect(http.get({ target: parseTarget(`http://inside.example.org:${port}/`) })).rejects.toMatchObject({
    code: 'SOURCE_BLOCKED',
  });
  await expect(http.get({ target: parseTarget(`http://nowhere.example.org:${port}/`) })).rejects.toMatchObject({
    code: 'SOURCE_DNS',
  });
});
