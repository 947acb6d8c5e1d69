import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createLogger, silentLogger } from '../../../common/runtime/logger.ts';
import { ruleInputSchema } from '../../../common/protocol/notifications.ts';
import { BullJobQueue } from '../../../coordinator/platform/jobs/bull-job-queue.ts';
import { jobKinds } from '../../../coordinator/platform/jobs/kinds.ts';
import type { Database } from '../../../coordinator/platform/database/database.ts';
import { createNotifications } from '../../../coordinator/results/notifications/create.ts';
import type { Notifications, NotificationsOptions } from '../../../coordinator/results/notifications/notifications.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { createTestRedis } from '../../support/redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { FleetDouble } from './fleet.ts';
import { signatureOf, startMailServer, startReceiver } from './servers.ts';
import type { MailServer, Receiver } from './servers.ts';

const logger = process.env['CAMFLEET_TEST_LOG']
  ? createLogger({ level: process.env['CAMFLEET_TEST_LOG'] })
  : silentLogger;
const KEY = randomBytes(32);
const HOOK_KEY = 'a-key-of-enough-letters';

let own: TestDatabase;
let database: Database;
let redis: TestRedis;
let receiver: Receiver;
let mail: MailServer;
let fleet: FleetDouble;

beforeAll(async () => {
  own = await createTestDatabase();
  database = own.database;
  redis = createTestRedis();
});
afterAll(async () => {
  await redis.clear();
  await own.drop();
});
beforeEach(async () => {
  [receiver, mail] = await Promise.all([
    startReceiver(),
    startMailServer({ user: 'camfleet', password: 'open sesame' }),
  ]);
  fleet = new FleetDouble(database);
});
const running: (() => Promise<void>)[] = [];
afterEach(async () => {
  // Before the tables are emptied.
  for (const stop of running.splice(0)) await stop();
  await Promise.all([receiver.close(), mail.close()]);
  await database.query(
    `truncate cameras, camera_state, camera_health, camera_timeline, incidents, incident_cameras, agent_suspicions,
       agent_sessions, agents, jobs, fleet_troubles, notification_channels, notification_rules, notification_messages
     restart identity cascade`,
  );
});

/** A coordinator's notifications with its jobs, on the servers that the test shares. */
async function startNotifications(options: Partial<NotificationsOptions & { allow: string[] }> = {}) {
  const notifications: Notifications = createNotifications({
    ...{ database, logger, key: KEY, retentionDays: 90, everyMs: 50, silentAfterMs: 15_000 },
    allow: ['127.0.0.0/8'],
    isFull: () => false,
    pause: { firstMs: 50, ceilingMs: 50 },
    leastPauseMs: 1,
    enqueue: (deliveryId, uniqueKey) => jobs.enqueue('notifications.deliver', { deliveryId }, { uniqueKey }),
    ...options,
  });
  const kinds = { 'notifications.deliver': jobKinds['notifications.deliver'] };
  const jobs = new BullJobQueue({
    ...{ database, kinds, logger, redis: redis.connection, prefix: redis.prefix, sweepEveryMs: 100 },
    handlers: {
      'notifications.deliver': ({ params }, { signal }) => notifications.deliver(params.deliveryId, signal),
    },
  });
  let isRunning = true;
  const stop = async (): Promise<void> => {
    if (!isRunning) return;
    isRunning = false;
    await jobs.stop();
    await notifications.stop();
  };
  running.push(stop);
  await jobs.start();
  await notifications.start();
  return { notifications, stop };
}

const by = 'tester';
const hook = (secrets: Record<string, unknown> = {}) => ({
  ...{ name: 'hook', kind: 'webhook', settings: {}, replace: false, by },
  secrets: { url: `${receiver.url}/in/secret-path`, key: HOOK_KEY, ...secrets },
});
const post = (settings: Record<string, unknown> = {}, password = 'open sesame') => ({
  ...{ name: 'post', kind: 'email', secrets: { password }, replace: false, by },
  settings: {
    ...{ to: 'ops@example.org', from: 'camfleet@example.org', host: '127.0.0.1', port: mail.port },
    ...{ user: 'camfleet', certificate: 'any' },
    ...settings,
  },
});
const rule = (given: Record<string, unknown> = {}) =>
  ruleInputSchema.parse({ name: 'night', channels: ['hook'], minimumMs: 0, windowMs: 0, ...given });

