import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { CaptureWorker } from '../../../agent/pipeline/capture-worker.ts';
import type { FromWorker } from '../../../agent/pipeline/messages.ts';
import type { UndatedFragment } from '../../../agent/report/fragments.ts';
import type { CameraMemory } from '../../../common/domain/fragment.ts';
import type { Assignment, HostNews } from '../../../common/protocol/agent-link.ts';
import { startDnsServer } from '../../support/dns-server.ts';
import { eventually } from '../../support/eventually.ts';

const closers: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface CameraServer {
  url: string;
  port: number;
  /** Paths in the order in which they were asked for, with ms since the epoch. */
  asked: { path: string; at: number }[];
  mostAtOnce: number;
  since(at: number, path?: string): number;
}

/** A real web server of cameras; `answer` decides what a path says. */
async function serve(
  answer: (path: string, request: IncomingMessage, response: ServerResponse) => void,
  { host = '127.0.0.1', takesMs = 0 } = {},
): Promise<CameraServer> {
  let active = 0;
  const asked: CameraServer['asked'] = [];
  const state = { mostAtOnce: 0 };
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push({ path, at: Date.now() });
    state.mostAtOnce = Math.max(state.mostAtOnce, ++active);
    response.once('close', () => active--);
    setTimeout(() => answer(path, request, response), takesMs);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  closers.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return {
    ...{ url: `http://${host}:${port}`, port, asked },
    get mostAtOnce() {
      return state.mostAtOnce;
    },
    since: (at, path) => asked.filter((one) => one.at >= at && (path === undefined || one.path === path)).length,
  };
}

const picture = (response: ServerResponse): void =>
  void response.setHeader('content-type', 'image/jpeg').end('a picture');

/** The capture worker as its thread runs it, with what it says collected. */
class Bench {
  readonly worker: CaptureWorker;
  readonly fragments: UndatedFragment[] = [];
  readonly news: HostNews = { rests: [], addresses: [] };
  #answer: (() => void) | undefined;
  readonly stopped: { cameraId: number; memory: CameraMemory | null }[] = [];

  constructor(dnsServers: string[] = []) {
    this.worker = new CaptureWorker(
      {
        ...{ session: '11111111-1111-4111-8111-111111111111', attemptHeader: false, egressAllow: ['127.0.0.0/8'] },
        ...{ userAgent: 'test', timeoutMs: 2_000, maxBytes: 1e6, maxPixels: 1e6, concurrency: 64, pictureBytes: 1e6 },
        ...{ gate: { threshold: 4, maxAgeMs: 60_000, auditShare: 0 }, fileRoots: [], ffmpeg: null },
        ...(dnsServers.length > 0 && { dnsServers }),
      },
      (message) => this.#heard(message),
    );
    closers.push(() => this.worker.close());
  }

  start(...cameras: (Partial<Assignment> & { cameraId: number; url: string; held?: CameraMemory })[]): void {
    this.worker.handle({
      type: 'start',
      cameras: cameras.map(({ url, held, ...given }) => ({
        ...{ shardId: 1, token: 1, sequence: 0, memory: held ?? null },
        assignment: {
          ...{ name: url, source: { transport: 'snapshot', url }, host: new URL(url).hostname },
          ...{ intervalMs: 100, priority: 5, memory: null },
          ...given,
        },
      })),
    });
  }

