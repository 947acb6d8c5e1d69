import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { AccessControl } from '../../../coordinator/platform/http/access.ts';
import { createHttp } from '../../../coordinator/platform/http/http.ts';
import type { Http } from '../../../coordinator/platform/http/http.ts';
import { createMetrics } from '../../../coordinator/platform/http/metrics.ts';
import { createNotifications } from '../../../coordinator/results/notifications/create.ts';
import { notificationMetrics } from '../../../coordinator/results/notifications/notifications.ts';
import type { Notifications } from '../../../coordinator/results/notifications/notifications.ts';
import { notificationRoutes } from '../../../coordinator/results/notifications/routes.ts';
import { runCommand } from '../../../scripts/camfleet/program.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { FleetDouble } from './fleet.ts';
import { startMailServer, startReceiver } from './servers.ts';
import type { MailServer, Receiver } from './servers.ts';

let own: TestDatabase;
let http: Http;
let folder: string;
let notifications: Notifications;
let receiver: Receiver;
let mail: MailServer;
let viewer: string;
let operator: string;

beforeAll(async () => {
  own = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), 'camfleet-notifications-'));
  [receiver, mail] = await Promise.all([
    startReceiver(),
    startMailServer({ user: 'camfleet', password: 'open sesame' }),
  ]);
  const { database } = own;
  const access = new AccessControl(database);
  viewer = (await access.create('looker', 'viewer')).token;
  operator = (await access.create('worker', 'operator')).token;
  notifications = createNotifications({
    ...{ database, logger: silentLogger, key: Buffer.alloc(32, 7), allow: ['127.0.0.0/8'], silentAfterMs: 15_000 },
    ...{ retentionDays: 90, isFull: () => false },
    enqueue: (id) => notifications.deliver(id, new AbortController().signal),
  });
  http = await createHttp({
    ...{ listen: { host: '127.0.0.1', port: 0 }, version: '0', access, database, logger: silentLogger },
    ...{ sessions: { authenticate: async () => undefined }, ready: {}, pageFolder: join(folder, 'page') },
    metrics: createMetrics([notificationMetrics(notifications)]),
    routes: [notificationRoutes(notifications)],
  });
  await http.start();
});
afterAll(async () => {
  await http.stop();
  await Promise.all([receiver.close(), mail.close()]);
  await rm(folder, { recursive: true });
  await own.drop();
});

async function camfleet(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const terminal = {
    ...{ out: (text: string) => void (out += text), err: (text: string) => void (err += text) },
    ...{ isInteractive: false, showsProgress: false },
  };
  const environment = { CAMFLEET_URL: http.url, CAMFLEET_TOKEN: operator };
  const code = await runCommand(['notifications', ...args], { terminal, environment }, '0');
  return { code, out, err };
}

