import type { Brand } from '../common/domain/brand.ts';
import { systemClock } from '../common/runtime/clock.ts';
import type { Logger } from '../common/runtime/logger.ts';
import { readHolders } from './camera-rows.ts';
import { createFleet } from './fleet/fleet.ts';
import type { Fleet } from './fleet/fleet.ts';
import type { FleetSettings } from './fleet/types.ts';
import type { Ground } from './ground.ts';
import { CurrentModel } from './learning/current-model.ts';
import { CaptureNow } from './learning/datasets/capture-now.ts';
import { Datasets } from './learning/datasets/datasets.ts';
import { Labels } from './learning/labels/labels.ts';
import { Models } from './learning/models/models.ts';
import { Training } from './learning/training/training.ts';
import type { Gateway } from './platform/gateway/gateway.ts';
import { BullJobQueue } from './platform/jobs/bull-job-queue.ts';
import type { JobQueue } from './platform/jobs/job-queue.ts';
import { jobKinds, withSchedule } from './platform/jobs/kinds.ts';
import { createRegistry } from './registry/registry.ts';
import type { Registry } from './registry/registry.ts';
import { CameraHealth } from './results/health/health.ts';
import { createNotifications } from './results/notifications/create.ts';
import type { Notifications } from './results/notifications/notifications.ts';
import { Takedowns } from './registry/takedowns.ts';
import { createResults } from './results/results.ts';
import type { Results } from './results/results.ts';
import type { CoordinatorSettings } from './settings.ts';

/** What rooms say to doors that open later. */
export interface Wires {
  gateway: Gateway | undefined;
}

/** The rooms, in the order in which a frame meets them. */
export interface Rooms {
  registry: Registry;
  takedowns: Takedowns;
  fleet: Fleet;
  results: Results;
  health: CameraHealth;
  notifications: Notifications;
  labels: Labels;
  datasets: Datasets;
  models: Models;
  currentModel: CurrentModel;
  training: Training;
  jobs: JobQueue<typeof jobKinds>;
}

export function createRooms(
  ground: Ground,
  wires: Wires,
  { config, brands, logger }: { config: CoordinatorSettings; brands: readonly Brand[]; logger: Logger },
): Rooms {
  const { database, store, key } = ground;
  const registry = createRegistry({
    database,
    credentialsKey: ground.credentialsKey,
    allowFiles: config.cameras.allowFolders,
    brands,
    onChanged: (ids) =>
      void fleet
        .camerasChanged(ids)
        .catch((error: unknown) => logger.warn({ err: error }, 'holders learn of it later')),
  });
  const takedowns = new Takedowns({
    database,
    onCameras: (ids) => registry.changed(ids),
    onChanged: (revision) => wires.gateway?.notifyAll('takedown:changed', { revision }),
  });
  const settings = fleetSettings(config);
  const fleet: Fleet = createFleet({
    database,
    logger: logger.child({ room: 'fleet' }),
    settings,
    coordinatorKey: key.publicKey,
    plannableCameras: () => registry.plannableCameras(),
    assignmentsOf: (ids) => registry.assignmentsOf(ids),
    memoriesOf: (ids) => results.memoriesOf(ids),
    hostsAmong: (names) => registry.hostsAmong(names),
    takedowns: () => takedowns.current(),
    placeholders: () => health.placeholders.current(),
    notify: (agentId, event, hint) => wires.gateway?.notify(agentId, event, hint),
    closeSession: (sessionId, reason) => wires.gateway?.dismiss(sessionId, reason),
    modelVersion: () => currentModel.version,
    modelReported: ({ agentId }, report) => models.report(agentId, report),
  });
  const labels = new Labels({ database, trustedSources: config.labels.trustSceneHeader });
  const results: Results = createResults({
    database,
    objects: store,
    window: fleet.window,
    logger: logger.child({ room: 'results' }),
    settings: {
      reportMs: settings.reportMs,
      quotaBytes: config.frames.quotaBytes,
      sampleMs: config.frames.sampleSeconds * 1_000,
      retentionDays: config.observations.retentionDays,
      witness: config.intake.witness,
    },
    onKept: (tx, frame) => labels.acceptClaim(tx, frame),
  });
  const health: CameraHealth = new CameraHealth({
    database,
    fleet,
    retentionDays: config.observations.retentionDays,
    logger: logger.child({ room: 'health' }),
  });
  const datasets = new Datasets({ database, captures: createCaptures(ground, { registry, results, wires }) });
  const models: Models = new Models({
    database,
    store,
    key,
    logger: logger.child({ room: 'learning' }),
    onPromoted: () => void currentModel.refresh().catch(() => undefined),
  });
  const currentModel: CurrentModel = new CurrentModel(models, {
    clock: systemClock,
    logger,
    onChanged: (version) => wires.gateway?.notifyAll('model:available', { version }),
  });
  const training = createTraining(ground, { labels, datasets, models, config, logger });
  const notifications = createNotifications({
    database,
    key: ground.credentialsKey,
    allow: config.notifications.allow,
    silentAfterMs: settings.ttlMs,
    retentionDays: config.observations.retentionDays,
    isFull: () => !results.frames.keeps,
    enqueue: (deliveryId, uniqueKey) => jobs.enqueue('notifications.deliver', { deliveryId }, { uniqueKey }),
    logger: logger.child({ room: 'notifications' }),
  });
  const jobs: Rooms['jobs'] = createJobs(ground, {
    ...{ registry, fleet, results, health, notifications, training, config, logger },
  });
  const learning = { labels, datasets, models, currentModel, training };
  return { registry, takedowns, fleet, results, health, notifications, ...learning, jobs };
}

