import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { ruleInputSchema } from '../../../common/protocol/notifications.ts';
import { createLogger, silentLogger } from '../../../common/runtime/logger.ts';
import type { Database } from '../../../coordinator/platform/database/database.ts';
import { BullJobQueue } from '../../../coordinator/platform/jobs/bull-job-queue.ts';
import { jobKinds } from '../../../coordinator/platform/jobs/kinds.ts';
import { createNotifications } from '../../../coordinator/results/notifications/create.ts';
import type { Notifications, NotificationsOptions } from '../../../coordinator/results/notifications/notifications.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { createTestRedis } from '../../support/redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { FleetDouble } from './fleet.ts';
import { startMailServer, startReceiver } from './servers.ts';
import type { MailServer, Receiver } from './servers.ts';

// A database, a fleet, a receiver of webhooks and a mail server: importing this starts them for the file.

const logger = process.env['CAMFLEET_TEST_LOG']
  ? createLogger({ level: process.env['CAMFLEET_TEST_LOG'] })
  : silentLogger;
const KEY = randomBytes(32);
/** What the receiver checks signatures with. */
export const HOOK_KEY = 'a-key-of-enough-letters';

let own: TestDatabase;
export let database: Database;
let redis: TestRedis;
export let receiver: Receiver;
export let mail: MailServer;
export let fleet: FleetDouble;

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
export async function startNotifications(options: Partial<NotificationsOptions & { allow: string[] }> = {}) {
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

export const by = 'tester';
export const hook = (secrets: Record<string, unknown> = {}) => ({
  ...{ name: 'hook', kind: 'webhook', settings: {}, replace: false, by },
  secrets: { url: `${receiver.url}/in/secret-path`, key: HOOK_KEY, ...secrets },
});
export const post = (settings: Record<string, unknown> = {}, password = 'open sesame') => ({
  ...{ name: 'post', kind: 'email', secrets: { password }, replace: false, by },
  settings: {
    ...{ to: 'ops@example.org', from: 'camfleet@example.org', host: '127.0.0.1', port: mail.port },
    ...{ user: 'camfleet', certificate: 'any' },
    ...settings,
  },
});
export const rule = (given: Record<string, unknown> = {}) =>
  ruleInputSchema.parse({ name: 'night', channels: ['hook'], minimumMs: 0, windowMs: 0, ...given });

export const messages = async (notifications: Notifications) =>
  (await notifications.deliveries.list({}, { limit: 100 })).deliveries;
