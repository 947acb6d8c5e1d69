import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { EgressRule } from '../../../agent/sources/egress.ts';
import { codeOf } from '../../../common/runtime/errors.ts';
import { HostLimiter } from '../../../agent/sources/host-limiter.ts';
import { challengesIn } from '../../../agent/sources/http-auth.ts';
import { HttpClient } from '../../../agent/sources/http.ts';
import { createSource } from '../../../agent/sources/kinds.ts';
import type { Credentials, PolledSource } from '../../../agent/sources/source.ts';
import { systemClock } from '../../../common/runtime/clock.ts';

const closers: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Camera {
  url: string;
  /** Status and Authorization of each request, in order. */
  seen: { status: number; authorization: string | undefined; path: string }[];
}

type Answer = { status: number; headers?: Record<string, string | string[]> };

/** A camera on a port of its own that asks whoever comes by `guard`; the body of a 200 is a "picture". */
async function camera(
  guard: (request: IncomingMessage) => Answer,
  body?: (response: ServerResponse) => void,
): Promise<Camera> {
  const seen: Camera['seen'] = [];
  const server = createServer((request, response) => {
    const { status, headers = {} } = guard(request);
    seen.push({ status, authorization: request.headers.authorization, path: request.url! });
    response.writeHead(status, headers);
    if (status === 200 && body) body(response);
    else response.end(status === 200 ? 'picture' : 'no');
  });
  closers.push(() => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const LOGIN: Credentials = { user: 'Mufasa', password: 'Circle of Life' };

function clientOf(): HttpClient {
  const http = new HttpClient({
    egress: new EgressRule({ allow: ['127.0.0.0/8'] }),
    limiter: new HostLimiter({ clock: systemClock, concurrency: 5, minDelayMs: 0 }),
    clock: systemClock,
    userAgent: 'camfleet-test',
    deadlineMs: 3_000,
  });
  closers.push(() => http.close());
  return http;
}

function source(url: string, credentials: Credentials | undefined = LOGIN): PolledSource {
  const context = { http: clientOf(), clock: systemClock };
  return createSource({ transport: 'snapshot', url, credentials }, context) as PolledSource;
}

const refused = (attempt: Promise<unknown>) => attempt.then(() => 'got a picture', codeOf);

/** What a request claims in its Authorization header. */
const claims = (authorization: string | undefined): Map<string, string> =>
  challengesIn(authorization ?? '')[0]?.parameters as Map<string, string>;

/** The response that RFC 7616 asks for; written for the test, from the RFC's formulas. */
function expected(claim: ReadonlyMap<string, string>, password: string, method: string): string {
  const algorithm = (claim.get('algorithm') ?? 'MD5').toUpperCase();
  const h = (text: string) =>
    createHash(algorithm.startsWith('SHA-256') ? 'sha256' : 'md5')
      .update(text)
      .digest('hex');
  const of = (name: string) => claim.get(name) ?? '';
  let a1 = `${of('username')}:${of('realm')}:${password}`;
  if (algorithm.endsWith('-SESS')) a1 = `${h(a1)}:${of('nonce')}:${of('cnonce')}`;
  const a2 = `${method}:${of('uri')}`;
  if (!claim.has('qop')) return h(`${h(a1)}:${of('nonce')}:${h(a2)}`);
  return h(`${h(a1)}:${of('nonce')}:${of('nc')}:${of('cnonce')}:${of('qop')}:${h(a2)}`);
}

test('the formulas of this test are those of the RFC: its own example', () => {
  const common: [string, string][] = [
    ['username', 'Mufasa'],
    ['realm', 'http-auth@example.org'],
    ['uri', '/dir/index.html'],
    ['nonce', '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v'],
    ['nc', '00000001'],
    ['cnonce', 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ'],
    ['qop', 'auth'],
  ];
  expect(expected(new Map([...common, ['algorithm', 'MD5']]), LOGIN.password, 'GET')).toBe(
    '8ca523f5e9506fed4657c9700eebdbec',
  );
  expect(expected(new Map([...common, ['algorithm', 'SHA-256']]), LOGIN.password, 'GET')).toBe(
    '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1',
  );
});

interface DigestOptions {
  algorithm?: string;
  qop?: string;
  /** A nonce serves for so many requests, then it is stale. */
  usesPerNonce?: number;
  says?: string;
}

/** Checks Digest as a strict camera does: nonce, count that rises by one, the request's own path, and the response. */
function digestGuard({ algorithm, qop, usesPerNonce = Infinity, says = '' }: DigestOptions) {
  let nonce = 0;
  let uses = 0;
  const challenge = (stale: boolean): Answer => {
    const words = [`realm="AXIS_00408C0FFEE0, east"`, `nonce="n${++nonce}"`, `opaque="o\\"1"`];
    uses = 0;
    if (algorithm) words.push(`algorithm=${algorithm}`);
    if (qop) words.push(`qop="${qop}"`);
    if (stale) words.push('stale=true');
    return { status: 401, headers: { 'www-authenticate': `${says}Digest ${words.join(', ')}` } };
  };
  return (request: IncomingMessage): Answer => {
    const claim = claims(request.headers.authorization);
    if (!claim) return challenge(false);
    if (claim.get('nonce') !== `n${nonce}` || uses >= usesPerNonce) return challenge(true);
    uses++;
    const isRight =
      claim.get('uri') === request.url &&
      claim.get('opaque') === 'o"1' &&
      (!qop || parseInt(claim.get('nc')!, 16) === uses) &&
      claim.get('response') === expected(claim, LOGIN.password, 'GET');
    return isRight ? { status: 200 } : challenge(false);
  };
}

describe('Digest', () => {
  test.each([
    ['RFC 2069, as old cameras have it', {}],
    ['MD5', { algorithm: 'MD5', qop: 'auth' }],
    ['MD5 with two protections to choose from', { algorithm: 'MD5', qop: 'auth-int, auth' }],
    ['MD5-sess', { algorithm: 'MD5-sess', qop: 'auth' }],
    ['SHA-256', { algorithm: 'SHA-256', qop: 'auth' }],
    ['SHA-256-sess', { algorithm: 'SHA-256-sess', qop: 'auth' }],
  ])('%s: signs in once it is asked, and counts on from then', async (_name, options) => {
    const { url, seen } = await camera(digestGuard(options));
    const asked = source(`${url}/axis-cgi/jpg/image.cgi?resolution=640x480`);
    for (let i = 0; i < 3; i++) expect((await asked.fetchOnce({})).bytes?.toString()).toBe('picture');
    expect(seen.map(({ status }) => status)).toEqual([401, 200, 200, 200]);
    expect(seen[0]!.authorization).toBeUndefined();
  });

  test('a stale nonce is replaced, without a failed attempt', async () => {
    const { url, seen } = await camera(digestGuard({ algorithm: 'MD5', qop: 'auth', usesPerNonce: 2 }));
    const asked = source(`${url}/now.jpg`);
    for (let i = 0; i < 4; i++) expect((await asked.fetchOnce({})).bytes).not.toBeNull();
    expect(seen.map(({ status }) => status)).toEqual([401, 200, 200, 401, 200, 200]);
  });

  test('it is preferred to Basic, the stronger form to the weaker, in one header or in several', async () => {
    const guard = digestGuard({
      algorithm: 'SHA-256',
      qop: 'auth',
      says: 'Basic realm="cam", Digest realm="cam", nonce="weak", ',
    });
    const { url, seen } = await camera(guard);
    expect((await source(`${url}/now.jpg`).fetchOnce({})).bytes).not.toBeNull();
    expect(seen.at(-1)!.authorization).toMatch(/^Digest .*algorithm=SHA-256/);
  });

  test('wrong credentials are tried once an attempt', async () => {
    const { url, seen } = await camera(digestGuard({ algorithm: 'MD5', qop: 'auth' }));
    const asked = source(`${url}/now.jpg`, { user: 'Mufasa', password: 'wrong' });
    expect(await refused(asked.fetchOnce({}))).toBe('SOURCE_UNAUTHORIZED');
    expect(seen.map(({ authorization }) => authorization !== undefined)).toEqual([false, true]);
    expect(JSON.stringify(seen)).not.toContain('wrong');
  });

  test('what we cannot do is not tried', async () => {
    for (const offer of [
      'Digest realm="x", nonce="y", qop="auth-int"',
      'Digest realm="x", nonce="y", algorithm=SHA-512-256',
      'Negotiate',
      '=,"',
    ]) {
      const { url, seen } = await camera(() => ({ status: 401, headers: { 'www-authenticate': offer } }));
      expect(await refused(source(`${url}/`).fetchOnce({}))).toBe('SOURCE_UNAUTHORIZED');
      expect(seen).toHaveLength(1);
    }
  });
});

const basicGuard = (request: IncomingMessage): Answer => {
  const right = `Basic ${Buffer.from('Mufasa:Circle of Life').toString('base64')}`;
  return request.headers.authorization === right
    ? { status: 200 }
    : { status: 401, headers: { 'www-authenticate': 'Basic realm="netcam"' } };
};

describe('Basic', () => {
  test('waits to be asked, then comes with every request', async () => {
    const { url, seen } = await camera(basicGuard);
    const asked = source(`${url}/now.jpg`);
    for (let i = 0; i < 3; i++) await asked.fetchOnce({});
    expect(seen.map(({ status }) => status)).toEqual([401, 200, 200, 200]);
  });

  test('is never sent where it is not asked for, or where none was given', async () => {
    const open = await camera(() => ({ status: 200 }));
    await source(`${open.url}/now.jpg`).fetchOnce({});
    expect(open.seen[0]!.authorization).toBeUndefined();
    const closed = await camera(basicGuard);
    const anonymous = createSource(
      { transport: 'snapshot', url: `${closed.url}/` },
      { http: clientOf(), clock: systemClock },
    );
    expect(await refused((anonymous as PolledSource).fetchOnce({}))).toBe('SOURCE_UNAUTHORIZED');
    expect(closed.seen).toEqual([{ status: 401, authorization: undefined, path: '/' }]);
  });
});

describe('redirects', () => {
  test.each(['Basic', 'Digest'])('to another host or port, %s credentials stay at home', async (scheme) => {
    const guard = scheme === 'Basic' ? basicGuard : digestGuard({ algorithm: 'MD5', qop: 'auth' });
    const thief = await camera(guard);
    const home = await camera((request) => {
      const answer = guard(request);
      return answer.status === 200 ? { status: 302, headers: { location: `${thief.url}/steal.jpg` } } : answer;
    });
    const asked = source(`${home.url}/now.jpg`);
    for (let i = 0; i < 2; i++) expect(await refused(asked.fetchOnce({}))).toBe('SOURCE_UNAUTHORIZED');
    expect(home.seen.some(({ authorization }) => authorization !== undefined)).toBe(true);
    expect(thief.seen.length).toBeGreaterThan(0);
    expect(thief.seen.every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  test('within the camera the sign-in goes along', async () => {
    const guard = digestGuard({ algorithm: 'MD5', qop: 'auth' });
    const { url, seen } = await camera((request) => {
      const answer = guard(request);
      return answer.status === 200 && request.url === '/old' ? { status: 302, headers: { location: '/new' } } : answer;
    });
    expect((await source(`${url}/old`).fetchOnce({})).bytes).not.toBeNull();
    expect(seen.map(({ path, status }) => `${path} ${status}`)).toEqual(['/old 401', '/old 302', '/new 200']);
  });
});

describe('streams', () => {
  const JPEG = Buffer.from('ffd8ffdb0003ff00ffda000301aabbccffd9', 'hex');
  const parts = (response: ServerResponse) => void response.write(Buffer.concat([Buffer.from('--b\r\nContent-Type: image/jpeg\r\n\r\n'), JPEG, Buffer.from('\r\n--b\r\n')])); // prettier-ignore

  test('sign in as snapshots do, and say when they may not', async () => {
    const { url, seen } = await camera(digestGuard({ algorithm: 'MD5', qop: 'auth' }), parts);
    const frames = (credentials: Credentials) =>
      createSource(
        { transport: 'mjpeg', url: `${url}/mjpg/video.mjpg`, credentials },
        { http: clientOf(), clock: systemClock },
      )
        .frames(new AbortController().signal)
        [Symbol.asyncIterator]();
    const right = frames(LOGIN);
    expect((await right.next()).value).toMatchObject({ notModified: false });
    await right.return?.();
    expect(seen.map(({ status }) => status)).toEqual([401, 200]);
    expect(await refused(frames({ user: 'Mufasa', password: 'wrong' }).next())).toBe('SOURCE_UNAUTHORIZED');
  });
});
