import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { createDatabase } from '../../../coordinator/platform/database/database.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import type { ShutdownStack } from '../../../common/runtime/service.ts';
import { Api } from '../../machine/api.ts';
import { LABELS } from './camera-life.ts';
import { databaseSocketOf } from './processes.ts';

const PROGRAM = new URL('../../../coordinator/main.ts', import.meta.url).pathname;
const READY_WITHIN_MS = 120_000;

/** The coordinator's process with its own PostgreSQL and Redis, in a folder that is removed afterwards. */
export interface Host {
  pid: number;
  api: Api;
  /** Takes from every camera the wishes of its first day, which would otherwise fill the first minutes. */
  rememberPictures(): Promise<void>;
}

export async function startHost(cores: string, shutdown: ShutdownStack): Promise<Host> {
  const folder = await mkdtemp('/tmp/camfleet-bench-');
  // The account of PostgreSQL may pass; else it would put its files elsewhere, where nobody removes them.
  await chmod(folder, 0o711);
  shutdown.defer('folder', () => rm(folder, { recursive: true, force: true }));
  const args = [...process.execArgv, PROGRAM, '--data', folder, '--port', '0', '--log.level', 'warn'];
  const log = openSync(join(folder, 'coordinator.log'), 'a', 0o600);
  const child = spawn('taskset', ['-c', cores, process.execPath, ...args], {
    stdio: ['ignore', 'ignore', log, 'ipc'],
    env: ownEnvironment(),
  });
  closeSync(log);
  shutdown.defer('coordinator', () => stopChild(child));
  const url = await readyUrl(child, join(folder, 'coordinator.log'));
  const token = (await readFile(join(folder, 'keys', 'admin-token'), 'utf8')).trim();
  const pid = child.pid as number;
  return { pid, api: new Api(url, token), rememberPictures: () => rememberPictures(pid) };
}

/** Nothing that would lead to an operator's own servers or change the defaults that are measured. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const isOurs = (name: string): boolean => /^(CAMFLEET_|DATABASE_URL$|REDIS_URL$)/.test(name);
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isOurs(name)));
}

function readyUrl(child: ChildProcess, logFile: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = async (what: string): Promise<void> => {
      const said = (await readFile(logFile, 'utf8').catch(() => '')).slice(-1_500);
      reject(new AppError('BENCH_COORDINATOR', `The coordinator ${what}. The end of its log:\n${said}`));
    };
    const late = setTimeout(() => void fail(`was not ready in ${READY_WITHIN_MS / 1_000} s`), READY_WITHIN_MS);
    child.once('exit', (code, signal) => void fail(`ended (${signal ?? code})`).finally(() => clearTimeout(late)));
    child.on('message', (message) => {
      const { ready } = message as { ready?: { url: string } };
      if (!ready) return;
      clearTimeout(late);
      resolve(ready.url);
    });
  });
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 60_000);
  await gone;
  clearTimeout(late);
}

async function rememberPictures(pid: number): Promise<void> {
  const host = databaseSocketOf(pid);
  if (host === undefined) throw new AppError('BENCH_DATABASE', 'The coordinator has no PostgreSQL process of its own.');
  const connection = { host, port: 5432, user: 'camfleet', database: 'camfleet' };
  const database = await createDatabase({ connection, logger: silentLogger });
  try {
    await database.query(
      `insert into camera_keeps (camera_id, verdicts, labels, daily_at) select id, '{good}', $1, clock_timestamp() from cameras`,
      [[...LABELS]],
    );
  } finally {
    await database.close();
  }
}