  async collect(): Promise<void> {
    const answered = new Promise<void>((resolve) => (this.#answer = resolve));
    this.worker.handle({ type: 'collect', id: 1 });
    await answered;
  }

  async until(what: string, is: () => boolean, withinMs = 10_000): Promise<void> {
    await eventually(async () => (await this.collect(), is()), { what, withinMs });
  }

  verdictsOf(id: number): string[] {
    return this.fragments.filter(({ cameraId }) => cameraId === id).map(({ verdict }) => verdict);
  }

  lastOf(id: number): UndatedFragment | undefined {
    return this.fragments.findLast(({ cameraId }) => cameraId === id);
  }

  #heard(message: FromWorker): void {
    if (message.type === 'stopped') this.stopped.push(message.camera);
    if (message.type !== 'collected') return;
    this.fragments.push(...message.fragments);
    this.news.rests.push(...message.hosts.rests);
    this.news.addresses.push(...message.hosts.addresses);
    this.#answer?.();
  }
}

test('one 429 with Retry-After keeps all cameras of the host away for that time, and nobody else', async () => {
  let busyUntil = Infinity;
  const busy = await serve((path, _, response) => {
    if (path !== '/busy.jpg' || Date.now() > busyUntil) return picture(response);
    busyUntil = Math.min(busyUntil, Date.now() + 500);
    response.writeHead(429, { 'retry-after': '3' }).end();
  });
  const other = await serve((_, __, response) => picture(response), { host: '127.0.0.2' });
  const bench = new Bench();
  bench.start({ cameraId: 2, url: `${busy.url}/well.jpg` }, { cameraId: 3, url: `${other.url}/well.jpg` });
  await bench.until('the well ones to be fetched', () => busy.asked.length > 0 && other.asked.length > 0);
  bench.start({ cameraId: 1, url: `${busy.url}/busy.jpg` });
  await bench.until('the rest to be news', () => bench.news.rests.length > 0);
  const [rest] = bench.news.rests;
  expect(rest).toMatchObject({ host: '127.0.0.1', kind: 'asked' });
  expect(rest!.until - Date.now()).toBeLessThan(3_000);
  const from = Date.now() + 100;
  await bench.until('most of the rest to pass', () => Date.now() > rest!.until - 300);
  expect(busy.since(from)).toBe(0);
  expect(other.since(from)).toBeGreaterThan(5);
  await bench.until(
    'both to be fetched again',
    () => busy.since(rest!.until, '/well.jpg') > 0 && busy.since(rest!.until, '/busy.jpg') > 0,
  );
  expect(bench.verdictsOf(2)).not.toContain('http_error');
  expect(bench.verdictsOf(1)).toContain('http_error');
});

test('a host that asked another agent for rest is not asked here, and what waits for it is nobody’s failure', async () => {
  const server = await serve((_, __, response) => picture(response));
  const bench = new Bench();
  const until = Date.now() + 1_500;
  bench.worker.handle({
    type: 'hosts',
    hosts: [{ host: '127.0.0.1', concurrency: 2, minDelayMs: 0, rest: { kind: 'asked', until } }],
  });
  bench.start({ cameraId: 1, url: `${server.url}/1.jpg` });
  await bench.until('the rest to pass', () => server.asked.length > 2);
  expect(server.asked[0]!.at).toBeGreaterThan(until - 50);
  expect(bench.fragments.every(({ verdict }) => verdict === bench.fragments[0]!.verdict)).toBe(true);
});

test('a camera that leads to a host that rests is put off until then, and its own host is left in peace', async () => {
  const resting = await serve((_, __, response) => picture(response), { host: '127.0.0.2' });
  const way = await serve(
    (_, __, response) => void response.writeHead(302, { location: `${resting.url}/x.jpg` }).end(),
  );
  const bench = new Bench();
  bench.start({ cameraId: 1, url: `${way.url}/way.jpg` });
  await bench.until('the way to be gone', () => resting.asked.length > 1);
  const until = Date.now() + 1_500;
  bench.worker.handle({ type: 'rests', rests: [{ host: '127.0.0.2', kind: 'asked', until }] });
  const from = Date.now() + 50;
  await bench.until('most of the rest to pass', () => Date.now() > until - 100);
  expect(resting.since(from)).toBe(0);
  // Where the way leads shows only once it is gone.
  expect(way.since(from)).toBeLessThanOrEqual(1);
  await bench.until('it to be fetched again', () => resting.since(until) > 0);
  const verdicts = bench.verdictsOf(1);
  expect(new Set(verdicts).size, verdicts.join()).toBe(1);
});

test('when all cameras of a host fail it is left alone as a whole, and others learn of it', async () => {
  const server = await serve((_, request) => request.socket.destroy());
  const bench = new Bench();
  const cameras = Array.from({ length: 8 }, (_, index) => ({
    ...{ cameraId: index + 1, url: `${server.url}/${index}.jpg`, intervalMs: 200 },
  }));
  bench.start(...cameras);
  await bench.until('the host to be left alone', () => bench.news.rests.length > 0);
  expect(bench.news.rests[0]).toMatchObject({ host: '127.0.0.1', kind: 'failing' });
  const from = Date.now() + 50;
  await bench.until('a little time to pass', () => Date.now() > from + 600);
  // Full jitter may have made it short: then one camera was tried.
  expect(server.since(from)).toBeLessThanOrEqual(bench.news.rests.length - 1);
});

test('after a failure that another agent found one camera is tried, and the others when it succeeded', async () => {
  const server = await serve((_, __, response) => picture(response), { takesMs: 400 });
  const bench = new Bench();
  const until = Date.now() + 500;
  const rest = { kind: 'failing', until } as const;
  const budget = { host: '127.0.0.1', concurrency: 8, minDelayMs: 0, rest };
  bench.worker.handle({ type: 'hosts', hosts: [budget] });
  const cameras = Array.from({ length: 6 }, (_, index) => ({
    ...{ cameraId: index + 1, url: `${server.url}/${index}.jpg`, intervalMs: 100 },
  }));
  bench.start(...cameras);
  await bench.until('all of them', () => new Set(server.asked.map(({ path }) => path)).size === 6, 15_000);
  const [first, second] = server.asked;
  expect(first!.at).toBeGreaterThan(until - 50);
  expect(second!.at - first!.at).toBeGreaterThan(350);
  expect(bench.news.rests.at(-1)).toMatchObject({ host: '127.0.0.1', kind: 'failing' });
  expect(bench.news.rests.at(-1)!.until).toBeLessThan(Date.now());
});

test('a camera that fails is asked ever less; the first success brings its interval back', async () => {
  let isWell = false;
  const server = await serve((_, __, response) => (isWell ? picture(response) : response.writeHead(404).end()));
  const bench = new Bench();
  bench.start({ cameraId: 1, url: `${server.url}/gone.jpg`, intervalMs: 50 });
  const began = Date.now();
  await bench.until('five failures', () => (bench.lastOf(1)?.memory.pace?.failures ?? 0) >= 5, 20_000);
  const { pace, lastAttemptAt } = bench.lastOf(1)!.memory;
  expect(pace!.retryAt! - lastAttemptAt).toBeLessThanOrEqual(50 * 2 ** (pace!.failures! - 2));
  expect(pace!.nextDueAt).toBe(pace!.retryAt);
  expect(server.asked.length).toBeLessThan((Date.now() - began) / 50);
  isWell = true;
  bench.worker.handle({ type: 'capture', cameraIds: [1] });
  await bench.until('it to be fetched', () => bench.lastOf(1)?.verdict !== 'http_error');
  const again = Date.now();
  await bench.until('its interval', () => server.since(again) >= 5);
  expect(bench.lastOf(1)!.memory.pace).not.toHaveProperty('failures');
});

test('what was learned of failures travels: a new holder waits for the same moment', async () => {
  const server = await serve((_, __, response) => picture(response));
  const bench = new Bench();
  const retryAt = Date.now() + 1_200;
  const held = { lastAttemptAt: Date.now() - 60_000, pace: { nextDueAt: retryAt, failures: 7, retryAt } };
  bench.start({ cameraId: 1, url: `${server.url}/1.jpg`, held });
  await bench.until('the first attempt', () => server.asked.length > 0);
  expect(server.asked[0]!.at).toBeGreaterThan(retryAt - 50);
});

test('a camera is fetched in its hours and not outside them', async () => {
  const server = await serve((_, __, response) => picture(response));
  const bench = new Bench();
  const minute = (offset: number) => new Date(Date.now() + offset * 60_000).toISOString().slice(11, 16);
  bench.start(
    { cameraId: 1, url: `${server.url}/open.jpg`, hours: { text: `${minute(-5)}-${minute(60)}`, zone: 'UTC' } },
    { cameraId: 2, url: `${server.url}/closed.jpg`, hours: { text: `${minute(60)}-${minute(120)}`, zone: 'UTC' } },
  );
  await bench.until('the open one', () => server.since(0, '/open.jpg') > 3);
  expect(server.since(0, '/closed.jpg')).toBe(0);
  expect(bench.verdictsOf(2)).toEqual([]);
  expect(bench.lastOf(1)!.memory.pace!.nextDueAt).toBeLessThan(Date.now() + 5_000);
});

test('what is taken down is not fetched, nor is what another camera redirects to', async () => {
  const server = await serve((path, _, response) => {
    if (path === '/way.jpg') return response.writeHead(302, { location: '/gone/3.jpg' }).end();
    return picture(response);
  });
  const bench = new Bench();
  bench.start(
    { cameraId: 1, url: `${server.url}/gone/1.jpg` },
    { cameraId: 2, url: `${server.url}/way.jpg` },
    { cameraId: 3, url: `${server.url}/stays.jpg` },
  );
  await bench.until('all three', () => [1, 2, 3].every((id) => bench.verdictsOf(id).length > 0));
  bench.worker.handle({
    type: 'takedowns',
    takedowns: [{ id: 1, kind: 'prefix', value: `${server.url}/gone/`, reason: 'asked by the owner' }],
  });
  const from = Date.now() + 100;
  await bench.until('the redirect to be refused', () => bench.lastOf(2)?.verdict === 'blocked');
  expect(bench.lastOf(2)!.evidence).toMatchObject({ reason: 'taken down: asked by the owner' });
  await bench.until('the third to go on', () => server.since(from, '/stays.jpg') > 5);
  expect([server.since(from, '/gone/1.jpg'), server.since(from, '/gone/3.jpg')]).toEqual([0, 0]);
});

test('two names of one address share one budget, and where names are is news once', async () => {
  const dns = await startDnsServer({ 'a.example.org': { a: ['127.0.0.1'] }, 'b.example.org': { a: ['127.0.0.1'] } });
  closers.push(() => dns.close());
  const server = await serve((_, __, response) => picture(response), { takesMs: 30 });
  const bench = new Bench([dns.server]);
  bench.worker.handle({ type: 'hosts', hosts: [{ host: 'a.example.org', concurrency: 1, minDelayMs: 20 }] });
  bench.start(
    ...Array.from({ length: 6 }, (_, index) => ({
      cameraId: index + 1,
      url: `http://${index % 2 === 0 ? 'a' : 'b'}.example.org:${server.port}/${index}.jpg`,
      host: 'a.example.org',
      intervalMs: 50,
    })),
  );
  await bench.until('twelve pictures', () => server.asked.length >= 12);
  expect(server.mostAtOnce).toBe(1);
  expect(dns.asked.toSorted()).toEqual(['a.example.org', 'b.example.org']);
  expect(bench.news.addresses.toSorted((x, y) => (x.host < y.host ? -1 : 1))).toEqual([
    { host: 'a.example.org', addresses: ['127.0.0.1'] },
    { host: 'b.example.org', addresses: ['127.0.0.1'] },
  ]);
});
