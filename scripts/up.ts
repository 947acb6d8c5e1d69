import { parseArgs } from 'node:util';
import { AppError, codeOf, EXIT, messageOf } from '../common/runtime/errors.ts';
import type { Machine } from './machine/machine.ts';
import { startMachine } from './machine/machine.ts';
import { onStopSignals } from './machine/signals.ts';

const HELP = `Usage: camfleet up [--data DIR] [--agents N] [--no-trainer] [--port N]

Runs everything on this machine: PostgreSQL, Redis, the coordinator, agents and a trainer, which gives way to the others.
Ctrl-C stops all of it in order.

  --data DIR    where everything is kept (default: data)
  --agents N    how many agents (default: 1; an agent uses all cores)
  --no-trainer  train nothing here; "camfleet trainer" may run on another machine
  --port N      port of API and page (default: 8600)

Example: camfleet up --data /srv/camfleet --agents 2
`;

const say = (text: string): void => void process.stderr.write(`${text}\n`);

const options = {
  data: { type: 'string', default: 'data' },
  agents: { type: 'string', default: '1' },
  'no-trainer': { type: 'boolean', default: false },
  port: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

function parsed() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    throw new AppError('USAGE', `${messageOf(error)}\n\n${HELP}`);
  }
}

/** Everything on this machine until Ctrl-C. */
async function up(): Promise<number> {
  const values = parsed();
  if (values.help) {
    process.stdout.write(HELP);
    return EXIT.done;
  }
  const agents = Number(values.agents);
  const port = values.port === undefined ? undefined : Number(values.port);
  if (!isWhole(agents, 64)) throw new AppError('USAGE', `--agents must be a whole number from 0 to 64.`);
  if (port !== undefined && !isWhole(port, 65_535)) throw new AppError('USAGE', '--port must be a port, 0 to 65535.');
  const running: { machine?: Machine } = {};
  const signal = onStopSignals(
    () => say('Stopping agents, trainer, coordinator, Redis and PostgreSQL …'),
    (times) => running.machine?.hurry(times),
  );
  say('Starting PostgreSQL, Redis, the coordinator, the agents and the trainer …');
  try {
    running.machine = await startMachine({
      ...{ dataFolder: values.data, agents, port, say, signal },
      trainer: !values['no-trainer'],
    });
    process.stdout.write(`camfleet runs. Open ${running.machine.link}\n`);
    await aborted(signal);
    await running.machine.stop();
  } catch (error) {
    // What was started is stopped already.
    if (!signal.aborted) throw error;
  }
  say('Stopped.');
  return EXIT.done;
}

const isWhole = (value: number, most: number): boolean => Number.isInteger(value) && value >= 0 && value <= most;

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

process.exitCode = await up().catch((error: unknown) => {
  say(messageOf(error));
  return codeOf(error) === 'USAGE' ? EXIT.usage : EXIT.failed;
});
// Handlers of signals keep nothing alive, but an open channel to a child might.
process.exit();