const messages = async (notifications: Notifications) =>
  (await notifications.deliveries.list({}, { limit: 100 })).deliveries;

describe('from an incident to a message and back', () => {
  test('hosts that fail together are one message, on every channel, and one more when they are well again', async () => {
    const { notifications } = await startNotifications();
    await notifications.channels.add(hook());
    await notifications.channels.add(post());
    await notifications.rules.add(rule({ channels: ['hook', 'post'], windowMs: 600 }), by);
    const cameras = await fleet.addCameras([
      { host: 'one.example', name: 'Harbour' },
      { host: 'one.example', name: 'Bridge' },
      { host: 'two.example', name: 'Tower' },
    ]);
    await fleet.breakDown(cameras);

    const told = await eventually(() => receiver.received[0]);
    expect(told.json.subject).toBe('2 cameras of host one.example bring no picture (and 1 more)');
    expect(told.json.began.map(({ name, cameras: ill, kind, state }) => ({ name, ill, kind, state }))).toEqual([
      { name: 'one.example', ill: 2, kind: 'host', state: 'offline' },
      { name: 'two.example', ill: 1, kind: 'host', state: 'offline' },
    ]);
    expect(told.json.began[0]?.examples.map(({ name }) => name)).toEqual(['Harbour', 'Bridge']);
    expect(told.headers['x-camfleet-signature']).toBe(signatureOf(HOOK_KEY, told));
    const letter = await eventually(() => mail.mails[0]);
    expect(letter).toMatchObject({
      to: ['ops@example.org'],
      from: 'camfleet@example.org',
      secure: true,
      user: 'camfleet',
    });
    expect(letter.raw).toContain('Subject: [camfleet] 2 cameras of host one.example bring no picture (and 1');
    expect(letter.raw).toContain('Tower (3)');

    await fleet.recover(cameras);
    const over = await eventually(() => receiver.received[1]);
    expect(over.json.began).toEqual([]);
    expect(over.json.ended.map(({ name, now }) => ({ name, now }))).toEqual([
      { name: 'one.example', now: { online: 2 } },
      { name: 'two.example', now: { online: 1 } },
    ]);
    expect(over.json.subject).toBe('Well again: host one.example and 1 more');
    await eventually(() => mail.mails.length === 2);
    await eventually(async () => (await messages(notifications)).every(({ state }) => state === 'delivered'));
    expect((await messages(notifications)).map(({ channel, attempts, answer }) => [channel, attempts, answer])).toEqual(
      [
        ['post', 1, '250 queued as 4711'],
        ['hook', 1, 'HTTP 200: ok'],
        ['post', 1, '250 queued as 4711'],
        ['hook', 1, 'HTTP 200: ok'],
      ],
    );
    expect([receiver.received.length, mail.mails.length]).toEqual([2, 2]);
  });

  test('what is over before the minimum is told to nobody, and neither is its end', async () => {
    const { notifications } = await startNotifications();
    await notifications.channels.add(hook());
    await notifications.rules.add(rule({ name: 'patient', minimumMs: 86_400_000 }), by);
    await notifications.rules.add(rule({ name: 'quick' }), by);
    const cameras = await fleet.addCameras([{ host: 'one.example' }]);
    await fleet.breakDown(cameras);
    await eventually(() => receiver.received.length === 1);
    await fleet.recover(cameras);
    await eventually(() => receiver.received.length === 2);
    expect(receiver.received.map(({ json }) => json.rule)).toEqual(['quick', 'quick']);
    const notices = await database.many<{ name: string; state: string }>(
      'select r.name, n.state from notification_notices n join notification_rules r on r.id = n.rule_id order by 1',
    );
    expect(notices).toEqual([
      { name: 'patient', state: 'over' },
      { name: 'quick', state: 'over' },
    ]);
  });

  test('a rule tells only what it is about', async () => {
    const { notifications } = await startNotifications();
    await notifications.channels.add(hook());
    for (const [name, filter] of Object.entries({
      all: {},
      frozen: { states: ['frozen'] },
      refused: { verdicts: ['refused'] },
      german: { countries: ['DE'] },
      tagged: { tags: ['harbour', 'other'], sources: ['ports'] },
      elsewhere: { tags: ['harbour'], sources: ['test'] },
      agents: { kinds: ['agent'] },
      silent: { events: ['agent_silent'] },
    })) {
      await notifications.rules.add(rule({ name, ...filter }), by);
    }
    const cameras = await fleet.addCameras([
      { host: 'one.example', country: 'DE' },
      { host: 'two.example', source: 'ports', tags: ['harbour'] },
    ]);
    await fleet.breakDown(cameras.slice(0, 1));
    await fleet.breakDown(cameras.slice(1), 'frozen');
    await notifications.pass();
    const told = await eventually(() => {
      const all = receiver.received.flatMap(({ json }) => json.began.map(({ name }) => `${json.rule}: ${name}`));
      return all.length >= 5 && all;
    });
    expect((told as string[]).toSorted()).toEqual([
      'all: one.example',
      'all: two.example',
      'frozen: two.example',
      'german: one.example',
      'tagged: two.example',
    ]);
  });

  test('an end that is no recovery says so', async () => {
    const { notifications } = await startNotifications();
    await notifications.channels.add(hook());
    await notifications.rules.add(rule({ states: ['offline'] }), by);
    const cameras = await fleet.addCameras([{ host: 'one.example' }]);
    await fleet.breakDown(cameras);
    await eventually(() => receiver.received.length === 1);
    await fleet.show(cameras, 'frozen', 'frozen', 'frozen');
    const { json } = await eventually(() => receiver.received[1]);
    expect(json.subject).toBe('Over: host one.example');
    expect(json.ended[0]?.reason).toMatch(/is no longer offline, .*Its cameras now: 1 frozen\.$/);
  });

  test('where hosts turn out to be a whole source, their end is that of the source', async () => {
    const { notifications } = await startNotifications();
    await notifications.channels.add(hook());
    await notifications.rules.add(rule(), by);
    const [one] = await fleet.addCameras([{ host: 'one.example' }]);
    await fleet.breakDown([one!]);
    await eventually(() => receiver.received.length === 1);
    const source = await database.one<{ id: number }>(
      `insert into incidents (kind, key, state, verdict, opened_at, cameras)
       values ('source', 'test', 'offline', 'http_error', now(), 1) returning id`,
    );
    await database.query(`update incidents set merged_into = $1, closed_at = now() where kind = 'host'`, [source.id]);
    const { json } = await eventually(() => receiver.received[1]);
    expect([json.began[0]?.kind, json.ended]).toEqual(['source', []]);
    await database.query(`update incidents set closed_at = now(), cameras = 0 where id = $1`, [source.id]);
    const over = await eventually(() => receiver.received[2]);
    expect(over.json.ended.map(({ kind }) => kind).toSorted()).toEqual(['host', 'source']);
  });
});