/** Fresh frames of all cameras: the agents that hold them are told. */
function createCaptures(
  { database }: Ground,
  { registry, results, wires }: Pick<Rooms, 'registry' | 'results'> & { wires: Wires },
): CaptureNow {
  return new CaptureNow({
    activeCameras: async () => (await registry.plannableCameras()).map(({ id }) => id),
    frames: results.frames,
    hurry: async (ids) => {
      for (const { agentId, cameraIds } of await readHolders(database, ids)) {
        wires.gateway?.notify(agentId, 'camera:capture', { cameraIds });
      }
    },
    clock: systemClock,
  });
}

function createTraining(
  { database }: Ground,
  {
    labels,
    datasets,
    models,
    config,
    logger,
  }: Pick<Rooms, 'labels' | 'datasets' | 'models'> & { config: CoordinatorSettings; logger: Logger },
): Training {
  const { perCamera, ...rules } = config.training;
  return new Training({
    database,
    models,
    rules,
    snapshots: {
      labels: () => labels.counts(),
      create: (name, askedBy) => datasets.create({ name, perCamera }, askedBy),
      find: (name) => datasets.get(name),
    },
    logger: logger.child({ room: 'learning' }),
  });
}

function createJobs(
  { database, redis, store }: Ground,
  {
    registry,
    fleet,
    results,
    health,
    notifications,
    training,
    config,
    logger,
  }: Pick<Rooms, 'registry' | 'fleet' | 'results' | 'health' | 'notifications' | 'training'> & {
    config: CoordinatorSettings;
    logger: Logger;
  },
): Rooms['jobs'] {
  return new BullJobQueue({
    database,
    redis,
    kinds: withSchedule(jobKinds, { 'training.run': config.training.everySeconds }),
    logger: logger.child({ room: 'jobs' }),
    handlers: {
      ...results.jobs,
      'observations.retention': async () => {
        // No batch can refer to what ended longer ago than observations are kept.
        await fleet.prune(config.observations.retentionDays);
        await health.prune();
        await notifications.prune();
        return results.jobs['observations.retention']();
      },
      'training.run': () => training.runSchedule(),
      'notifications.deliver': ({ params }, { signal }) => notifications.deliver(params.deliveryId, signal),
      'cameras.import': async ({ params }, { signal, progress }) => {
        const report = await registry.import(await store.stream(params.objectKey), {
          sync: params.sync,
          ...(params.source !== undefined && { source: params.source }),
          ...(params.format !== undefined && { format: params.format }),
          signal,
          onProgress: ({ bytes, rows }) => progress({ done: rows, note: `${bytes} bytes read` }),
        });
        await store.delete(params.objectKey);
        return report;
      },
    },
  });
}

const fleetSettings = ({ leases, reports, planner, politeness }: CoordinatorSettings): FleetSettings => ({
  ttlMs: leases.ttlSeconds * 1_000,
  renewMs: leases.renewSeconds * 1_000,
  autonomyMs: leases.autonomySeconds * 1_000,
  reportMs: reports.intervalSeconds * 1_000,
  offerMs: leases.offerSeconds * 1_000,
  planner,
  hosts: { concurrency: politeness.concurrencyPerHost, minDelayMs: politeness.minDelayMs },
});