describe('the command line', () => {
  test('adds, tries, lists and removes channels and rules, and shows what became of messages', async () => {
    expect((await camfleet('channels', 'kinds')).out).toMatch(/^email: Plain text by SMTP\n[^]*password +no +yes/);
    const password = join(folder, 'smtp.password');
    await writeFile(password, 'open sesame\n');
    const added = await camfleet(
      ...['channels', 'add', 'email', 'post', 'to=a@example.org,b@example.org', 'from=camfleet@example.org'],
      ...['host=127.0.0.1', `port=${mail.port}`, 'user=camfleet', `password=@${password}`, 'certificate=any'],
    );
    expect(added).toMatchObject({
      code: 0,
      out: expect.stringContaining('leads to a@example.org, b@example.org by') as string,
    });
    await camfleet('channels', 'add', 'webhook', 'hook', `url=${receiver.url}/hooks/S3CR3T`);
    expect(await camfleet('channels', 'test', 'post')).toEqual({
      ...{ code: 0, out: 'post: delivered; 250 queued as 4711\n', err: '' },
    });
    receiver.answer = { status: 500, body: 'on fire' };
    expect(await camfleet('channels', 'test', 'hook')).toEqual({
      ...{ code: 1, out: 'hook: not delivered; The server answered HTTP 500: on fire\n' },
      err: 'Not delivered through hook.\n',
    });
    receiver.answer = { status: 200 };
    const rule = ['rules', 'add', 'night', '--to', 'hook,post', '--state', 'offline,frozen', '--after', '0s'];
    expect(await camfleet(...rule, '--window', '0s', '--no-recovery')).toMatchObject({
      ...{ code: 0, out: 'Rule night tells hook, post of incident (offline, frozen).\n' },
    });
    expect(JSON.parse((await camfleet('rules', 'show', 'night', '--json')).out)).toMatchObject({
      ...{ channels: ['hook', 'post'], states: ['offline', 'frozen'], minimumMs: 0, perHour: 12, recovery: false },
    });
    expect((await camfleet('rules', 'test', 'night')).out).toBe(
      'hook: delivered; HTTP 200: ok\npost: delivered; 250 queued as 4711\n',
    );

    const fleet = new FleetDouble(own.database);
    await fleet.breakDown(await fleet.addCameras([{ host: 'one.example', name: 'Harbour' }]));
    await notifications.pass();
    const deliveries = (await camfleet('deliveries', 'list', '--jsonl')).out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(deliveries).toMatchObject([
      { rule: 'night', channel: 'post', state: 'delivered', attempts: 1, answer: '250 queued as 4711' },
      { rule: 'night', channel: 'hook', state: 'delivered', attempts: 1, answer: 'HTTP 200: ok' },
    ]);
    const shown = (await camfleet('deliveries', 'show', '1')).out;
    expect(shown).toMatch(/state +delivered/);
    expect(shown).toContain('1 camera of host one.example brings no picture: the host answered with an error.');
    expect(await camfleet('deliveries', 'retry', '1')).toMatchObject({
      code: 1,
      err: expect.stringContaining('delivered already') as string,
    });

    expect(await camfleet('channels', 'remove', 'hook')).toMatchObject({
      code: 1,
      err: expect.stringContaining('remove the rule first') as string,
    });
    expect(await camfleet('rules', 'remove', 'night')).toMatchObject({ code: 0 });
    expect(await camfleet('channels', 'remove', 'hook')).toMatchObject({ code: 0 });
    const left = JSON.parse((await camfleet('channels', 'list', '--json')).out) as { channels: { name: string }[] };
    expect(left.channels.map(({ name }) => name)).toEqual(['post']);
    expect((await camfleet('deliveries', 'list', '--rule', 'night')).out).toContain('delivered');
  });

  test.each([
    [['channels', 'add', 'pigeon', 'p'], 2, '"pigeon" is no kind of channel; there are email, webhook.'],
    [['channels', 'add', 'webhook', 'p', 'uri=http://x'], 2, '"uri" is none of them'],
    [['channels', 'add', 'webhook', 'p', 'url=http://u:s3cret@x.example/'], 2, 'must not hold a user or password'],
    [['channels', 'add', 'webhook', 'p', 'key=@/nowhere/key'], 2, 'cannot be read'],
    [['channels', 'add', 'email', 'p', 'to=nobody', 'from=a@b.example', 'host=h'], 2, 'must be an address'],
    [['channels', 'test', 'nowhere'], 1, 'There is no channel "nowhere"'],
    [['rules', 'add', 'r', '--to', 'nowhere'], 1, 'There is no channel "nowhere"'],
    [['rules', 'add', 'r', '--to', 'post', '--hours', 'sometimes'], 2, 'is no table of hours'],
    [['rules', 'add', 'r', '--to', 'post', '--state', 'sad'], 2, 'states'],
    [['rules', 'show', 'r'], 1, 'There is no rule "r"'],
    [['deliveries', 'show', '99'], 1, 'There is no delivery 99'],
  ])('says what is wrong: %j', async (args, code, reason) => {
    const answer = await camfleet(...args);
    expect(answer).toMatchObject({ code, out: '', err: expect.stringContaining(reason) as string });
    expect(answer.err).not.toContain('s3cret');
  });
});

describe('the API', () => {
  const ask = async (path: string, token: string, method: 'GET' | 'POST' = 'GET') => {
    const { statusCode, body } = await request(`${http.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
    });
    return { status: statusCode, text: await body.text() };
  };

  test('is for operators, described, measured, and audited without secrets', async () => {
    for (const path of ['channels', 'rules', 'deliveries', 'kinds']) {
      expect((await ask(`/api/v1/notifications/${path}`, viewer)).status).toBe(403);
      expect((await ask(`/api/v1/notifications/${path}`, operator)).status).toBe(200);
    }
    expect((await ask('/api/v1/notifications/channels/post/test', viewer, 'POST')).status).toBe(403);
    const { paths } = JSON.parse((await ask('/api/v1/openapi.json', operator)).text) as {
      paths: Record<string, object>;
    };
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining(['/api/v1/notifications/channels', '/api/v1/notifications/rules/{name}/test']),
    );
    expect(JSON.stringify(paths['/api/v1/notifications/channels'])).toContain('addresses, separated by commas');
    expect((await ask('/metrics', operator)).text).toContain('notification_deliveries{state="delivered"} 2');
    const audit = await own.database.many<{ action: string; details: unknown }>('select action, details from audit');
    expect(audit.map(({ action }) => action)).toContain('POST /api/v1/notifications/channels');
    const text = JSON.stringify(audit);
    expect(text).toContain('a@example.org');
    expect(text).not.toMatch(/S3CR3T|open sesame|s3cret/);
  });
});