describe('how often', () => {
  test('beyond its messages an hour a rule keeps silent, and sums up in the next', async () => {
    const { notifications } = await startNotifications();
    await notifications.channels.add(hook());
    await notifications.rules.add(rule({ perHour: 2 }), by);
    const hosts = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ host: `${name}.example` }));
    const cameras = await fleet.addCameras(hosts);
    for (const [index, camera] of cameras.slice(0, 2).entries()) {
      await fleet.breakDown([camera]);
      await eventually(() => receiver.received.length === index + 1);
    }
    for (const camera of cameras.slice(2)) await fleet.breakDown([camera]);
    await eventually(async () => (await dueNotices()) === 3);
    await fleet.recover([cameras[2]!]);
    await notifications.pass();
    expect(receiver.received).toHaveLength(2);

    await database.query(`update notification_messages set created_at = created_at - interval '61 minutes'`);
    const { json } = await eventually(() => receiver.received[2]);
    expect(json.began.map(({ name }) => name)).toEqual(['d.example', 'e.example']);
    expect(json.passed).toBe(1);
    expect(json.text).toContain('1 more came and went before this message could be sent.');
  });

  test('outside its hours a rule waits', async () => {
    const { notifications } = await startNotifications();
    await notifications.channels.add(hook());
    const day = ['Su', 'Mo', 'Tu', 'We', 'Th', 'Fr', 'Sa'][(new Date().getUTCDay() + 3) % 7];
    await notifications.rules.add(rule({ hours: `${day} 06:00-20:00` }), by);
    await fleet.breakDown(await fleet.addCameras([{ host: 'one.example' }]));
    await eventually(async () => (await dueNotices()) === 1);
    await notifications.pass();
    expect(receiver.received).toEqual([]);
    await database.query(`update notification_rules set hours = '24/7'`);
    await eventually(() => receiver.received.length === 1);
  });

  const dueNotices = async (): Promise<number> =>
    (
      await database.one<{ count: number }>(
        `select count(*)::int as count from notification_notices where state = 'waiting' and due_at is not null`,
      )
    ).count;
});

