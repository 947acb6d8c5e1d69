import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { verdictOfSourceError, sourceError } from '../../../agent/sources/errors.ts';
import { parseRelayTarget } from '../../../agent/sources/relay-target.ts';
import { parseTarget } from '../../../agent/sources/target.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import { createLogger } from '../../../common/runtime/logger.ts';
import { redact, redactAll } from '../../../common/runtime/redact.ts';

const RUNS = { numRuns: 1_000, seed: 20_261_124 };

/** Nothing else in these texts looks like it, so that finding any piece of it is a leak. */
const MARK = 'Zq';
const letters = fc.constantFrom(...'abcXYZ019');
const odd = fc.constantFrom(...`!$'()*+,-.:;=_~@&%\\[]{}|^\``);

/** A secret with odd characters between pieces that can be recognised: `Zqa7@Zqx`. */
const secretOf = (between: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .array(fc.tuple(fc.array(letters, { maxLength: 4 }), between), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.map(([text, sign]) => `${MARK}${text.join('')}${sign}`).join('') + MARK);

const scheme = fc.constantFrom('http', 'https', 'rtsp', 'rtmp', 'rtsps', 'HTTP', 'ws');
const host = fc.constantFrom(
  ...['camera.example', '10.0.0.1', '[2001:db8::1]', '[fe80::1%25eth0]', 'камера.example', 'x', 'camera.example.'],
);
const port = fc.constantFrom('', ':8080', ':554');
const path = fc.constantFrom('', '/', '/axis-cgi/mjpg/video.cgi', '/live/1@2', '/a//b', '/%40x/y');
const name = fc.constantFrom(
  ...['user', 'usr', 'pwd', 'password', 'passwd', 'token', 'auth', 'access_token', 'api_key', 'apikey', 'key', 'sig'],
  ...['loginuse', 'loginpas', 'X-Amz-Signature', 'X-Amz-Credential', 'hdnts', 'wowzatokenhash', 'session', 'sid'],
  ...['PASSWORD', 'User', 'camera_password', 'auth_key', 'client_secret', 'username', 'u', 'p', 'code'],
);
const plainQuery = fc.constantFrom('', 'channel=1&', 'size=2&x=y&', 'resolution=640x480;');

/** A URL with a secret in front of the host, in the query, or both. */
const url: fc.Arbitrary<string> = fc
  .record({
    ...{ scheme, host, port, path, name, before: plainQuery, where: fc.constantFrom('userinfo', 'query', 'both') },
    user: secretOf(fc.constant('')),
    password: secretOf(odd.filter((sign) => sign !== '"')),
    value: secretOf(fc.constantFrom(...`!$'()*+,-.:;=_~@%|`, '%26', '%3D', '%20', '%22')),
    after: fc.constantFrom('', '&channel=1', '#top', '&x=1&y=2'),
  })
  .map((it) => {
    const login = it.where === 'query' ? '' : `${it.user}:${it.password}@`;
    const query = it.where === 'userinfo' ? '' : `?${it.before}${it.name}=${it.value}${it.after}`;
    return `${it.scheme}://${login}${it.host}${it.port}${it.path}${query}`;
  });

/** What happens to a URL on its way into a text. */
const wrapped: fc.Arbitrary<string> = fc
  .tuple(
    url,
    fc.constantFrom<(text: string) => string>(
      (text) => text,
      (text) => `GET ${text} failed`,
      (text) => `[rtsp @ 0x55d0c3] Could not open "${text}": Connection refused`,
      (text) => `${text}: Invalid data found when processing input`,
      (text) => `Error: cannot fetch <${text}>\n    at fetch (file:///app/http.js:1:2)`,
      (text) => `http://proxy.example/fetch?url=${encodeURIComponent(text)}&x=1`,
      (text) => `http://a.example/?next=${encodeURIComponent(`http://b.example/?to=${encodeURIComponent(text)}`)}`,
      (text) => JSON.stringify({ message: text, at: 1 }),
      (text) => JSON.stringify({ body: JSON.stringify({ link: text }) }),
      (text) => JSON.stringify({ link: text }).replaceAll('/', '\\/'),
      (text) => `#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="${text}"\n${text}\n`,
      (text) => `Location: ${text}\r\nContent-Length: 0\r\n`,
      (text) => `<img src="${text.replaceAll('&', '&amp;')}">`,
    ),
  )
  .map(([text, wrap]) => wrap(text));

describe('property: whatever the form of a URL, nothing secret of it is left', () => {
  test('in texts', () => {
    fc.assert(
      fc.property(wrapped, (text) => {
        const clean = redact(text);
        expect(clean).not.toContain(MARK);
        expect(redact(clean)).toBe(clean);
      }),
      RUNS,
    );
  });

  test('in log lines, which stay JSON; in messages, fields, errors and their causes', () => {
    fc.assert(
      fc.property(wrapped, wrapped, (one, two) => {
        let line = '';
        const logger = createLogger({ level: 'info', destination: { write: (text: string) => void (line += text) } });
        const cause = new Error(two);
        const err = new AppError('X', one, { cause, details: { url: two, list: [{ deep: one }] } });
        logger.info({ url: one, nested: { urls: [two, { stderr: one }] }, err }, `failed: ${two}`);
        expect(line).not.toContain(MARK);
        expect(JSON.parse(line)).toMatchObject({ level: 30 });
      }),
      RUNS,
    );
  });

  test('in the evidence of an attempt', () => {
    fc.assert(
      fc.property(wrapped, wrapped, (one, two) => {
        const errors = [
          sourceError('SOURCE_PROTOCOL', one, { ffmpeg: two, exit: 1 }),
          Object.assign(new Error(one), { code: 'E_OTHER' }),
          new AppError('OTHER', one, { details: { said: two } }),
        ];
        for (const error of errors) expect(JSON.stringify(verdictOfSourceError(error))).not.toContain(MARK);
      }),
      RUNS,
    );
  });

  test('in what a target shows of itself, and in the error of a URL that is none', () => {
    fc.assert(
      fc.property(url, (text) => {
        for (const parse of [
          () => parseTarget(text),
          () => parseRelayTarget(text, 'rtsp'),
          () => parseRelayTarget(text, 'rtmp'),
        ]) {
          try {
            const { host: shown, ...rest } = parse();
            const whole = 'origin' in rest ? rest.origin : rest.url;
            expect(redact(`${shown} ${whole}`)).not.toContain(MARK);
          } catch (error) {
            const { code, message, details } = error as AppError;
            expect(code).toBe('SOURCE_URL_INVALID');
            expect(message + JSON.stringify(details)).not.toContain(MARK);
          }
        }
      }),
      RUNS,
    );
  });

  test('at any depth of a value, which keeps its shape', () => {
    fc.assert(
      fc.property(wrapped, fc.jsonValue(), (text, other) => {
        const clean = redactAll({ list: [text, { [`deep`]: text }], other, at: 5, none: null });
        expect(JSON.stringify(clean.list)).not.toContain(MARK);
        expect(clean).toMatchObject({ at: 5, none: null });
      }),
      RUNS,
    );
  });
});

const secret = secretOf(fc.constantFrom('+', '/', '=', '-', '.'));

test('property: sign-ins by header, and fields of JSON, are hidden in any spelling', () => {
  const forms = fc.constantFrom<(text: string) => string>(
    (text) => `Authorization: Basic ${text}`,
    (text) => `authorization: Bearer ${text}\r\nHost: x`,
    (text) => JSON.stringify({ headers: { authorization: `Basic ${text}` } }),
    (text) => JSON.stringify({ said: `Authorization: Digest username="${text}", realm="x", response="${text}"` }),
    (text) => `Digest username="${text}", realm="x", nonce="1", uri="/", response="${text}", qop=auth`,
    (text) => `Basic ${text}Q2`,
    (text) => JSON.stringify({ credentials: { user: 'x', password: text } }),
    (text) => JSON.stringify({ body: JSON.stringify({ password: text, at: 1 }) }),
    (text) => JSON.stringify(JSON.stringify({ body: JSON.stringify({ camera: { apiKey: text } }) })),
    (text) => `Set-Cookie: id=${text}; Path=/`,
    (text) => `rtsp://10.0.0.1:554/user=${text}_password=${text}_channel=1_stream=0.sdp`,
    (text) => `password=${text}`,
  );
  fc.assert(
    fc.property(secret, forms, (text, form) => {
      const clean = redact(form(text));
      expect(clean).not.toContain(MARK);
      expect(redact(clean)).toBe(clean);
    }),
    RUNS,
  );
});

test.each([
  'http://camera.example:8080/axis-cgi/mjpg/video.cgi?resolution=640x480&fps=5',
  'rtsp://[2001:db8::1]:554/live/1@2',
  'http://camera.example/a//b/c.jpg',
  '{"level":30,"token":17,"highestToken":9,"msg":"lease taken","shard":4}',
  '{"session":"22222222-2222-4222-8222-222222222222","author":"x"}',
  'the digest does not match; basic rules, bearer of news',
  'https://camera.example answers 404 instead of a picture; check the path.',
  'ffmpeg: [hls @ 0x1] Skip ("#EXT-X-VERSION:3")',
  'mail contact@example.org, see https://example.org/about?page=2',
])('what is no secret stays: %s', (text) => {
  expect(redact(text)).toBe(text);
});

test.each([
  '/',
  '\\/',
  '\\',
  '//x:y',
  '_',
  '_a',
  'a',
  '?p',
  '%2525',
  '%2F%2F',
  'digest ',
  ' ',
  '"',
  '\\"password',
  'pass',
  '://a:b/',
])('a hundred thousand characters of "%s" take no time', (piece) => {
  const text = piece.repeat(100_000 / piece.length);
  const began = performance.now();
  redact(text);
  redact(`digest${text}`);
  redact(`"password":"${text}`);
  // Some 10 ms; what is quadratic takes minutes.
  expect(performance.now() - began).toBeLessThan(3_000);
});
