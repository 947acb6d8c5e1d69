import { describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { by, database, fleet, hook, receiver, rule, startNotifications } from './notifications-bench.ts';

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
