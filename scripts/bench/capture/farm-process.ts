import { startFarm } from '../../camera-farm/farm.ts';
import type { Farm } from '../../camera-farm/farm.ts';
import { answerQuestions, usage } from '../pinned.ts';
import type { FaultName } from '../../camera-farm/faults.ts';
import type { FarmAddress, FarmPlace, Scenario } from './scenario.ts';
import { openSink } from './sink.ts';

// The farm's side of bench:capture: ring cameras, and the sink that takes the agent's batches.

/** In equal parts: cameras that answer wrongly, at once or slowly, and some that never do. */
const FAILURES: FaultName[] = ['hang', 'stalled', 'reset', 'dropped', '401', '404', '500', 'redirect-loop', 'redirect-private', '503-retry-after']; // prettier-ignore

let farms: Farm[] = [];
const sink = await openSink();

async function open(scenario: Scenario): Promise<FarmPlace> {
  await close();
  const { width, height, mode, frames, scenes, cameras, failing = 0 } = scenario;
  const healthy = await startFarm({ cameras, width, height, ring: { mode, frames, scenes }, log: 'none' });
  farms.push(healthy);
  const place: FarmPlace = { sink: sink.url, cameras: addressesOf(healthy), failing: [] };
  if (failing > 0) {
    const faultShares = Object.fromEntries(FAILURES.map((name) => [name, 1 / FAILURES.length]));
    const options = { cameras: failing, faultShares, mjpegShare: 0, addressBase: '127.60.0.0', log: 'none' as const };
    const broken = await startFarm(options);
    farms.push(broken);
    place.failing = addressesOf(broken);
  }
  return place;
}

const addressesOf = (farm: Farm): FarmAddress[] =>
  farm.population.map(({ id, host, name }) => ({ url: farm.urlOf(id), host, name }));

async function close(): Promise<void> {
  for (const farm of farms) await farm.stop();
  farms = [];
}

answerQuestions({ open, usage, sinkBytes: () => sink.bytes() }, async () => {
  await close();
  sink.close();
});
