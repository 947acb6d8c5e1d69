import { access, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pullDataset } from '../../common/dataset/pull.ts';
import type { Evaluation, TrainingReport } from '../../common/domain/training.ts';
import type { FleetStatus } from '../../common/protocol/status.ts';
import type { TrainingRun, TrainingRunSummary } from '../../common/protocol/training.ts';
import { silentLogger } from '../../common/runtime/logger.ts';
import { createDatabase } from '../../coordinator/platform/database/database.ts';
import type { Database } from '../../coordinator/platform/database/database.ts';
import { startFarm } from '../../scripts/camera-farm/farm.ts';
import type { Farm } from '../../scripts/camera-farm/farm.ts';
import { Api } from '../../scripts/machine/api.ts';
import { CHROMIUM, startBrowser } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { makeTestFolder } from '../support/folder.ts';
import { startProcess } from '../support/processes.ts';
import type { TestProcess } from '../support/processes.ts';

/** Starts, two short trainings and two switches; some 90 s on two free cores, and busy ones are several times slower. */
const WITHIN_MS = 280_000;
const CAMERAS = 24;
/** The model that knows two classes is trained before the third one is seen. */
const FIRST = ['forest', 'harbour'];
const LATER = 'snow slope';

const COORDINATOR_ENV = {
  DATABASE_URL: undefined,
  REDIS_URL: undefined,
  CAMFLEET_LABELS_TRUST_SCENE_HEADER: 'farm',
  // The test asks for pictures itself, so that it knows how many labels there are.
  CAMFLEET_FRAMES_SAMPLE_SECONDS: '0',
  CAMFLEET_FRAMES_QUOTA_BYTES: '3000000',
  CAMFLEET_REPORTS_INTERVAL_SECONDS: '1',
  CAMFLEET_PLANNER_INTERVAL_SECONDS: '1',
  CAMFLEET_POLITENESS_MIN_DELAY_MS: '0',
  CAMFLEET_TRAINING_EVERY_SECONDS: '1',
  // First rounds of two classes reach it; what a new model finds remarkable alone does not.
  CAMFLEET_TRAINING_MINIMUM_NEW: '46',
  CAMFLEET_TRAINING_MINIMUM_PER_CLASS: '3',
  CAMFLEET_TRAINING_PER_CAMERA: '4',
  // Enough that some fifteen pictures a class are learnt for sure; ten seconds for both models.
  CAMFLEET_TRAINING_PASSES: '80',
};

let folder: string;
let farm: Farm;
let api: Api;
let database: Database;
/** Where Chromium is not installed the page is not looked at. */
let browser: Browser | undefined;
let startTrainer: () => TestProcess;
let trainer: TestProcess;
let trainerFolder: string;
/** Opens the page. */
let link: string;
const processes: TestProcess[] = [];

beforeAll(async () => {
  folder = await makeTestFolder('training');
  farm = await startFarm({
    cameras: CAMERAS,
    seed: 'training',
    concepts: [...FIRST, LATER],
    skew: 0,
    mjpegShare: 0,
    camerasPerHost: 4,
    intervalSeconds: 1,
    changeEverySeconds: 1,
  });
  const data = join(folder, 'data');
  const start = (program: string, args: string[], env: Record<string, string | undefined> = {}): TestProcess => {
    const started = startProcess(`dist/${program}`, { args, env, endAfterTest: false });
    processes.push(started);
    return started;
  };
  const coordinator = start('coordinator/main.js', ['--data', data, '--port', '0'], COORDINATOR_ENV);
  const [, url = ''] = (await coordinator.says(
    /"url":"(http:[^"]+)","msg":"coordinator runs"/,
    100_000,
  )) as RegExpExecArray;
  api = new Api(url, (await readFile(join(data, 'keys', 'admin-token'), 'utf8')).trim());
  const connection = { host: join(data, 'services', 'run'), port: 5432, user: 'camfleet', database: 'camfleet' };
  database = await createDatabase({ connection, logger: silentLogger, poolSize: 1 });
  const { invitation } = await api.post<{ invitation: string }>('/agents/invitations', { uses: 1 });
  start('agent/main.js', ['--data', join(folder, 'agent'), '--url', url, '--name', 'one', '--join', invitation], {
    CAMFLEET_AGENT_EGRESS_ALLOW: '127.0.0.0/8',
    CAMFLEET_AGENT_CAPTURE_WORKERS: '1',
  });
  // As on another machine: it knows the coordinator by address and token alone, and keeps what it has in a folder of its own.
  trainerFolder = join(folder, 'trainer');
  const token = (await readFile(join(data, 'keys', 'admin-token'), 'utf8')).trim();
  startTrainer = () =>
    start('trainer/process/main.js', ['--server', url, '--data', trainerFolder], { CAMFLEET_TOKEN: token });
  link = `${url}/#token=${token}`;
  trainer = startTrainer();
  if (CHROMIUM !== undefined) browser = await startBrowser();
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await database?.close();
  // Agent and trainer before the coordinator.
  for (const one of processes.toReversed()) await one.end(60_000);
  await farm?.stop();
  await rm(folder, { recursive: true, force: true });
}, 120_000);

