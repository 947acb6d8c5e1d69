import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { afterEach, expect, test } from 'vitest';
import { EgressRule } from '../../../agent/sources/egress.ts';
import { verdictOfSourceError } from '../../../agent/sources/errors.ts';
import { HostLimiter } from '../../../agent/sources/host-limiter.ts';
import { HttpClient } from '../../../agent/sources/http.ts';
import type { HttpClientOptions } from '../../../agent/sources/http.ts';
import { createSource } from '../../../agent/sources/kinds.ts';
import type { PolledSource, SourceContext, SourceSpec } from '../../../agent/sources/source.ts';
import type { EncodedFrame } from '../../../common/domain/frame.ts';
import { systemClock } from '../../../common/runtime/clock.ts';

const closers: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function listen(server: Server | ReturnType<typeof createTcpServer>, host = '127.0.0.1'): Promise<number> {
  closers.push(() => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve(undefined)));
  });
  return new Promise((resolve) => server.listen(0, host, () => resolve((server.address() as AddressInfo).port)));
}

const serve = (listener: RequestListener): Promise<number> => listen(createServer(listener));

function client(options: Partial<HttpClientOptions> = {}): HttpClient {
  const http = new HttpClient({
    egress: new EgressRule({ allow: ['127.0.0.0/8', '::1'] }),
    limiter: new HostLimiter({ clock: systemClock, concurrency: 50, minDelayMs: 0 }),
    clock: systemClock,
    userAgent: 'camfleet-test (+https://example.org/contact)',
    ...options,
  });
  closers.push(() => http.close());
  return http;
}

function snapshot(
  url: string,
  options: Partial<HttpClientOptions> = {},
  extra: Partial<SourceSpec & SourceContext> = {},
) {
  const http = extra.http ?? client(options);
  const { credentials, attemptHeader = false } = extra;
  return createSource(
    { transport: 'snapshot', url, credentials },
    { http, clock: systemClock, attemptHeader },
  ) as PolledSource;
}

/** The verdict and evidence of an attempt that must fail. */
const failureOf = async (attempt: Promise<EncodedFrame>) =>
  attempt.then(
    () => expect.unreachable('the attempt should have failed'),
    (error: unknown) => verdictOfSourceError(error),
  );

test('a snapshot comes with its bytes, validators and times, over one kept connection', async () => {
  const sockets = new Set<unknown>();
  const headers: IncomingMessage['headers'][] = [];
  const port = await serve((request, response) => {
    sockets.add(request.socket);
    headers.push(request.headers);
    response.setHeader('etag', '"v1"').setHeader('last-modified', 'Tue, 09 Aug 2016 21:26:50 GMT').end('picture');
  });
  const source = snapshot(
    `http://127.0.0.1:${port}/now.jpg?size=2`,
    {},
    { credentials: { user: 'me', password: 'p:w' } },
  );
  const before = Date.now();
  const frames = [
    await source.fetchOnce({ attemptId: 'a/b/1' }),
    await source.fetchOnce({}),
    await source.fetchOnce({}),
  ];
  expect(frames[0]).toMatchObject({
    bytes: Buffer.from('picture'),
    notModified: false,
    etag: '"v1"',
    transferBytes: 7,
    capturedAt: { at: Date.parse('2016-08-09T21:26:50Z'), origin: 'header' },
  });
  expect(frames[0]!.fetchedAt).toBeGreaterThanOrEqual(before);
  expect(sockets.size).toBe(1);
  expect(headers[0]).toMatchObject({ 'user-agent': 'camfleet-test (+https://example.org/contact)' });
  // Nobody asked for the credentials.
  expect(headers.every(({ authorization }) => authorization === undefined)).toBe(true);
  expect(headers[0]!['accept-encoding']).toBeUndefined();
  expect(headers[0]!['x-camfleet-attempt']).toBeUndefined();
});

test("without a date in the headers the picture's own one counts, corrected by the camera's clock", async () => {
  const jpeg = await sharp({ create: { width: 16, height: 16, channels: 3, background: '#888' } })
    .withExif({ IFD2: { DateTimeOriginal: '2026:07:01 13:30:05', OffsetTimeOriginal: '+02:00' } })
    .jpeg()
    .toBuffer();
  let clock = '';
  const port = await serve((_request, response) => {
    if (clock !== '') response.setHeader('date', clock);
    response.end(jpeg);
  });
  const source = snapshot(`http://127.0.0.1:${port}/now.jpg`);
  expect((await source.fetchOnce({})).capturedAt).toEqual({ at: Date.parse('2026-07-01T11:30:05Z'), origin: 'exif' });
  // By its own clock it took the picture ten seconds ago.
  clock = 'Wed, 01 Jul 2026 11:30:15 GMT';
  const { capturedAt, fetchedAt } = await source.fetchOnce({});
  expect(capturedAt).toEqual({ at: fetchedAt - 10_000, origin: 'exif' });
});

