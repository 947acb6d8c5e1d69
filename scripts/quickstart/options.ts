import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { AppError } from '../../common/runtime/errors.ts';

export interface QuickstartOptions {
  once: boolean;
  json: boolean;
  help: boolean;
  /** A file of the user's own cameras; the farm otherwise. */
  cameras: string | undefined;
  model: { network: string; labels: string } | undefined;
  data: string;
  agents: number;
  port: number | undefined;
}

export const HELP = `Usage: npm run quickstart -- [options]

Starts the whole of camfleet on this machine and shows it at work: 40 simulated cameras, two agents and a
trainer, or your own cameras. The simulated ones say what they show, so after a minute a model is trained, and later a better one.

  --cameras FILE   your cameras: CSV, JSON, JSON Lines or GeoJSON
  --model FILE     an image classifier in ONNX format; with --labels FILE, one label a line; it stays in force
  --data DIR       where everything is kept (default: data/quickstart)
  --agents N       how many agents (default: 2)
  --port N         port of API and page (default: 8600; with --once a free one)
  --once           stop when every camera was tried and a model has classified (trained on the simulated cameras, or
                   given; after 80 s without one, too), and print what came of it
  --json           with --once: the last line of stdout is one JSON object

Examples:
  npm run quickstart
  npm run quickstart -- --cameras mine.csv
  npm run quickstart -- --once --json --model mobilenet.onnx --labels imagenet.txt
`;

/** Throws `USAGE` with what is wrong. */
export function quickstartOptions(args: readonly string[]): QuickstartOptions {
  const values = parse(args);
  if ((values.model === undefined) !== (values.labels === undefined)) throw usage('--model and --labels go together.');
  for (const file of [values.cameras, values.model, values.labels]) {
    if (file !== undefined && !existsSync(file)) throw usage(`There is no file ${file}.`);
  }
  if (values.json && !values.once) throw usage('--json goes with --once.');
  return {
    once: values.once,
    json: values.json,
    help: values.help,
    cameras: values.cameras,
    model: values.model && values.labels ? { network: values.model, labels: values.labels } : undefined,
    data: values.data,
    agents: whole('agents', values.agents, 1, 64) ?? 2,
    port: whole('port', values.port, 0, 65_535) ?? (values.once ? 0 : undefined),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        once: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        cameras: { type: 'string' },
        model: { type: 'string' },
        labels: { type: 'string' },
        data: { type: 'string', default: 'data/quickstart' },
        agents: { type: 'string' },
        port: { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw usage((error as Error).message);
  }
}

function whole(name: string, text: string | undefined, low: number, high: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < low || value > high) {
    throw usage(`--${name} must be a whole number from ${low} to ${high}, not "${text}".`);
  }
  return value;
}

const usage = (message: string): AppError => new AppError('USAGE', `${message}\n\n${HELP}`);
