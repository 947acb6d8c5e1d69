import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { createNotifications } from '../../../coordinator/results/notifications/create.ts';
import type { Notifications } from '../../../coordinator/results/notifications/notifications.ts';
import type { Database } from '../../../coordinator/platform/database/database.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { signatureOf, startMailServer, startReceiver } from './servers.ts';
import type { MailServer, Receiver } from './servers.ts';

const KEY = Buffer.alloc(32, 7);
const PASSWORD = 'pass-word+with/signs=';

let own: TestDatabase;
let database: Database;
let receiver: Receiver;
let mail: MailServer;

beforeAll(async () => {
  own = await createTestDatabase();
  database = own.database;
  [receiver, mail] = await Promise.all([startReceiver(), startMailServer({ user: 'camfleet', password: PASSWORD })]);
});
afterAll(async () => {
  await Promise.all([receiver.close(), mail.close()]);
  await own.drop();
});
beforeEach(() => {
  receiver.received.length = mail.mails.length = 0;
  receiver.answer = { status: 200 };
});
afterEach(() => database.query('truncate notification_channels cascade'));

const make = (allow = ['127.0.0.0/8']): Notifications =>
  createNotifications({
    ...{ database, logger: silentLogger, key: KEY, allow, silentAfterMs: 15_000, retentionDays: 90 },
    ...{ isFull: () => false, enqueue: () => Promise.resolve() },
  });

interface Given {
  kind: string;
  settings?: Record<string, unknown>;
  secrets?: Record<string, unknown>;
}

/** What a test through such a channel says. */
async function tried({ kind, settings = {}, secrets = {} }: Given, notifications = make()) {
  await notifications.channels.add({ name: 'c', kind, settings, secrets, replace: true, by: 'tester' });
  return notifications.testChannel('c');
}

const letter = (settings: Record<string, unknown> = {}, secrets: Record<string, unknown> = { password: PASSWORD }) => ({
  ...{ kind: 'email', secrets },
  settings: {
    ...{ to: 'a@example.org, b@example.org', from: 'camfleet@example.org', host: '127.0.0.1', port: mail.port },
    ...{ user: 'camfleet', certificate: 'any' },
    ...settings,
  },
});

describe('webhook', () => {
  test('posts JSON that is signed over time and body', async () => {
    const secrets = { url: `${receiver.url}/hook?token=t0k3n`, key: 'sixteen letters and more' };
    expect(await tried({ kind: 'webhook', secrets })).toEqual({
      channel: 'c',
      delivered: true,
      answer: 'HTTP 200: ok',
    });
    const [received] = receiver.received;
    expect(received?.path).toBe('/hook?token=t0k3n');
    expect(received?.headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'camfleet' });
    expect(received?.headers['x-camfleet-signature']).toBe(signatureOf(secrets.key, received!));
    expect(Math.abs(Number(received?.headers['x-camfleet-timestamp']) - Date.now() / 1_000)).toBeLessThan(30);
    expect(received?.json).toMatchObject({ test: true, version: 1, subject: 'a test', began: [] });
  });

  test.each([
    [500, 'broken', 'The server answered HTTP 500: broken'],
    [404, '', 'The server answered HTTP 404'],
    [410, 'gone', 'The server answered HTTP 410: gone'],
  ])('says plainly what the server answered: %i', async (status, body, answer) => {
    receiver.answer = { status, body };
    expect(await tried({ kind: 'webhook', secrets: { url: receiver.url } })).toMatchObject({
      delivered: false,
      answer,
    });
  });

  test('follows no redirect', async () => {
    receiver.answer = { status: 307, body: '', headers: { location: `${receiver.url}/elsewhere` } };
    const { delivered, answer } = await tried({ kind: 'webhook', secrets: { url: receiver.url } });
    expect([delivered, answer]).toEqual([false, expect.stringContaining('redirects are not followed')]);
    expect(receiver.received.map(({ path }) => path)).toEqual(['/']);
  });

  test('an answer that repeats what is secret, or tries to be more than text, is shown without it', async () => {
    const secrets = { url: `${receiver.url}/hooks/T0P/S3CR3T`, key: 'sixteen letters and more' };
    receiver.answer = { status: 500, body: `no such hook ${secrets.url}\r\n\u001b[31m<b>key ${secrets.key}</b>` };
    const { answer } = await tried({ kind: 'webhook', secrets });
    expect(answer).toBe('The server answered HTTP 500: no such hook *** [31m‹b›key ***‹/b›');
  });

  test('reads no more of an endless answer than it shows', async () => {
    receiver.answer = { status: 200, body: 'x'.repeat(5_000_000) };
    const { delivered, answer } = await tried({ kind: 'webhook', secrets: { url: receiver.url } });
    expect([delivered, answer.length]).toEqual([true, 300]);
  });

  test.each(['127.0.0.1', '127.1', '0x7f000001', '2130706433', '[::ffff:127.0.0.1]', 'localhost'])(
    'addresses of this site are refused unless the operator allows them: %s',
    async (host) => {
      const url = `http://${host}:${receiver.port}/`;
      const { delivered, answer } = await tried({ kind: 'webhook', secrets: { url } }, make([]));
      expect([delivered, answer]).toEqual([false, expect.stringContaining('(loopback), which must not be contacted')]);
      expect(answer).toContain('notifications.allow');
      expect(receiver.received).toEqual([]);
    },
  );
});