test('with the option on, the attempt’s number is told to the camera', async () => {
  let seen: unknown;
  const port = await serve((request, response) => {
    seen = request.headers['x-camfleet-attempt'];
    response.end('x');
  });
  await snapshot(`http://127.0.0.1:${port}/`, {}, { attemptHeader: true }).fetchOnce({ attemptId: 's/c/7' });
  expect(seen).toBe('s/c/7');
});

test('a validator makes the request conditional, and 304 means unchanged', async () => {
  const port = await serve((request, response) => {
    const same = request.headers['if-none-match'] === '"v1"' || request.headers['if-modified-since'] !== undefined;
    response.writeHead(same ? 304 : 200, { etag: '"v1"' }).end(same ? undefined : 'picture');
  });
  const source = snapshot(`http://127.0.0.1:${port}/`);
  expect(await source.fetchOnce({ etag: '"v1"' })).toMatchObject({ notModified: true, bytes: null, transferBytes: 0 });
  expect(await source.fetchOnce({ lastModified: 'Tue, 09 Aug 2016 21:26:50 GMT' })).toMatchObject({
    notModified: true,
  });
  expect((await source.fetchOnce({})).bytes).toEqual(Buffer.from('picture'));
});

test('each way to fail has its verdict', async () => {
  const port = await serve((request, response) => {
    const path = request.url!;
    if (path === '/404') response.writeHead(404).end('no');
    else if (path === '/401') response.writeHead(401).end();
    else if (path === '/500') response.writeHead(500).end('oops');
    else if (path === '/304') response.writeHead(304).end();
    else if (path === '/announced') response.writeHead(200, { 'content-length': 10_000 }).end(Buffer.alloc(10_000));
    else if (path === '/endless') (response.write(Buffer.alloc(1_500)), response.write(Buffer.alloc(1_500)));
    else if (path === '/half')
      response.writeHead(200, { 'content-length': 900 }).write('half', () => request.socket.destroy());
    else if (path === '/nowhere') response.writeHead(302).end();
    else if (path === '/ftp') response.writeHead(302, { location: 'ftp://127.0.0.1/' }).end();
    else if (path === '/round') response.writeHead(302, { location: '/round' }).end();
  });
  const http = client({ maxBytes: 2_000, deadlineMs: 300 });
  const verdictOf = async (path: string) =>
    (await failureOf(snapshot(`http://127.0.0.1:${port}${path}`, {}, { http }).fetchOnce({}))).verdict;
  const paths = ['404', '401', '500', '304', 'announced', 'endless', 'half', 'nowhere', 'ftp', 'round', 'hang'];
  const verdicts = await Promise.all(paths.map(async (path) => [path, await verdictOf(`/${path}`)]));
  expect(Object.fromEntries(verdicts)).toEqual({
    404: 'http_error',
    401: 'unauthorized',
    500: 'http_error',
    304: 'http_error',
    announced: 'too_large',
    endless: 'too_large',
    half: 'interrupted',
    nowhere: 'protocol_error',
    ftp: 'protocol_error',
    round: 'protocol_error',
    hang: 'timeout',
  });
  expect(http.stats.busy).toBe(0);
});

