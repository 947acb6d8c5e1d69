import { fileURLToPath } from 'node:url';
import type { Brand } from '../common/domain/brand.ts';
import { systemClock } from '../common/runtime/clock.ts';
import { AppError } from '../common/runtime/errors.ts';
import type { Logger } from '../common/runtime/logger.ts';
import { ShutdownStack } from '../common/runtime/service.ts';
import { readCameraRows, readHolders } from './camera-rows.ts';
import { fleetRoutes } from './fleet/routes.ts';
import { prepareGround } from './ground.ts';
import type { Ground } from './ground.ts';
import { datasetRoutes } from './learning/datasets/routes.ts';
import { labelRoutes } from './learning/labels/routes.ts';
import { modelRoutes } from './learning/routes.ts';
import { trainingRoutes } from './learning/training/routes.ts';
import { camerasMatching } from './matching-cameras.ts';
import { createGateway } from './platform/gateway/gateway.ts';
import type { Gateway } from './platform/gateway/gateway.ts';
import { AccessControl, adminTokenFile } from './platform/http/access.ts';
import { isAllowedHost } from './platform/http/hosts.ts';
import { createHttp } from './platform/http/http.ts';
import type { Http } from './platform/http/http.ts';
import { createMetrics } from './platform/http/metrics.ts';
import { uploadRoutes } from './platform/http/uploads.ts';
import { jobRoutes } from './platform/jobs/routes.ts';
import { backgroundImportRoutes } from './registry/import-routes.ts';
import { registryRoutes } from './registry/routes.ts';
import { takedownRoutes } from './registry/takedown-routes.ts';
import { healthMetrics } from './results/health/health.ts';
import { cameraHealthRoutes } from './results/health/routes.ts';
import { notificationMetrics } from './results/notifications/notifications.ts';
import { notificationRoutes } from './results/notifications/routes.ts';
import { resultRoutes } from './results/routes.ts';
import { createRooms } from './rooms.ts';
import type { Rooms, Wires } from './rooms.ts';
import type { CoordinatorSettings } from './settings.ts';
import { readCountedAttempts, readHolderWindows, wantedFor } from './witness.ts';
import { statusMetrics, StatusReader, statusRoutes } from './status.ts';

export interface Coordinator {
  url: string;
  /** Opens the page as administrator. The token is in the fragment, which browsers do not send. */
  adminLink: string;
  /** Where that token is kept. */
  adminTokenFile: string;
  /** Takes no new request, finishes those under way, stops Redis and PostgreSQL. */
  stop(): Promise<void>;
}

export interface CoordinatorOptions {
  config: CoordinatorSettings;
  /** Brands whose cameras need no paths. */
  brands?: readonly Brand[];
  version: string;
  logger: Logger;
}

/** Starts everything in the order in which a frame meets it; what was opened is closed in reverse. */
export async function startCoordinator(options: CoordinatorOptions): Promise<Coordinator> {
  const { config, logger } = options;
  const shutdown = new ShutdownStack(logger);
  try {
    const ground = await prepareGround(config, { logger, shutdown });
    const wires: Wires = { gateway: undefined };
    const rooms = createRooms(ground, wires, { config, brands: options.brands ?? [], logger });
    // Before the first report; later the job of this kind does it.
    await rooms.results.jobs['partitions.upkeep']();
    const access = new AccessControl(ground.database);
    const token = await access.adminToken(ground.keysFolder);
    const status = createStatus(ground, rooms, config);
    const http = await openHttp(ground, rooms, { ...options, access, status });
    const gateway = openGateway(ground, rooms, { http, access, status, logger });
    wires.gateway = gateway;
    await startInOrder(rooms, { http, gateway, shutdown });
    logger.info({ url: http.url }, 'coordinator runs');
    return {
      url: http.url,
      adminLink: `${http.url}/#token=${token}`,
      adminTokenFile: adminTokenFile(ground.keysFolder),
      stop: () => shutdown.stop(),
    };
  } catch (error) {
    await shutdown.stop();
    throw error;
  }
}

