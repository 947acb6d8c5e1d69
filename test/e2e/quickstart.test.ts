import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { REPOSITORY, startProcess } from '../support/processes.ts';
import type { TestProcess } from '../support/processes.ts';

/** Builds the database, waits for cameras that hang, trains, drains the agents: some 70 s on two cores, on busy ones a multiple. */
const WITHIN_MS = 240_000;
const SHARED = process.env['CAMFLEET_SHARED'] ?? resolve(REPOSITORY, '../shared');
const NETWORK = join(SHARED, 'weights/mobilenetv2_imagenet.onnx');
const LABELS = join(SHARED, 'weights/mobilenetv2_imagenet.labels.txt');

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp('/tmp/camfleet-quickstart-');
  // As root the servers run under another account, which must be able to pass.
  await chmod(folder, 0o711);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Summary {
  cameras: number;
  agents: number;
  frames: number;
  verdicts: Record<string, number>;
  spans: number;
  classified: number;
  gated: number;
  lost: number | null;
  doubled: number | null;
  model: { version: string; macroF1: number | null; accuracy: number | null } | null;
  seconds: number;
}

const quickstart = (...args: string[]): TestProcess =>
  startProcess('dist/scripts/quickstart.js', { args: ['--data', join(folder, 'data'), ...args] });

async function once(...args: string[]): Promise<Summary> {
  const run = quickstart('--once', '--json', ...args);
  const code = await run.exit(WITHIN_MS);
  expect(code, run.tail()).toBe(0);
  return JSON.parse(run.stdout.trim().split('\n').at(-1) ?? '') as Summary;
}

/** Command lines of all processes that name the folder: PostgreSQL, Redis, the farm, coordinator, agents and trainer do. */
async function commandsNaming(path: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.includes(path));
}

test(
  'quickstart runs the whole path once, trains a model that classifies, loses nothing and counts nothing twice',
  { timeout: WITHIN_MS },
  async () => {
    const summary = await once();
    expect(summary).toMatchObject({ cameras: 40, agents: 2, lost: 0, doubled: 0 });
    expect(summary.model?.version).toMatch(/^[0-9a-f]{64}$/);
    expect(summary.model?.macroF1).toBeGreaterThan(0);
    expect(summary.model?.accuracy).toBeGreaterThan(0);
    expect(summary.classified).toBeGreaterThan(0);
    expect(summary.frames).toBeGreaterThanOrEqual(34);
    expect(summary.verdicts).toMatchObject({ good: expect.any(Number) as number, black: expect.any(Number) as number });
    const attempts = Object.values(summary.verdicts).reduce((total, count) => total + count, 0);
    expect(attempts).toBeGreaterThanOrEqual(summary.frames);
  },
);

test.skipIf(!existsSync(NETWORK))(
  `a second start finds its data again and runs an imported model (needs ${NETWORK})`,
  async () => {
    const summary = await once('--model', NETWORK, '--labels', LABELS);
    expect(summary).toMatchObject({ cameras: 40, lost: 0, doubled: 0 });
    expect(summary.model?.version).toMatch(/^[0-9a-f]{64}$/);
    expect(summary.classified).toBeGreaterThan(0);
  },
);

test('Ctrl-C stops everything that was started', async () => {
  const run = quickstart('--port', '0');
  await run.says('Open http://127.0.0.1:', WITHIN_MS);
  const url = /Open (http:\/\/127\.0\.0\.1:\d+)/.exec(run.stderr)?.[1] ?? '';
  expect((await commandsNaming(folder)).length, 'all that is started names its folder').toBeGreaterThan(6);
  const ready = (await (await fetch(`${url}/readyz`)).json()) as unknown;
  expect(ready).toEqual({ ready: true, parts: { database: true, redis: true } });
  run.signal('SIGINT');
  expect(await run.exit(60_000), run.tail()).toBe(0);
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  expect(await commandsNaming(folder), 'processes that still run').toEqual([]);
});

test('a wrong flag is a usage error that says what is allowed', async () => {
  const run = quickstart('--agents', 'many');
  expect(await run.exit()).toBe(2);
  expect(run.stderr).toContain('--agents must be a whole number from 1 to 64, not "many"');
});
