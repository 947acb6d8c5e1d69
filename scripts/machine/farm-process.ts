import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startFarm } from '../camera-farm/farm.ts';

/**
 * The simulated cameras of quickstart in a process of their own, as cameras are: `farm-process.js FOLDER CAMERAS INTERVAL_SECONDS`.
 * Writes FOLDER/cameras.csv and FOLDER/requests.jsonl, the witness.
 */
const [folder = '.', cameras = '40', intervalSeconds = '5'] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const file = join(folder, 'requests.jsonl');
writeFileSync(file, '');
const farm = await startFarm({
  cameras: Number(cameras),
  // Few enough that 40 cameras give each several, and different enough that a minute of training tells them apart.
  concepts: ['highway', 'parking lot', 'harbour', 'forest', 'snow slope'],
  skew: 0.6,
  seed: 'quickstart',
  camerasPerHost: 4,
  intervalSeconds: Number(intervalSeconds),
  mjpegShare: 0.1,
  changeEverySeconds: 4,
  faultShares: { hang: 0.025, 404: 0.025, html: 0.025, truncated: 0.025, frozen: 0.05, black: 0.05 },
  log: { file },
});
writeFileSync(join(folder, 'cameras.csv'), farm.camerasAs('csv'));

const stop = (): void => void farm.stop().then(() => process.exit(0));
process.once('SIGTERM', stop);
process.once('disconnect', stop);
process.send?.({ ready: { url: farm.url, cameras: farm.population.length } });