/** Rooms before doors: nobody is let in before there is somebody to answer. Stopped in reverse, doors first. */
async function startInOrder(
  { fleet, health, notifications, jobs, currentModel }: Rooms,
  { http, gateway, shutdown }: { http: Http; gateway: Gateway; shutdown: ShutdownStack },
): Promise<void> {
  for (const [name, service] of Object.entries({ currentModel, fleet, health, notifications, jobs, http, gateway })) {
    shutdown.defer(name, () => service.stop());
    await service.start();
  }
}

function createStatus(
  { database }: Ground,
  { fleet, health, models, currentModel }: Rooms,
  config: CoordinatorSettings,
): StatusReader {
  return new StatusReader({
    database,
    fleet: () => fleet.status(),
    health: () => health.summary(),
    model: async () => {
      const { version } = currentModel;
      return version === null ? null : { version, name: (await models.show(version)).name };
    },
    frames: config.frames,
  });
}

interface DoorParts extends CoordinatorOptions {
  access: AccessControl;
  status: StatusReader;
}

function openHttp(
  { database, store, redisProbe }: Ground,
  rooms: Rooms,
  { config, version, logger, access, status }: DoorParts,
): Promise<Http> {
  return createHttp({
    listen: config.listen,
    version,
    access,
    sessions: rooms.fleet.sessions,
    database,
    logger,
    metrics: createMetrics([
      ...statusMetrics(status),
      healthMetrics(rooms.health),
      notificationMetrics(rooms.notifications),
    ]),
    ready: { database: () => database.isReady(), redis: () => redisProbe.isReady() },
    pageFolder: PAGE_FOLDER,
    routes: [
      statusRoutes(status),
      fleetRoutes(rooms.fleet),
      registryRoutes(rooms.registry, (ids) => rooms.results.memoriesOf(ids)),
      takedownRoutes(rooms.takedowns),
      resultRoutes({
        results: rooms.results,
        wantedFor: (digest) => wantedFor(database, digest),
        countedAttempts: config.intake.witness
          ? async () => ({ ids: await readCountedAttempts(database), windows: await readHolderWindows(database) })
          : undefined,
      }),
      cameraHealthRoutes(rooms.health),
      notificationRoutes(rooms.notifications),
      labelRoutes(rooms.labels),
      datasetRoutes({
        datasets: rooms.datasets,
        camerasMatching: (query) => camerasMatching(rooms.registry, query),
      }),
      trainingRoutes(rooms.training),
      modelRoutes({ models: rooms.models, store }),
      jobRoutes(rooms.jobs),
      backgroundImportRoutes(rooms.jobs),
      uploadRoutes(store),
    ],
  });
}

function openGateway(
  { database }: Ground,
  { fleet }: Rooms,
  { http, access, status, logger }: { http: Http; access: AccessControl; status: StatusReader; logger: Logger },
): Gateway {
  const gateway: Gateway = createGateway({
    server: http.server,
    agents: {
      admit: async (handshake) => {
        const admitted = await fleet.sessions.handshake(handshake);
        if (!admitted.ok) throw new AppError(admitted.error.code, admitted.error.message);
        return admitted.value;
      },
      handlers: fleet.handlers,
    },
    page: {
      mayLook: async (token) => (await access.verify(token)) !== undefined,
      status: () => status.recent(),
      rows: (ids) => readCameraRows(database, ids),
      watch: async (ids, seconds) => {
        for (const { agentId, cameraIds } of await readHolders(database, ids)) {
          gateway.notify(agentId, 'camera:watch', { cameraIds, seconds });
        }
      },
    },
    isAllowedHost,
    logger,
    clock: systemClock,
  });
  return gateway;
}

/** Vite builds beside the sources, whichever of sources and dist we run from. */
const PAGE_FOLDER = fileURLToPath(
  new URL(
    import.meta.url.includes('/dist/') ? '../../coordinator/dashboard/build/' : './dashboard/build/',
    import.meta.url,
  ),
);
