import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { AppError, codeOf, messageOf } from '../../common/runtime/errors.ts';
import { backbonesOf } from '../backbone/folder.ts';

export const HELP = `Usage: camfleet trainer [--server URL] [--token TOKEN] [--data DIR] [--once]

Waits for training runs, trains both models of each, and publishes what came of it. It gives way to everything else on its
machine. Ctrl-C saves what it has; the run then waits for a trainer again.

It may run on another machine than the coordinator, which listens on loopback only as yet: reach it through an SSH tunnel, or
through a reverse proxy with TLS on the coordinator's machine.

  --server URL    the coordinator (CAMFLEET_URL; default http://127.0.0.1:8600)
  --token TOKEN   API token with the role operator (CAMFLEET_TOKEN; default: the one in DATA/keys on this machine)
  --data DIR      data folder; the trainer keeps its key, snapshots and checkpoints in DIR/trainer (default: data), and finds
                  the backbones of runs that ask for one in DIR/backbones (camfleet backbone import --data DIR)
  --name NAME     what runs call it (default: the host's name)
  --once          end after one run: 0 when it succeeded, 1 when not

Examples:
  camfleet trainer
  ssh -N -L 8600:127.0.0.1:8600 fleet.example.org &
  camfleet trainer --data /srv/trainer                                      (with CAMFLEET_TOKEN)
  camfleet trainer --server https://fleet.example.org --data /srv/trainer   (a proxy; with CAMFLEET_TOKEN)
`;

export interface TrainerOptions {
  server: URL;
  token: string;
  /** Where this trainer keeps what it has. */
  folder: string;
  /** Where backbones are that runs may ask for. */
  backbones: string;
  name: string;
  once: boolean;
}

/** @returns `undefined` where only help was asked for. @throws AppError USAGE */
export async function trainerOptions(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<TrainerOptions | undefined> {
  const values = parse(args);
  if (values.help) return undefined;
  const given = values.server ?? environment['CAMFLEET_URL'] ?? 'http://127.0.0.1:8600';
  if (!URL.canParse(given) || !/^https?:$/.test(new URL(given).protocol)) {
    throw usage(`--server "${given}" is no address; write e.g. http://127.0.0.1:8600.`);
  }
  const server = new URL(given);
  const data = resolve(values.data ?? environment['CAMFLEET_DATA_FOLDER'] ?? 'data');
  return {
    server,
    token: values.token ?? environment['CAMFLEET_TOKEN'] ?? (await ownToken(server, data)),
    folder: join(data, 'trainer'),
    backbones: backbonesOf(data),
    name: values.name ?? hostname(),
    once: values.once,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        server: { type: 'string' },
        token: { type: 'string' },
        data: { type: 'string' },
        name: { type: 'string' },
        once: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    throw usage(messageOf(error));
  }
}

/** The administrator's token of a coordinator on this machine. It is never sent to another machine unasked. */
async function ownToken(server: URL, data: string): Promise<string> {
  if (!/^(localhost|\[::1\]|127\.[\d.]+)$/.test(server.hostname)) {
    throw usage(`${server.origin} is another machine: give its API token with --token or CAMFLEET_TOKEN.`);
  }
  const file = join(data, 'keys', 'admin-token');
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw usage(
      `There is no API token: ${file} cannot be read (${codeOf(error) ?? messageOf(error)}). Name the coordinator's data ` +
        'folder with --data, or give --token.',
    );
  }
}

const usage = (message: string): AppError => new AppError('USAGE', `${message}\n\n${HELP}`);
