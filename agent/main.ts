import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAgentConfig, sourcesFrom } from '../config/load.ts';
import type { AgentConfig } from '../config/load.ts';
import { AppError, codeOf, EXIT, messageOf } from '../common/runtime/errors.ts';
import { lockFolder } from '../common/runtime/folder-lock.ts';
import { createLogger } from '../common/runtime/logger.ts';
import type { Logger } from '../common/runtime/logger.ts';
import { Agent } from './agent.ts';
import { Classifier } from './classify/classifier.ts';
import { ModelFolder } from './classify/model-folder.ts';
import { CoordinatorHttp } from './link/coordinator-http.ts';
import { joinFleet, loadIdentity } from './link/identity.ts';
import type { Identity } from './link/identity.ts';
import { CapturePool } from './pipeline/capture-pool.ts';
import { threadClock } from './pipeline/clocks.ts';
import { describeProbe, probeInference, probeMachine } from './probe/probe.ts';
import { userAgentWith } from './probe/contact.ts';
import { stopOnSignals } from './signals.ts';

/** Pictures that each capture thread remembers until the coordinator says which it wants. */
const PICTURE_BYTES = 64_000_000;
/** A hanging camera holds its place for 10 s, a good one for a tenth of a second. */
const CONCURRENCY = 256;

/** The agent as a process. `--join CODE` with `--coordinator URL` once; afterwards the data folder knows who it is. */
async function main(): Promise<number> {
  const { invitation, rest } = takeJoin(process.argv.slice(2));
  const { config } = loadAgentConfig(sourcesFrom(rest, process.env));
  const logger = createLogger({ level: config.log.level, base: { app: 'agent' } });
  const unlock = await lockFolder(config.dataFolder, 'agent');
  try {
    const identity = await identify(config, invitation);
    const agent = await createAgent(config, identity, logger);
    agent.on('state', (state, reason) => say(`agent ${identity.name}: ${state} (${reason})`));
    agent.on('probe', (item) => describeProbe([item]).forEach(say));
    stopOnSignals(agent);
    await agent.start();
    process.send?.({ started: { agentId: identity.agentId } });
    return (await agent.ended()) === 'STOPPED' ? EXIT.done : EXIT.refused;
  } finally {
    await unlock();
  }
}

function takeJoin(args: readonly string[]): { invitation: string | undefined; rest: string[] } {
  let invitation: string | undefined;
  const rest: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const [, name, inline] = /^--(join|coordinator)(?:=(.*))?$/s.exec(args[at] ?? '') ?? [];
    if (name === 'join') invitation = inline ?? args[++at] ?? '';
    else if (name === 'coordinator') rest.push('--coordinator.url', inline ?? args[++at] ?? '');
    else rest.push(args[at] as string);
  }
  return { invitation, rest };
}

/** Who this data folder is; an invitation is only spent by a folder that is nobody yet. */
async function identify(config: AgentConfig, invitation: string | undefined): Promise<Identity> {
  const known = await loadIdentity(config.dataFolder);
  const url = config.coordinator.url ?? known?.coordinatorUrl;
  if (known) {
    if (invitation !== undefined)
      say(`This data folder is agent ${known.agentId} already; the invitation was not used.`);
    return { ...known, coordinatorUrl: url ?? known.coordinatorUrl, name: config.name ?? known.name };
  }
  if (invitation === undefined || url === undefined) {
    throw new AppError(
      'NOT_JOINED',
      `The data folder ${config.dataFolder} has no identity. Make an invitation with "camfleet agents invite", then start with --join CODE --coordinator URL.`,
    );
  }
  const http = new CoordinatorHttp({ url });
  return joinFleet({
    dataFolder: config.dataFolder,
    coordinatorUrl: url,
    invitation,
    name: config.name ?? undefined,
    send: (join) => http.join(join),
  });
}

async function createAgent(config: AgentConfig, identity: Identity, logger: Logger): Promise<Agent> {
  const sessionId = randomUUID();
  const { workers } = config.capture;
  const { items, capacity } = await probeMachine({
    dataFolder: config.dataFolder,
    workers,
    ffmpeg: config.streams.ffmpeg ?? undefined,
  });
  describeProbe(items).forEach(say);
  const http = new CoordinatorHttp({ url: identity.coordinatorUrl });
  const told: { agent?: Agent } = {};
  const models = new ModelFolder({
    root: join(config.dataFolder, 'models'),
    publicKey: identity.coordinatorKey,
    downloads: {
      manifest: async (version) => ({
        bytes: await http.getModelFile(`/models/${version}/manifest`),
        signature: (await http.getModelFile(`/models/${version}/signature`)).toString('utf8'),
      }),
      file: (version, name) => http.getModelFile(`/models/${version}/files/${name}`, 300_000),
    },
  });
  const classifier = new Classifier({
    models,
    batchMax: config.classify.batchMax,
    batchWaitMs: config.classify.batchWaitMs,
    threads: 1,
    logger,
    onReport: (one) => {
      pool.setModel(classifier.modelVersion);
      void told.agent?.reportModel(one);
      const { msPerPicture } = classifier;
      if (one.state === 'active' && msPerPicture) told.agent?.addProbe(probeInference(msPerPicture));
    },
  });
  const pool = new CapturePool({ workers, settings: settingsOf(config, sessionId), classifier, logger });
  const { latitude, longitude } = config.place;
  const agent = new Agent({
    identity,
    sessionId,
    version: versionOf(),
    dataFolder: config.dataFolder,
    outboxBytes: config.outbox.maxBytes,
    http,
    pool,
    models: classifier,
    capacity,
    probe: items,
    contact: config.egress.contact,
    ...(latitude !== null && longitude !== null && { place: { latitude, longitude } }),
    clock: threadClock,
    logger,
  });
  told.agent = agent;
  return agent;
}

const settingsOf = (
  config: AgentConfig,
  session: string,
): ConstructorParameters<typeof CapturePool>[0]['settings'] => ({
  session,
  attemptHeader: config.capture.attemptHeader,
  egressAllow: config.egress.allow,
  userAgent: userAgentWith(config.egress.userAgent, config.egress.contact),
  timeoutMs: config.http.timeoutMs,
  maxBytes: config.http.maxBytes,
  maxPixels: config.pixels.max,
  gate: {
    threshold: config.gate.threshold,
    maxAgeMs: config.gate.maxAgeSeconds * 1_000,
    auditShare: config.gate.auditShare,
  },
  concurrency: CONCURRENCY,
  pictureBytes: PICTURE_BYTES,
  ffmpeg: config.streams.ffmpeg,
  fileRoots: config.files.roots,
});

function versionOf(): string {
  // The same from agent/ and from dist/agent/.
  for (const place of ['../package.json', '../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8')) as { version: string }).version;
    } catch {
      continue;
    }
  }
  return 'unknown';
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

const USAGE = new Set(['CONFIG_INVALID', 'NOT_JOINED']);
const REFUSED = new Set(['INVITATION_REFUSED', 'DATA_FOLDER_IN_USE']);

await main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    say(messageOf(error));
    const code = codeOf(error) ?? '';
    process.exit(USAGE.has(code) ? EXIT.usage : REFUSED.has(code) ? EXIT.refused : EXIT.failed);
  },
);
