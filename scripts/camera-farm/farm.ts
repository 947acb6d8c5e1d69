import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { ShutdownStack } from '../../common/runtime/service.ts';
import type { FaultName } from './faults.ts';
import { Fleet } from './fleet.ts';
import type { Truth } from './http-handler.ts';
import { createHandler } from './http-handler.ts';
import { listenOnAll } from './listeners.ts';
import type { FarmOptions, FarmSettings } from './options.ts';
import { settingsFrom } from './options.ts';
import { ChangingPictures, folderPictures, scenePictures } from './pictures.ts';
import type { FarmCamera } from './camera.ts';
import { mainAddressOf, populate, startingFaults } from './population.ts';
import type { CameraRecord } from './records.ts';
import { recordOf, recordsAs } from './records.ts';
import type { RequestRecord } from './request-log.ts';
import { openRequestLog } from './request-log.ts';
import { createRings } from './ring.ts';
import { ringResponder } from './ring-responder.ts';
import { SceneRenderer } from './scenes/renderer.ts';

/** A running farm of simulated cameras. */
export interface Farm {
  /** The port on every address. */
  readonly port: number;
  /** Of the address that no camera has: `POST /control`, `GET /truth/<id>`. */
  readonly url: string;
  /** Where the log is kept in memory: what every request was given, in the order in which answers ended. */
  readonly requests: readonly RequestRecord[];
  /** The simulated cameras: kind, host, concept, place. */
  readonly population: readonly FarmCamera[];
  /** The cameras as registry records. */
  cameras(): CameraRecord[];
  /** The cameras as a file to import. */
  camerasAs(format: 'csv' | 'jsonl'): string;
  /** Where a camera is fetched from: its snapshot or video URL. */
  urlOf(id: string): string;
  truthOf(id: string): Truth;
  /** `share`: of the camera's answers that the fault spoils; default all. */
  setFault(id: string, fault: FaultName | null, share?: number): void;
  /** Ends all connections and listeners; what was under way is logged as incomplete. */
  stop(): Promise<void>;
}

/** Starts cameras on loopback addresses. Throws `FARM_OPTION`, `FARM_PICTURES` or `FARM_LISTEN`. */
export async function startFarm(options: FarmOptions): Promise<Farm> {
  const settings = settingsFrom(options);
  const population = populate(settings);
  const shutdown = new ShutdownStack();
  const renderer = new SceneRenderer(settings);
  const maker = settings.picturesFrom ? folderPictures(settings.picturesFrom) : scenePictures(renderer);
  const pictures = new ChangingPictures(maker, settings.changeEverySeconds, settings.clock);
  const fleet = new Fleet(population, pictures, settings);
  for (const [id, fault] of startingFaults(population, settings)) fleet.setFault(id, fault);

  const log = openRequestLog(settings.log);
  shutdown.defer('log', () => log.close());
  const now = () => settings.clock.now();
  const truthOf = (id: string): Truth => {
    const fault = fleet.faultOf(id);
    const camera = fleet.find(id) as FarmCamera;
    return { camera: id, concept: camera.concept, ...renderer.conditionsOf(camera, now()), fault };
  };
  const partEveryMs = 1000 / settings.partsPerSecond;
  const onConnection = acceptHttp(createHandler({ fleet, log, now, truthOf, partEveryMs }));
  const main = mainAddressOf(settings);
  const ring = settings.ring
    ? ringResponder(createRings(population, maker, settings), settings.ring, log, now)
    : undefined;
  const addresses = [main, ...new Set(population.map((camera) => camera.host))];
  const listeners = await listenOnAll(addresses, settings.port, (socket, address) =>
    ring && address !== main ? ring(socket) : onConnection(socket),
  );
  shutdown.defer('listeners', () => listeners.stop());

  const records = () => population.map((camera) => recordOf(camera, { ...settings, port: listeners.port }));
  return {
    port: listeners.port,
    url: `http://${main}:${listeners.port}`,
    requests: log.records,
    population,
    cameras: records,
    camerasAs: (format) => recordsAs(format, records()),
    urlOf: (id) => urlOf(fleet, id, listeners.port),
    truthOf,
    setFault: (id, fault, share) => fleet.setFault(id, fault, share),
    stop: () => shutdown.stop(),
  };
}

function urlOf(fleet: Fleet, id: string, port: number): string {
  fleet.faultOf(id); // refuses an unknown id
  const { host, kind } = fleet.find(id) as FarmCamera;
  return `http://${host}:${port}/cam/${id}/${kind === 'mjpeg' ? 'video.mjpg' : 'snapshot.jpg'}`;
}

/** One HTTP server for the connections of all listeners. */
function acceptHttp(handler: ReturnType<typeof createHandler>): (socket: Socket) => void {
  // Clients come back once a minute: keep their connections longer than that.
  const server = createServer({ keepAliveTimeout: 90_000 }, handler);
  return (socket) => void server.emit('connection', socket);
}

export type { FarmOptions, FarmSettings };