test('no listener, no name, no HTTP: refused, dns, protocol error', async () => {
  const closed = await serve(() => {});
  await closers.pop()!();
  const babble = await listen(
    createTcpServer((socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end('220 welcome to something else\r\n'),
    ),
  );
  expect((await failureOf(snapshot(`http://127.0.0.1:${closed}/`).fetchOnce({}))).verdict).toBe('refused');
  expect((await failureOf(snapshot('http://no-such-host.invalid/').fetchOnce({}))).verdict).toBe('dns');
  expect((await failureOf(snapshot(`http://127.0.0.1:${babble}/`).fetchOnce({}))).verdict).toBe('protocol_error');
});

test('the deadline is for the whole exchange: a camera that drips bytes does not escape it', async () => {
  const port = await serve((_request, response) => {
    const drip = setInterval(() => response.write('.'), 20);
    response.on('close', () => clearInterval(drip));
  });
  const started = performance.now();
  const failure = await failureOf(snapshot(`http://127.0.0.1:${port}/`, { deadlineMs: 300 }).fetchOnce({}));
  expect(failure).toMatchObject({ verdict: 'timeout', evidence: { timeoutMs: 300 } });
  expect(performance.now() - started).toBeLessThan(1_500);
});

test.each([
  '127.0.0.1',
  '2130706433',
  '0x7f.1',
  '0177.0.0.1',
  '127.1',
  'localhost',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '127.0.0.1.',
])('without permission %s is never connected to', async (host) => {
  let connections = 0;
  const server = createServer((_request, response) => response.end('secret'));
  server.on('connection', () => connections++);
  const port = await listen(server);
  const failure = await failureOf(snapshot(`http://${host}:${port}/`, { egress: new EgressRule() }).fetchOnce({}));
  expect(failure.verdict).toBe('blocked');
  expect(connections).toBe(0);
});

test('a name that resolves outside at first and inside later is refused the second time', async () => {
  let answers = 0;
  const port = await serve((_request, response) => response.setHeader('connection', 'close').end('x'));
  const egress = new EgressRule({
    allow: ['127.0.0.1'],
    lookup: (_host, _options, callback) =>
      callback(null, [{ address: answers++ === 0 ? '127.0.0.1' : '127.0.0.2', family: 4 }]),
  });
  const source = snapshot(`http://camera.example:${port}/`, { egress });
  expect((await source.fetchOnce({})).bytes).toEqual(Buffer.from('x'));
  expect((await failureOf(source.fetchOnce({}))).verdict).toBe('blocked');
});

test('redirects are followed, judged at each hop, and never take credentials to another origin', async () => {
  const seen: (string | undefined)[] = [];
  const target = await serve((request, response) => {
    seen.push(request.headers.authorization);
    response.end('picture');
  });
  const port = await serve((request, response) => {
    seen.push(request.headers.authorization);
    const location = { '/a': '/b', '/b': `http://127.0.0.1:${target}/c`, '/inside': `http://127.0.0.9:${target}/` }[
      request.url!
    ];
    if (request.headers.authorization || request.url === '/inside') response.writeHead(302, { location }).end('moved');
    else response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
  });
  const options = { egress: new EgressRule({ allow: ['127.0.0.1'] }) };
  const credentials = { user: 'u', password: 'p' };
  const frame = await snapshot(`http://127.0.0.1:${port}/a`, options, { credentials }).fetchOnce({});
  expect(frame.bytes).toEqual(Buffer.from('picture'));
  expect(seen).toEqual([undefined, 'Basic dTpw', 'Basic dTpw', undefined]);
  const blocked = await failureOf(snapshot(`http://127.0.0.1:${port}/inside`, options).fetchOnce({}));
  expect(blocked).toMatchObject({ verdict: 'blocked', evidence: { address: '127.0.0.9' } });
});

test('the end of the lease ends requests under way, with its reason', async () => {
  let arrived!: () => void;
  const underWay = new Promise<void>((resolve) => (arrived = resolve));
  const port = await serve(() => arrived());
  const lease = new AbortController();
  const http = client();
  const attempt = snapshot(`http://127.0.0.1:${port}/`, {}, { http }).fetchOnce({ signal: lease.signal });
  await underWay;
  lease.abort(new Error('lease taken'));
  await expect(attempt).rejects.toThrow('lease taken');
  expect(http.stats).toEqual({ idle: 0, busy: 0, origins: 0 });
});

test('unused connections are closed, and of too many the oldest', async () => {
  const server = createServer((_request, response) => response.end('x'));
  const port = await listen(server, '0.0.0.0');
  const http = client({ idleMs: 300, maxIdleConnections: 20 });
  for (let i = 1; i <= 60; i++) await snapshot(`http://127.0.1.${i}:${port}/`, {}, { http }).fetchOnce({});
  expect(http.stats).toEqual({ idle: 20, busy: 0, origins: 20 });
  await expect.poll(() => http.stats, { timeout: 5_000 }).toEqual({ idle: 0, busy: 0, origins: 0 });
  const open = () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
  await expect.poll(open, { timeout: 5_000 }).toBe(0);
});

test('one host is asked by no more requests at once than its budget allows', async () => {
  let now = 0;
  let most = 0;
  const port = await serve((_request, response) => {
    most = Math.max(most, ++now);
    setTimeout(() => (now--, response.end('x')), 20);
  });
  const limiter = new HostLimiter({ clock: systemClock, concurrency: 2, minDelayMs: 0 });
  const http = client({ limiter });
  await Promise.all(
    Array.from({ length: 12 }, () => snapshot(`http://127.0.0.1:${port}/`, {}, { http }).fetchOnce({})),
  );
  expect(most).toBe(2);
  expect(limiter.size).toBe(0);
});

test('an address in brackets is reached over IPv6', async (context) => {
  const server = createServer((_request, response) => response.end('six'));
  const port = await listen(server, '::1').catch(() => 0);
  const works = await new Promise((resolve) => {
    const socket = connect(port, '::1', () => (socket.destroy(), resolve(true))).on('error', () => resolve(false));
  });
  if (!works) context.skip('this machine has no IPv6 loopback');
  expect((await snapshot(`http://[::1]:${port}/`).fetchOnce({})).bytes).toEqual(Buffer.from('six'));
});
