import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Api } from './api.ts';
import { Child } from './child.ts';

export interface MachineOptions {
  dataFolder: string;
  agents: number;
  /** Also one process that trains; it gives way to the others. */
  trainer?: boolean;
  /** Of the API; 0 takes a free one. */
  port?: number | undefined;
  /** Further settings as environment variables, by process. */
  coordinatorEnv?: Record<string, string>;
  agentEnv?: Record<string, string>;
  say(text: string): void;
  signal: AbortSignal;
}

/** Coordinator (with PostgreSQL and Redis), agents and a trainer on this machine. */
export interface Machine {
  readonly api: Api;
  readonly url: string;
  /** Opens the page as administrator; the token is in the fragment, which browsers do not send. */
  readonly link: string;
  readonly agents: readonly Child[];
  /** Agents first: they hand in what they have, as does a trainer. The coordinator then stops Redis and PostgreSQL. */
  stopAgents(): Promise<void>;
  stop(): Promise<void>;
  /** Another Ctrl-C: nobody waits for anybody any more. */
  hurry(times: number): void;
}

/** A draining agent takes at most 25 s. */
const AGENT_GRACE_MS = 30_000;
/** A trainer writes its checkpoint and hands its run back. */
const TRAINER_GRACE_MS = 30_000;
/** PostgreSQL writes what it has in memory. */
const COORDINATOR_GRACE_MS = 60_000;
/** First start: initialises the database. */
const READY_WITHIN_MS = 120_000;

export async function startMachine(options: MachineOptions): Promise<Machine> {
  const dataFolder = resolve(options.dataFolder);
  await mkdir(dataFolder, { recursive: true });
  const children: { coordinator?: Child; trainer?: Child; agents: Child[] } = { agents: [] };
  const stopAgents = async (): Promise<void> => {
    await Promise.all(children.agents.map((agent) => agent.stop(AGENT_GRACE_MS)));
  };
  const stop = async (): Promise<void> => {
    await Promise.all([stopAgents(), children.trainer?.stop(TRAINER_GRACE_MS)]);
    await children.coordinator?.stop(COORDINATOR_GRACE_MS);
  };
  const hurry = (times: number): void => {
    for (const child of [...children.agents, children.trainer, children.coordinator]) {
      child?.signal(times > 2 ? 'SIGKILL' : 'SIGTERM');
    }
  };
  try {
    const url = await startCoordinator(dataFolder, options, (child) => (children.coordinator = child));
    const token = (await readFile(join(dataFolder, 'keys', 'admin-token'), 'utf8')).trim();
    const api = new Api(url, token);
    for (let number = 1; number <= options.agents; number++) {
      options.signal.throwIfAborted();
      children.agents.push(await prepareAgent(dataFolder, number, api, options));
    }
    if (options.trainer === true) children.trainer = prepareTrainer(dataFolder, url, options);
    const beside = [...children.agents, ...(children.trainer ? [children.trainer] : [])];
    await Promise.all(beside.map((child) => child.start(READY_WITHIN_MS)));
    return { api, url, link: `${url}/#token=${token}`, agents: children.agents, stopAgents, stop, hurry };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startCoordinator(
  dataFolder: string,
  { port, coordinatorEnv, say }: MachineOptions,
  started: (child: Child) => void,
): Promise<string> {
  const args = (listen?: number | string): string[] => [
    ...['--data', dataFolder],
    ...(listen === undefined ? [] : ['--port', String(listen)]),
  ];
  let url = '';
  const coordinator = new Child({
    name: 'coordinator',
    program: 'coordinator/main.js',
    args: args(port),
    logFile: join(dataFolder, 'logs', 'coordinator.log'),
    ...(coordinatorEnv && { env: coordinatorEnv }),
    // Agents and pages know the address of the first start.
    again: () => ({ args: args(new URL(url).port), ...(coordinatorEnv && { env: coordinatorEnv }) }),
    say,
  });
  started(coordinator);
  ({ url } = await coordinator.start<{ url: string }>(READY_WITHIN_MS));
  return url;
}

/** An agent that joined at an earlier start keeps its identity; a new one gets an invitation that serves once. */
async function prepareAgent(dataFolder: string, number: number, api: Api, options: MachineOptions): Promise<Child> {
  const name = `agent-${number}`;
  const folder = join(dataFolder, 'agents', name);
  const args = ['--data', folder, '--url', api.url, '--name', name];
  const isKnown = existsSync(join(folder, 'keys', 'agent.json'));
  const invitation = isKnown ? undefined : await api.post<{ invitation: string }>('/agents/invitations', { uses: 1 });
  const env = options.agentEnv ?? {};
  return new Child({
    name,
    program: 'agent/main.js',
    args: [...args, ...(invitation ? ['--join', invitation.invitation] : [])],
    logFile: join(dataFolder, 'logs', `${name}.log`),
    env,
    // The invitation is spent.
    again: () => ({ args, env }),
    say: options.say,
  });
}

/** It takes the administrator's token from the data folder. */
const prepareTrainer = (dataFolder: string, url: string, { say }: MachineOptions): Child =>
  new Child({
    name: 'trainer',
    program: 'trainer/process/main.js',
    args: ['--server', url, '--data', dataFolder],
    logFile: join(dataFolder, 'logs', 'trainer.log'),
    say,
  });
