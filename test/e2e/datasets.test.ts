import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Dataset, DatasetCamera, Sample } from '../../common/domain/dataset.ts';
import { sha256 } from '../../common/storage/digest.ts';
import { runCommand } from '../../scripts/camfleet/program.ts';
import { eventually } from '../support/eventually.ts';
import { longTest } from '../support/long.ts';
import { startProcess } from '../support/processes.ts';
import type { TestProcess } from '../support/processes.ts';

/** Builds the database, and waits until cameras had time to change twice. */
const WITHIN_MS = 110_000;

let folder: string;
let run: TestProcess;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  folder = await mkdtemp('/tmp/camfleet-datasets-');
  // As root the servers run under another account, which must be able to pass.
  await chmod(folder, 0o711);
  const args = ['--data', join(folder, 'data'), '--port', '0'];
  run = startProcess('dist/scripts/quickstart.js', { args, endAfterTest: false });
  await run.says('Open http://127.0.0.1:', WITHIN_MS);
  const [, url, token] = /Open (http:\/\/127\.0\.0\.1:\d+)\/#token=(\S+)/.exec(run.stderr) ?? [];
  environment = { CAMFLEET_URL: url, CAMFLEET_TOKEN: token };
}, WITHIN_MS);
afterAll(async () => {
  run.signal('SIGINT');
  await run.exit(60_000);
  await rm(folder, { recursive: true, force: true });
}, 70_000);

async function camfleet<T>(...line: string[]): Promise<T> {
  let [stdout, stderr] = ['', ''];
  const terminal = {
    out: (text: string) => void (stdout += text),
    err: (text: string) => void (stderr += text),
    isInteractive: false,
    showsProgress: false,
  };
  const exit = await runCommand([...line, '--json'], { terminal, environment }, 'test');
  expect(exit, stderr).toBe(0);
  return JSON.parse(stdout) as T;
}

interface Counts {
  good: number;
  classes: { label: string; cameras: number }[];
}

longTest('frames of simulated cameras, labelled by their truth, become a snapshot that is pulled whole', async () => {
  await eventually(
    async () => {
      const { good, classes } = await camfleet<Counts>('labels', 'classes');
      const cameras = classes.reduce((sum, one) => sum + one.cameras, 0);
      return cameras >= 30 && good >= 1.5 * cameras;
    },
    { withinMs: WITHIN_MS, what: 'several labelled frames of most cameras' },
  );
  const dataset = await camfleet<Dataset & { captured: { asked: number; came: number; bad: number } }>(
    ...['datasets', 'create', 'first', '--per-camera', '3', '--capture-now', '--wait', '40s'],
  );
  // A few cameras are broken from the beginning, some so that their pictures look good.
  expect(dataset.captured.asked).toBe(40);
  expect(dataset.captured.came).toBeGreaterThanOrEqual(30);
  expect(dataset.cameras).toBeGreaterThanOrEqual(30);
  expect(dataset.samples).toBeGreaterThan(dataset.cameras);
  expect(dataset.classes.filter(({ split }) => split === 'camera').length).toBeGreaterThanOrEqual(2);

  const into = join(folder, 'first');
  const pulled = await camfleet<{ files: number }>('datasets', 'pull', 'first', into);
  expect(pulled.files).toBe(dataset.samples);
  const { samples } = JSON.parse(await readFile(join(into, 'dataset.json'), 'utf8')) as {
    samples: (Sample & { file: string })[];
  };
  const cameras = new Map(
    (await camfleet<{ cameras: DatasetCamera[] }>('cameras', 'list')).cameras.map((camera) => [camera.id, camera]),
  );
  for (const { file, digest, label, cameraId } of samples) {
    expect(sha256(await readFile(join(into, file)))).toBe(digest);
    // The farm names its cameras after what they show.
    expect(cameras.get(cameraId)?.name.toLowerCase()).toMatch(new RegExp(`^${label} \\d`));
  }
});
