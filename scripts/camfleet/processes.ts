import type { Command } from 'commander';

/** Commands that are programs of their own: they read their flags, signals and exit codes themselves. */
const PROGRAMS = {
  up: {
    summary: 'Run everything on this machine: PostgreSQL, Redis, coordinator, agents, trainer',
    start: () => import('../up.ts'),
    help: '',
  },
  coordinator: {
    summary: 'Run the coordinator alone',
    start: () => import('../../coordinator/main.ts'),
    help: 'camfleet coordinator --data /srv/camfleet --listen.port 8601',
  },
  agent: {
    summary: 'Run an agent; --join once, with an invitation',
    start: () => import('../../agent/main.ts'),
    help: 'camfleet agent --data ./agent-1 --coordinator http://127.0.0.1:8600 --join INVITATION',
  },
  trainer: {
    summary: 'Run a trainer: waits for training runs and publishes their models',
    start: () => import('../../trainer/process/main.ts'),
    help: '',
  },
} as const;

type ProgramName = keyof typeof PROGRAMS;

/** Only for the list in `--help`: `programOf` takes them before commander reads any option. */
export function addProgramCommands(program: Command): void {
  for (const [name, { summary }] of Object.entries(PROGRAMS)) program.command(name).description(summary);
}

/** Starts the program that the arguments name; `undefined` where they name none. */
export function startProgram(args: readonly string[], say: (text: string) => void): Promise<unknown> | undefined {
  const [name = '', ...rest] = args;
  if (!Object.hasOwn(PROGRAMS, name)) return undefined;
  const { start, summary, help } = PROGRAMS[name as ProgramName];
  if (help !== '' && rest.some((arg) => arg === '--help' || arg === '-h')) {
    say(
      `Usage: camfleet ${name} [--config FILE] [--data DIR] [--KEY VALUE …]\n\n${summary}\n\n` +
        `Any setting may be a flag; "camfleet config show${name === 'agent' ? ' --of agent' : ''}" lists them.\n\nExamples:\n  $ ${help}\n`,
    );
    return Promise.resolve();
  }
  process.argv.splice(2, process.argv.length, ...rest);
  return start();
}
