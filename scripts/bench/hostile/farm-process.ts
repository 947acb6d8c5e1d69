import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFarm } from '../../camera-farm/farm.ts';
import type { Farm } from '../../camera-farm/farm.ts';
import { FAULT_NAMES, FAULTS, fits } from '../../camera-farm/faults.ts';
import type { FaultName } from '../../camera-farm/faults.ts';
import { openSink } from '../capture/sink.ts';
import { drawPictures } from '../drawn-pictures.ts';
import { answerQuestions, usage } from '../pinned.ts';
import { openHlsFarm } from './hls-farm.ts';
import type { HlsFarm } from './hls-farm.ts';
import type { HostileCamera, HostilePlace, HostileScenario } from './scenario.ts';

// The farm's side of bench:hostile: cameras with every fault, well-behaved ones on other hosts, and the sink of the batches.

const SCENES = 16;
const FRAMES = 12;
const SIZE = { width: 176, height: 144 };
const CHANGE_SECONDS = 5;
const MJPEG_SHARE = 0.3;

const folder = mkdtempSync(join(tmpdir(), 'camfleet-hostile-farm-'));
const sink = await openSink();
const farms: Farm[] = [];
let hls: HlsFarm | undefined;
const faultsOf = new Map<Farm, Map<string, FaultName>>();

async function open({ hostile, healthy, streams }: HostileScenario): Promise<HostilePlace> {
  drawPictures(folder, { scenes: SCENES, frames: FRAMES, ...SIZE });
  const common = { ...SIZE, picturesFrom: folder, changeEverySeconds: CHANGE_SECONDS, log: 'none' as const };
  const mixed = { ...common, partsPerSecond: 5, camerasPerHost: 4, mjpegShare: MJPEG_SHARE };
  // Hosts that ask for rest stand apart: the other cameras of such a host are left alone whatever their own fault is.
  const resting = FAULT_NAMES.filter((name) => FAULTS[name].ofHost);
  const others = FAULT_NAMES.filter((name) => !FAULTS[name].ofHost);
  const onRestingHosts = Math.max(resting.length, Math.round((hostile * resting.length) / FAULT_NAMES.length));
  const strange = Math.max(1, hostile - onRestingHosts);
  farms.push(
    deal(await startFarm({ ...mixed, cameras: strange, addressBase: '127.20.0.0' }), others),
    deal(await startFarm({ ...mixed, cameras: onRestingHosts, addressBase: '127.40.0.0' }), resting),
    await startFarm({ ...common, cameras: healthy, mjpegShare: 0, addressBase: '127.60.0.0' }),
  );
  hls = streams > 0 ? await openHlsFarm() : undefined;
  return { sink: sink.url, cameras: [...farms.flatMap(camerasOf), ...(hls ? streamsOf(hls, streams) : [])] };
}

/** Every fault in turn, for each kind of camera. The streams begin at the other end, so that a small farm has more faults. */
function deal(farm: Farm, faults: readonly FaultName[]): Farm {
  const dealt = new Map<string, FaultName>();
  for (const kind of ['snapshot', 'mjpeg'] as const) {
    const names = faults.filter((name) => fits(name, kind));
    if (kind === 'mjpeg') names.reverse();
    const cameras = farm.population.filter((camera) => camera.kind === kind);
    cameras.forEach(({ id }, index) => dealt.set(id, names[index % names.length] as FaultName));
  }
  faultsOf.set(farm, dealt);
  return farm;
}

const camerasOf = (farm: Farm): HostileCamera[] =>
  farm.population.map(({ id, host, name, kind }) => ({
    url: farm.urlOf(id),
    transport: kind,
    host,
    name,
    fault: faultsOf.get(farm)?.get(id) ?? null,
  }));

/** Well-behaved, too. */
const streamsOf = (farm: HlsFarm, count: number): HostileCamera[] =>
  Array.from({ length: count }, (_, index) => ({
    ...farm.urlOf(index),
    transport: 'hls',
    name: `stream ${index + 1}`,
    fault: null,
  }));

/** From now on every camera has its fault. */
function misbehave(): void {
  for (const [farm, dealt] of faultsOf) for (const [id, fault] of dealt) farm.setFault(id, fault);
}

answerQuestions({ open, misbehave, usage }, async () => {
  await Promise.all(farms.map((farm) => farm.stop()));
  hls?.close();
  sink.close();
  rmSync(folder, { recursive: true, force: true });
});