/** Adds the farm's cameras that show one of these. */
async function addCameras(concepts: readonly string[]): Promise<void> {
  const wanted = new Set(farm.population.filter(({ concept }) => concepts.includes(concept)).map(({ id }) => id));
  const lines = farm.camerasAs('jsonl').split('\n');
  const some = lines.filter(
    (line) => line !== '' && wanted.has((JSON.parse(line) as { source_camera_id: string }).source_camera_id),
  );
  const report = await api.upload<{ added: number }>('/cameras/import?format=jsonl', Buffer.from(some.join('\n')));
  expect(report.added).toBe(wanted.size);
}

const labels = async (): Promise<{ good: number; of: Record<string, number> }> => {
  const { good, classes } = await api.get<{ good: number; classes: { label: string; good: number }[] }>(
    '/labels/classes',
  );
  return { good, of: Object.fromEntries(classes.map((one) => [one.label, one.good])) };
};

const atLeast = (label: string, frames: number) =>
  eventually(async () => ((await labels()).of[label] ?? 0) >= frames, {
    withinMs: WITHIN_MS,
    everyMs: 200,
    what: `${frames} frames of ${label}`,
  });

/** A fresh picture of every camera: a label more for each. */
const capture = () => api.post('/captures', {});

/** Asks again every three seconds: a camera whose picture has not changed since has nothing new to give. */
async function captureUntil(isEnough: () => Promise<boolean>, what: string): Promise<void> {
  let askedAt = -Infinity;
  const look = async (): Promise<boolean> => {
    if (await isEnough()) return true;
    if (performance.now() - askedAt > 3_000) {
      askedAt = performance.now();
      await capture();
    }
    return false;
  };
  await eventually(look, { withinMs: WITHIN_MS, everyMs: 200, what });
}

const runs = async () => (await api.get<{ runs: TrainingRunSummary[] }>('/training/runs')).runs;

async function succeeded(count: number): Promise<TrainingRun> {
  const run = await eventually(
    async () => {
      const found = (await runs()).toReversed();
      const bad = found.find(({ state }) => state === 'failed');
      if (bad) throw new Error(`run ${bad.id} failed: ${bad.error}`);
      return found.filter(({ state }) => state === 'succeeded')[count - 1];
    },
    { withinMs: WITHIN_MS, everyMs: 250, what: `training run ${count} to succeed` },
  );
  return api.get<TrainingRun>(`/training/runs/${run.id}`);
}

const runsOnAgent = (version: string) =>
  eventually(
    async () => {
      const { agents, model } = await api.get<FleetStatus>('/status');
      return model?.version === version && agents.every((agent) => agent.modelVersion === version);
    },
    { withinMs: 60_000, everyMs: 200, what: `the agent to run ${version.slice(0, 12)}` },
  );

interface DecidedSpan extends Record<string, unknown> {
  label: string | null;
  version: string | null;
}
const spans = () =>
  database.many<DecidedSpan>(
    `select distinct label, model_version as version from
       (select label, model_version from open_spans union all select label, model_version from observations) both_of_them`,
  );

/** What the decision to put a model in force weighed, in its own words. */
function weighed(decision: string | null): { model: number; before: number } {
  const [, model, before] = /^put in force: macro F1 ([01]\.\d+) against ([01]\.\d+) on the same \d+ test images$/.exec(decision ?? '') ?? []; // prettier-ignore
  if (model === undefined) throw new Error(`The decision was: ${decision}`);
  return { model: Number(model), before: Number(before) };
}

/** What the open page says of the model in force, once that is this one; with its rows of figures. */
async function modelOnPage(page: Page, version: string): Promise<{ inForce: string; rows: string[] }> {
  const training = page.getByRole('region', { name: 'Training' });
  const inForce = training.locator('.in-force', { hasText: version.slice(0, 12) });
  await inForce.filter({ hasText: 'macro F1' }).waitFor({ timeout: 60_000 });
  const rows = training.locator('.figures tbody tr');
  return { inForce: (await inForce.textContent()) ?? '', rows: await rows.allTextContents() };
}

