import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FleetStatus } from '../../common/protocol/status.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { ShutdownStack } from '../../common/runtime/service.ts';
import type { Api } from '../machine/api.ts';
import { Child } from '../machine/child.ts';
import type { Machine } from '../machine/machine.ts';
import { startMachine } from '../machine/machine.ts';
import { onStopSignals } from '../machine/signals.ts';
import type { QuickstartOptions } from './options.ts';
import { followStatus, waitUntilAttempted } from './progress.ts';
import { summarize } from './summary.ts';

type Say = (text: string) => void;

const FARM_CAMERAS = 40;
/** Short, because somebody is watching; real cameras are asked once a minute. */
const FARM_INTERVAL_SECONDS = 3;

const FARM_ENV = {
  CAMFLEET_INTAKE_WITNESS: 'true',
  // Our own cameras say what they show, and somebody is waiting for several frames of each.
  CAMFLEET_LABELS_TRUST_SCENE_HEADER: 'farm',
  CAMFLEET_FRAMES_SAMPLE_SECONDS: '5',
};

/** Where a model is given it is the one to look at; labels that `once` could wait for come from the farm only. */
const trains = ({ once, model, cameras }: QuickstartOptions): boolean =>
  model === undefined && (!once || cameras === undefined);

/** The farm's labels come in a minute, so the schedule looks often and trains briefly. */
function trainingEnv(options: QuickstartOptions): Record<string, string> {
  if (!trains(options)) return { CAMFLEET_TRAINING_EVERY_SECONDS: '0' };
  if (options.cameras !== undefined) return {};
  return {
    CAMFLEET_TRAINING_EVERY_SECONDS: '3',
    // Two or three frames of each camera that sees something; then once more when as many came again.
    CAMFLEET_TRAINING_MINIMUM_NEW: '80',
    CAMFLEET_TRAINING_MINIMUM_PER_CLASS: '3',
    CAMFLEET_TRAINING_PER_CAMERA: '3',
    CAMFLEET_TRAINING_BUDGET_SECONDS: options.once ? '20' : '40',
  };
}