describe('deliveries', () => {
  test('are tried again until the server takes them, in their order, and tell what it said', async () => {
    const { notifications } = await startNotifications();
    receiver.answer = { status: 503, body: 'come back later' };
    await notifications.channels.add(hook());
    await notifications.rules.add(rule(), by);
    const cameras = await fleet.addCameras([{ host: 'one.example' }]);
    await fleet.breakDown(cameras);
    const waiting = await eventually(async () => (await messages(notifications)).find(({ attempts }) => attempts >= 2));
    expect(waiting).toMatchObject({ state: 'waiting', answer: 'The server answered HTTP 503: come back later' });
    await fleet.recover(cameras);
    await eventually(async () => (await messages(notifications)).length === 2);
    receiver.answer = { status: 204 };
    await eventually(async () => (await messages(notifications)).every(({ state }) => state === 'delivered'));
    const taken = receiver.received
      .slice(-2)
      .map(({ json, headers }) => [json.began.length, json.ended.length, headers['x-camfleet-delivery']]);
    expect(taken).toEqual([
      [1, 0, '1'],
      [0, 1, '2'],
    ]);
    // Every attempt at a message carries the same number.
    expect(new Set(receiver.received.map(({ headers }) => headers['x-camfleet-delivery']))).toEqual(
      new Set(['1', '2']),
    );
  });

  test('survive a restart in between, of the rule’s window as of the attempts', async () => {
    const first = await startNotifications();
    await first.notifications.channels.add(hook());
    await first.notifications.channels.add({ ...hook(), name: 'dead', secrets: { url: 'http://127.0.0.1:9/' } });
    await first.notifications.rules.add(rule({ windowMs: 500, channels: ['hook', 'dead'] }), by);
    const cameras = await fleet.addCameras([{ host: 'one.example' }]);
    await fleet.breakDown(cameras);
    await eventually(async () => (await database.many('select from notification_notices')).length === 1);
    await first.stop();

    receiver.answer = { status: 500 };
    const second = await startNotifications();
    await eventually(() => receiver.received.length > 0);
    await second.stop();
    // What a job took along when its process died.
    await database.query(`update notification_deliveries set taken_until = clock_timestamp() + interval '300 ms'`);
    const before = receiver.received.length;
    receiver.answer = { status: 200 };
    const third = await startNotifications();
    await eventually(async () => (await messages(third.notifications)).some(({ state }) => state === 'delivered'));
    expect(receiver.received).toHaveLength(before + 1);
    await fleet.recover(cameras);
    const over = await eventually(() => receiver.received[before + 1]);
    expect(over.json.ended).toHaveLength(1);
    // One server that is away holds up nobody else.
    const dead = (await messages(third.notifications)).filter(({ channel }) => channel === 'dead');
    expect(dead.map(({ state }) => state)).toEqual(['waiting', 'waiting']);
    expect(dead.at(-1)?.answer).toMatch(/ECONNREFUSED/);
  });

  test('are given up where the server will never take them; the end is told to nobody then', async () => {
    const { notifications } = await startNotifications();
    receiver.answer = { status: 400, body: 'no' };
    await notifications.channels.add(hook());
    await notifications.rules.add(rule(), by);
    const cameras = await fleet.addCameras([{ host: 'one.example' }]);
    await fleet.breakDown(cameras);
    await eventually(async () => (await messages(notifications))[0]?.state === 'failed');
    await fleet.recover(cameras);
    await eventually(
      async () => (await database.many(`select from notification_notices where state = 'over'`)).length === 1,
    );
    expect(await messages(notifications)).toHaveLength(1);

    receiver.answer = { status: 200 };
    await notifications.deliveries.retry(1);
    await eventually(async () => (await messages(notifications))[0]?.state === 'delivered');
    await expect(notifications.deliveries.retry(1)).rejects.toMatchObject({ code: 'DELIVERY_STATE' });
  });
});