test(
  'from no model to a pushed fused model by the schedule, then a better one after more labels',
  async () => {
    const page = await browser?.newPage();
    await page?.goto(link);
    await page?.getByText('No model is in force yet.').waitFor();
    await addCameras(FIRST);
    // The first of each camera is kept anyway.
    await eventually(async () => (await labels()).good >= 16, {
      withinMs: WITHIN_MS,
      everyMs: 200,
      what: 'all cameras',
    });
    await captureUntil(async () => (await labels()).good >= 48, 'three frames of each camera');
    const first = await succeeded(1);
    expect(first).toMatchObject({ askedBy: 'the schedule', decision: 'put in force: the first model', lost: 0 });
    expect(first.report?.dataset.classes).toEqual(FIRST);
    expect(first.iterations.map(({ run }) => run)).toEqual(expect.arrayContaining(['m0', 'm1']));
    const firstVersion = first.modelVersion as string;
    await runsOnAgent(firstVersion);
    // Made there, from what came over the API.
    expect(await readdir(join(trainerFolder, 'trainer', 'keys'))).toContain('trainer.pem');
    await expect(access(join(folder, 'data', 'trainer'))).rejects.toThrow();
    if (page) {
      const { fused, m0, m1 } = (first.report as TrainingReport).test;
      const figures = ({ accuracy, macroF1 }: Evaluation) => `${(100 * accuracy).toFixed(1)} %${macroF1.toFixed(3)}`;
      const shown = await modelOnPage(page, firstVersion);
      expect(shown.inForce).toContain(`macro F1 ${fused.macroF1.toFixed(3)}`);
      expect(shown.rows).toEqual([`M0, plain${figures(m0)}`, `M1, dynamic${figures(m1)}`, `fused${figures(fused)}`]);
    }

    await addCameras([LATER]);
    await atLeast(LATER, 8);
    await captureUntil(async () => (await runs()).length > 1, 'enough new labels for a second run');
    const second = await succeeded(2);
    expect(second.report?.dataset.classes).toEqual([...FIRST, LATER]);
    // The first one has no F1 of the third class.
    const { model, before } = weighed(second.decision);
    expect(model).toBeGreaterThan(before);
    expect(model).toBeCloseTo(second.report?.test.fused.macroF1 as number, 3);
    expect(before).toBeLessThan(0.667);
    const secondVersion = second.modelVersion as string;
    await runsOnAgent(secondVersion);
    if (page) expect((await modelOnPage(page, secondVersion)).rows).toHaveLength(3);
    await page?.close();

    // Somebody has to decide by the new model before the last look.
    await eventually(async () => (await spans()).some(({ version }) => version === secondVersion), {
      withinMs: 60_000,
      everyMs: 200,
      what: 'spans of the second model',
    });
    const decided = await spans();
    expect(
      decided.some(({ label, version }) => label === null && version === null),
      'from the time before any model',
    ).toBe(true);
    for (const { label, version } of decided) expect(version === null).toBe(label === null);
    expect(new Set(decided.flatMap(({ version }) => version ?? []))).toEqual(new Set([firstVersion, secondVersion]));
    const names = (version: string) =>
      new Set(decided.filter((span) => span.version === version).map(({ label }) => label));
    expect(FIRST).toEqual(expect.arrayContaining([...names(firstVersion)]));
    await everySnapshotIsWhole([first.dataset, second.dataset]);
  },
  WITHIN_MS,
);

test(
  'a trainer that is stopped hands its run back, goes on from its checkpoint, and heeds a cancel',
  async () => {
    const asked = await api.post<TrainingRun>('/training/runs', { settings: { passes: 5_000 }, promote: 'never' });
    const now = () => api.get<TrainingRun>(`/training/runs/${asked.id}`);
    const passes = async (more: number) => {
      const seen = (await now()).progress?.iteration ?? 0;
      await eventually(async () => ((await now()).progress?.iteration ?? 0) >= seen + more, {
        withinMs: 120_000,
        everyMs: 200,
        what: `${more} passes after ${seen}`,
      });
    };
    await passes(3);
    trainer.signal('SIGTERM');
    expect(await trainer.exit(40_000), trainer.tail()).toBe(0);
    const { state, attempts, lost, iterations } = await now();
    expect({ state, attempts, lost }).toEqual({ state: 'waiting', attempts: 1, lost: 0 });

    startTrainer();
    await passes(2);
    const resumed = await now();
    expect(resumed).toMatchObject({ state: 'running', attempts: 2 });
    // Gone on with: every pass once, in order.
    expect(resumed.iterations.map(({ iteration }) => iteration)).toEqual(
      resumed.iterations.map((_, index) => index + 1),
    );
    expect(resumed.iterations.slice(0, iterations.length)).toEqual(iterations);

    await api.post(`/training/runs/${asked.id}/cancel`, {});
    await eventually(async () => (await now()).state === 'cancelled', {
      withinMs: 60_000,
      everyMs: 200,
      what: 'the cancel',
    });
  },
  WITHIN_MS,
);

/** Fills the quota, after which every picture that a snapshot refers to is still there. */
async function everySnapshotIsWhole(names: readonly string[]): Promise<void> {
  await eventually(
    async () => {
      await capture();
      const { frames } = await api.get<FleetStatus>('/status');
      return frames.bytes > 0.95 * frames.quotaBytes;
    },
    { withinMs: 120_000, everyMs: 2_000, what: 'the quota to be filled' },
  );
  await api.get('/status');
  const bytes = async (path: string): Promise<Buffer> => {
    const token = (await readFile(join(folder, 'data', 'keys', 'admin-token'), 'utf8')).trim();
    const answer = await fetch(`${api.url}/api/v1${path}`, { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status, path).toBe(200);
    return Buffer.from(await answer.arrayBuffer());
  };
  const get = <T>(path: string, query: Record<string, unknown> = {}): Promise<T> =>
    api.get<T>(`${path}?${new URLSearchParams(query as Record<string, string>).toString()}`);
  for (const name of names) {
    const pulled = await pullDataset({ get, bytes }, name, join(folder, 'pulled', name));
    expect(pulled.files).toBe(pulled.dataset.samples);
  }
}
