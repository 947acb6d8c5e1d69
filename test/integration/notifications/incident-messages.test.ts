import { describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import {
  by,
  database,
  fleet,
  HOOK_KEY,
  hook,
  mail,
  messages,
  post,
  receiver,
  rule,
  startNotifications,
} from './notifications-bench.ts';
import { signatureOf } from './servers.ts';

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