describe('e-mail', () => {
  test('goes to all recipients, encrypted and signed in', async () => {
    const outcome = await tried(letter());
    expect(outcome).toEqual({ channel: 'c', delivered: true, answer: '250 queued as 4711' });
    expect(mail.mails).toMatchObject([{ to: ['a@example.org', 'b@example.org'], secure: true, user: 'camfleet' }]);
    expect(mail.mails[0]?.raw).toMatch(/^Content-Type: text\/plain/m);
    expect(mail.mails[0]?.raw).toMatch(/^Auto-Submitted: auto-generated/m);
  });

  test('speaks TLS from the first byte where it is told to, and none where it is told to', async () => {
    const [secure, plain] = await Promise.all([startMailServer({ secure: true }), startMailServer()]);
    onTestFinished(async () => void (await Promise.all([secure.close(), plain.close()])));
    const open = { user: undefined, to: 'a@example.org' };
    expect(await tried(letter({ ...open, port: secure.port, security: 'tls' }, {}))).toMatchObject({ delivered: true });
    expect(await tried(letter({ ...open, port: plain.port, security: 'none' }, {}))).toMatchObject({ delivered: true });
    expect([secure.mails[0]?.secure, plain.mails[0]?.secure]).toEqual([true, false]);
  });

  test('a wrong password is named, and neither it nor what the server repeats of it is shown', async () => {
    const wrong = 'the-wrong-one';
    const { delivered, answer } = await tried(letter({}, { password: wrong }));
    expect(delivered).toBe(false);
    expect(answer).toMatch(
      /^127\.0\.0\.1:\d+ refused user or password \(535 .*\); give the channel anew with --replace\.$/,
    );
    expect(answer).not.toContain(wrong);
    expect(mail.mails).toEqual([]);
  });

  test('a certificate that nobody vouches for is refused unless it may be any', async () => {
    const { delivered, answer } = await tried(letter({ certificate: 'verified' }));
    expect([delivered, answer]).toEqual([false, expect.stringContaining('No acceptable encrypted connection')]);
  });

  test('a server without STARTTLS gets neither password nor message', async () => {
    const said: string[] = [];
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.write('220 old.example\r\n');
      socket.on('data', (data) => {
        said.push(data.toString());
        socket.write(/^EHLO/i.test(data.toString()) ? '250-old.example\r\n250 AUTH PLAIN LOGIN\r\n' : '502 no\r\n');
      });
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    onTestFinished(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    });
    const { delivered } = await tried(letter({ port: (server.address() as AddressInfo).port }));
    expect(delivered).toBe(false);
    expect(said.join('')).not.toMatch(/AUTH|MAIL FROM|DATA/);
  });

  test('recipients that are refused are named; the others get it once', async () => {
    const strict = await startMailServer({ unknown: ['b@example.org'] });
    onTestFinished(() => strict.close());
    const open = { user: undefined, port: strict.port };
    const { delivered, answer } = await tried(letter(open, {}));
    expect([delivered, answer]).toEqual([true, '250 queued as 4711; refused for b@example.org']);
    const none = await tried(letter({ ...open, to: 'b@example.org' }, {}));
    expect(none).toMatchObject({ delivered: false, answer: expect.stringContaining('550') as string });
  });

  test('a mail server of this site is refused unless the operator allows it', async () => {
    for (const host of ['127.0.0.1', 'localhost']) {
      const { delivered, answer } = await tried(letter({ host }), make([]));
      expect([delivered, answer]).toEqual([false, expect.stringContaining('(loopback), which must not be contacted')]);
    }
    expect(mail.mails).toEqual([]);
  });
});

describe('what is stored', () => {
  test('secrets are sealed, bound to their channel, and never shown', async () => {
    const notifications = make();
    const secrets = { url: `${receiver.url}/hooks/S3CR3T` };
    await notifications.channels.add({ name: 'c', kind: 'webhook', settings: {}, secrets, replace: false, by: 'x' });
    const stored = await database.one<{ text: string; secrets: Buffer }>(
      `select c::text as text, secrets from notification_channels c`,
    );
    expect(stored.text + stored.secrets.toString('latin1')).not.toContain('S3CR3T');
    const shown = await notifications.channels.list();
    expect(shown).toMatchObject([{ name: 'c', kind: 'webhook', target: `${receiver.url}/…`, secrets: ['url'] }]);
    expect(JSON.stringify(shown)).not.toContain('S3CR3T');
    // Copied to another row it does not open, and that is said.
    await database.query(`update notification_channels set name = 'd'`);
    await expect(notifications.testChannel('d')).rejects.toMatchObject({ code: 'CHANNEL_SECRETS' });
    expect(await notifications.channels.list()).toMatchObject([
      { name: 'd', target: 'cannot be opened with this key' },
    ]);
  });

  test.each([
    ['a user without password', () => letter({}, {}), 'belong together'],
    ['a password in the clear', () => letter({ security: 'none' }), 'in the clear'],
  ])('%s is refused', async (_name, given, reason) => {
    await expect(tried(given())).rejects.toMatchObject({
      code: 'CHANNEL_INVALID',
      message: expect.stringContaining(reason) as string,
    });
  });
});