test('agents that fall silent, and room that runs out, are told and told again when they are over', async () => {
  let isFull = true;
  const { notifications } = await startNotifications({ isFull: () => isFull });
  await notifications.channels.add(hook());
  await notifications.rules.add(rule({ events: ['agent_silent', 'quota_full'] }), by);
  await database.query(`update fleet_settings set renewals_work_since = clock_timestamp() - interval '1 hour'`);
  const agent = await fleet.addAgent('attic', 20);
  await fleet.addAgent('cellar');
  const seen = () =>
    receiver.received.flatMap(({ json }) => json.began.map(({ event, name }) => `${event} ${name}`.trim()));
  await eventually(() => seen().length === 2);
  expect(seen().toSorted()).toEqual(['agent_silent attic', 'quota_full']);
  await database.query('update agent_sessions set last_renewed_at = clock_timestamp() where agent_id = $1', [agent]);
  isFull = false;
  const over = () => receiver.received.flatMap(({ json }) => json.ended.map(({ reason }) => reason));
  await eventually(() => over().length === 2);
  expect(over().toSorted()).toEqual(['Agent attic is heard again.', 'New frames are kept again.']);
});

test('what cameras and sources call themselves breaks no header and means nothing to a browser', async () => {
  const { notifications } = await startNotifications();
  await notifications.channels.add(hook());
  await notifications.channels.add(post());
  await notifications.rules.add(rule({ channels: ['hook', 'post'] }), by);
  const evil = 'port\r\nBcc: evil@example.org\r\n\r\n<script>alert(1)</script>\u202e<!channel>';
  const [camera] = await fleet.addCameras([{ host: 'one.example', name: evil }]);
  const incident = await database.one<{ id: number }>(
    `insert into incidents (kind, key, state, verdict, opened_at, cameras, total)
     values ('source', $1, 'offline', 'timeout', now(), 1, 1) returning id`,
    [evil],
  );
  await database.query('insert into incident_cameras values ($1, $2, now())', [incident.id, camera]);
  await database.query('update camera_health set incident_id = $1', [incident.id]);
  await notifications.pass();
  const letter = await eventually(() => mail.mails[0]);
  const [headers = '', ...body] = letter.raw.split('\r\n\r\n');
  expect(letter.to).toEqual(['ops@example.org']);
  expect(headers).not.toMatch(/^(Bcc|X-)/im);
  expect(headers).toMatch(/^Content-Type: text\/plain/m);
  expect(body.join('')).not.toMatch(/<|>|\u202e/);
  const { json, body: bytes } = await eventually(() => receiver.received[0]);
  expect(json.subject + json.text).not.toMatch(/[<>\u202e\r]/);
  expect(json.subject).toMatch(/^1 camera of source port Bcc/);
  // Programs get names as they are, inside of JSON.
  expect(json.began[0]?.examples).toEqual([{ id: camera, name: evil }]);
  expect(bytes.split('\n')).toHaveLength(1);
});
