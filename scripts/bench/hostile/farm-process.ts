import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFarm } from '../../camera-farm/farm.ts';
import type { Farm } from '../../camera-farm/farm.ts';
import { FAULT_NAMES, fits } from '../../camera-farm/faults.ts';
import type { FaultName } from '../../camera-farm/faults.ts';
import { settingsFrom } from '../../camera-farm/options.ts';
import { scenePictures } from '../../camera-farm/pictures.ts';
import { populate } from '../../camera-farm/population.ts';
import { SceneRenderer } from '../../camera-farm/scenes/renderer.ts';
import { openSink } from '../capture/sink.ts';
import { answerQuestions, usage } from '../pinned.ts';
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
let hostile: Farm | undefined;
const faultOf = new Map<string, FaultName>();

/** Pictures drawn beforehand, a folder for each scene: drawing takes time that the cameras' answers would wait for. */
function drawPictures(): void {
  const settings = settingsFrom({ cameras: SCENES, ...SIZE });
  const maker = scenePictures(new SceneRenderer(settings));
  for (const camera of populate(settings)) {
    mkdirSync(join(folder, camera.id));
    for (let i = 0; i < FRAMES; i++) {
      const since = Date.UTC(2026, 5, 21, 12) + i * 30_000;
      writeFileSync(join(folder, camera.id, `${String(i).padStart(2, '0')}.jpg`), maker.make(camera, i, since).bytes);
    }
  }
}

async function open({ hostile: count, healthy }: HostileScenario): Promise<HostilePlace> {
  drawPictures();
  const common = { ...SIZE, picturesFrom: folder, changeEverySeconds: CHANGE_SECONDS, log: 'none' as const };
  const parts = { partsPerSecond: 5, camerasPerHost: 4 };
  const bad = await startFarm({
    ...common,
    ...parts,
    cameras: count,
    mjpegShare: MJPEG_SHARE,
    addressBase: '127.20.0.0',
  });
  const good = await startFarm({ ...common, cameras: healthy, mjpegShare: 0, addressBase: '127.60.0.0' });
  farms.push(bad, good);
  hostile = bad;
  dealFaults(bad);
  return { sink: sink.url, cameras: [...camerasOf(bad), ...camerasOf(good)] };
}

/** Every fault in turn, for each kind of camera. The streams begin at the other end, so that a small farm has more faults. */
function dealFaults({ population }: Farm): void {
  for (const kind of ['snapshot', 'mjpeg'] as const) {
    const names = FAULT_NAMES.filter((name) => fits(name, kind));
    if (kind === 'mjpeg') names.reverse();
    const cameras = population.filter((camera) => camera.kind === kind);
    cameras.forEach(({ id }, index) => faultOf.set(id, names[index % names.length] as FaultName));
  }
}

const camerasOf = (farm: Farm): HostileCamera[] =>
  farm.population.map(({ id, host, name, kind }) => ({
    url: farm.urlOf(id),
    transport: kind,
    host,
    name,
    fault: farm === hostile ? (faultOf.get(id) ?? null) : null,
  }));

/** From now on every camera has its fault. */
function misbehave(): void {
  for (const [id, fault] of faultOf) hostile?.setFault(id, fault);
}

answerQuestions({ open, misbehave, usage }, async () => {
  await Promise.all(farms.map((farm) => farm.stop()));
  sink.close();
  rmSync(folder, { recursive: true, force: true });
});
