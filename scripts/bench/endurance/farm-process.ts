import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFarm } from '../../camera-farm/farm.ts';
import type { Farm, FarmOptions } from '../../camera-farm/farm.ts';
import { startDnsServer } from '../../camera-farm/name-server.ts';
import type { DnsRecord, DnsServer } from '../../camera-farm/name-server.ts';
import { drawPictures } from '../drawn-pictures.ts';
import { answerQuestions } from '../pinned.ts';
import { startEnduranceCoordinator } from './coordinator.ts';
import type { EnduranceCoordinator } from './coordinator.ts';
import type { CameraToWatch, EndurancePlace, EnduranceScenario } from './scenario.ts';

// The farm's side of bench:endurance: cameras under names of their own, the server that knows the names, and the coordinator.

const SIZE = { width: 352, height: 288 };
/** Cameras of the hosts that have several. */
const TOGETHER = 5;
const TTL_SECONDS = 60;
/** Cameras that are ill all the time, and answers of the others that fail now and then. */
const ILL = { hang: 0.01, reset: 0.01, '404': 0.01, html: 0.01, black: 0.005, '503-retry-after': 0.005 };
const NOW_AND_THEN = { dropped: 0.003, '500': 0.003, stalled: 0.002, truncated: 0.002 };

const folder = mkdtempSync(join(tmpdir(), 'camfleet-endurance-farm-'));
const farms: Farm[] = [];
let names: DnsServer | undefined;
let coordinator: EnduranceCoordinator | undefined;

async function open({ cameras, hosts, intervalMs }: EnduranceScenario): Promise<EndurancePlace> {
  drawPictures(folder, { scenes: 12, frames: 8, ...SIZE });
  const common: Omit<FarmOptions, 'cameras'> = {
    ...{ ...SIZE, picturesFrom: folder, changeEverySeconds: 45, log: 'none', mjpegShare: 0.2, partsPerSecond: 2 },
    ...{ faultShares: ILL, requestShares: NOW_AND_THEN },
  };
  // So many cameras on so many hosts: some hosts have several, all others one.
  const shared = Math.round((cameras - hosts) / (TOGETHER - 1));
  const alone = cameras - shared * TOGETHER;
  farms.push(await startFarm({ ...common, cameras: alone, camerasPerHost: 1, addressBase: '127.20.0.0' }));
  if (shared > 0)
    farms.push(
      await startFarm({
        ...{ ...common, seed: 'together', cameras: shared * TOGETHER },
        ...{ camerasPerHost: TOGETHER, addressBase: '127.60.0.0' },
      }),
    );
  const all = farms.flatMap((farm) => camerasOf(farm, intervalMs));
  names = await startDnsServer(Object.fromEntries(all.map(({ host, record }) => [host, record])));
  coordinator = await startEnduranceCoordinator(all.map(({ camera }, index) => ({ ...camera, cameraId: index + 1 })));
  return { coordinator: coordinator.url, nameServer: names.server };
}

function camerasOf(farm: Farm, intervalMs: number): { host: string; record: DnsRecord; camera: CameraToWatch }[] {
  return farm.population.map(({ id, host: address, name, kind }) => {
    const host = `cam-${address.replaceAll('.', '-')}.example.net`;
    return {
      host,
      record: { a: [address], ttl: TTL_SECONDS },
      camera: {
        ...{ cameraId: 0, name, host, intervalMs, priority: 5 },
        source: { transport: kind, url: farm.urlOf(id).replace(address, host) },
      },
    };
  });
}

/** Names that were asked for since the last call. */
const lookedUp = (): number => names?.asked.splice(0).length ?? 0;

answerQuestions({ open, lookedUp }, async () => {
  await Promise.all(farms.map((farm) => farm.stop()));
  await names?.close();
  await coordinator?.close();
  rmSync(folder, { recursive: true, force: true });
});