/** Runs the whole of camfleet on this machine until Ctrl-C, or with `once` until every camera was tried. */
export async function quickstart(options: QuickstartOptions, say: Say): Promise<void> {
  const startedAt = Date.now();
  const dataFolder = resolve(options.data);
  const shutdown = new ShutdownStack();
  let machine: Machine | undefined;
  const signal = onStopSignals(
    () => say('Stopping agents, trainer, coordinator, Redis and PostgreSQL …'),
    (times) => machine?.hurry(times),
  );
  try {
    const farm = options.cameras === undefined ? await startFarm(dataFolder, shutdown, say) : undefined;
    say('Starting PostgreSQL, Redis, the coordinator, the agents and the trainer …');
    machine = await startMachine({
      dataFolder,
      agents: options.agents,
      trainer: trains(options),
      port: options.port,
      say,
      signal,
      coordinatorEnv: { ...(farm && FARM_ENV), ...trainingEnv(options) },
      // Cameras on this machine are allowed for our own farm only.
      agentEnv: farm
        ? { CAMFLEET_AGENT_EGRESS_ALLOW: '127.0.0.0/8', CAMFLEET_AGENT_CAPTURE_ATTEMPT_HEADER: 'true' }
        : {},
    });
    const running = machine;
    shutdown.defer('machine', () => running.stop());
    await prepare(running.api, options, farm ? join(farm, 'cameras.csv') : (options.cameras ?? ''), say);
    say(`Open ${running.link}`);
    if (options.once) await runOnce(running, { options, farm, startedAt, signal, say });
    else {
      say(anotherAgent(running.url, options.data, farm !== undefined));
      await followStatus(running.api, say, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await shutdown.stop();
  }
  say('Stopped.');
}

/** How to add one by hand; without the last flag it would refuse our own cameras. */
const anotherAgent = (url: string, data: string, hasFarm: boolean): string =>
  `One more agent: "npx camfleet agents invite --url ${url} --data ${data}", then\n` +
  `  npx camfleet agent --data data/agent-3 --coordinator ${url} --join CODE${hasFarm ? ' --egress.allow 127.0.0.0/8' : ''}`;

/** Returns the farm's folder. */
async function startFarm(dataFolder: string, shutdown: ShutdownStack, say: Say): Promise<string> {
  say(`Starting ${FARM_CAMERAS} simulated cameras …`);
  const folder = join(dataFolder, 'farm');
  const child = new Child({
    name: 'camera farm',
    program: 'scripts/machine/farm-process.js',
    args: [folder, String(FARM_CAMERAS), String(FARM_INTERVAL_SECONDS)],
    logFile: join(dataFolder, 'logs', 'farm.log'),
    say,
  });
  shutdown.defer('camera farm', () => child.stop(5_000));
  await child.start();
  return folder;
}

interface ImportReport {
  added: number;
  changed: number;
  unchanged: number;
  rejected: number;
  rejections: { line: number; reason: string }[];
}

/** Cameras, and the model where one is given. */
async function prepare(api: Api, options: QuickstartOptions, cameras: string, say: Say): Promise<void> {
  const report = await api.upload<ImportReport>('/cameras/import', await readFile(cameras));
  const { added, changed, unchanged, rejected, rejections } = report;
  say(`Cameras: ${added} added, ${changed} changed, ${unchanged} unchanged, ${rejected} rejected.`);
  for (const { line, reason } of rejections.slice(0, 10)) say(`  line ${line}: ${reason}`);
  if (!options.model) return;
  say('Importing the model …');
  const [network, labels] = await Promise.all([readFile(options.model.network), readFile(options.model.labels)]);
  const onnx = await api.upload<{ upload: string }>('/uploads', network);
  const { version } = await api.post<{ version: string }>('/models', {
    name: 'quickstart',
    onnxUpload: onnx.upload,
    labels: labels
      .toString('utf8')
      .split(/\r?\n/)
      .filter((label) => label.trim() !== ''),
  });
  await api.post(`/models/${version}/promote`, {});
  say(`Model ${version.slice(0, 12)} is in force.`);
}

interface OnceParts {
  options: QuickstartOptions;
  farm: string | undefined;
  startedAt: number;
  signal: AbortSignal;
  say: Say;
}

async function runOnce(machine: Machine, { options, farm, startedAt, signal, say }: OnceParts): Promise<void> {
  const trained = trains(options);
  const needsModel = trained || options.model !== undefined;
  await waitUntilAttempted(machine.api, { startedAt, say, signal, needsModel, trained });
  const stoppedAt = Date.now();
  // Agents that drain hand in everything they have: after that the numbers are final.
  await machine.stopAgents();
  const status = await machine.api.get<FleetStatus>(`/status?since=${startedAt}`);
  if (status.cameras.capturable === 0) {
    throw new AppError(
      'NO_CAMERAS',
      'No camera could be captured: none of the file has an address that agents can fetch.',
    );
  }
  const summary = await summarize(machine.api, status, { agents: options.agents, farm, stoppedAt, startedAt, say });
  // A pipe may be slow: the line must be out before we end.
  const text = options.json ? JSON.stringify(summary) : inWords(summary);
  await new Promise<void>((done) => process.stdout.write(`${text}\n`, () => done()));
  await sleep(0);
}

function inWords(summary: Awaited<ReturnType<typeof summarize>>): string {
  const verdicts = Object.entries(summary.verdicts).map(([verdict, count]) => `${verdict} ${count}`);
  return [
    `${summary.cameras} cameras, ${summary.agents} agents, ${summary.frames} frames in ${summary.spans} spans (${summary.seconds} s)`,
    `verdicts: ${verdicts.join(', ')}`,
    `classified ${summary.classified}, skipped by the gate ${summary.gated}`,
    summary.model ? `model ${summary.model.version}` : 'no model: frames were captured and cleaned only',
    ...(summary.lost === null ? [] : [`lost ${summary.lost}, doubled ${summary.doubled ?? 0}`]),
  ].join('\n');
}
