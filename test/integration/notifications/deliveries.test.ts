import { describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { by, database, fleet, hook, messages, receiver, rule, startNotifications } from './notifications-bench.ts';

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
