import { spawn } from 'node:child_process';
import { access, chown, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { totalmem, userInfo } from 'node:os';
import { join } from 'node:path';
import { AppError, codeOf } from '../../../common/runtime/errors.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Logger } from '../../../common/runtime/logger.ts';
import type { Account } from './account.ts';
import { findPostgres } from './binaries.ts';
import { makeFolder } from './place.ts';
import { isServerOn, stopProcess } from './processes.ts';
import type { StopStep } from './processes.ts';
import { POSTGRES_SOCKET } from './sockets.ts';
import { serverEnvironment, SupervisedServer } from './supervised-server.ts';

/** Role and database of ours in the embedded server. */
export const POSTGRES_NAME = 'camfleet';
export const POSTGRES_PORT = 5432;

/** SIGINT is PostgreSQL's fast shutdown (clients are cut off, data is safe), SIGQUIT leaves the rest to recovery. */
const LADDER: readonly StopStep[] = [
  { signal: 'SIGINT', graceMs: 30_000 },
  { signal: 'SIGQUIT', graceMs: 5_000 },
  { signal: 'SIGKILL', graceMs: 5_000 },
];

/**
 * A fleet changes all of its rows once a minute, some 12 kB of pages a camera; a page that is not in here is copied in and out for
 * it, which at 60,000 cameras and 256 MB cost more than the statement. Memory that no page needs is not taken.
 */
function sharedBuffersMb(): number {
  // A container may have less than its machine; without a limit it is 0, absent or beyond all memory.
  const memory = Math.min(totalmem(), process.constrainedMemory() || Infinity);
  return Math.round(Math.min(2_048, Math.max(256, memory / 1_048_576 / 8)));
}

/** Everything else is PostgreSQL's default; fsync and synchronous_commit are named because a receipt promises durability. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  // One coordinator uses 20; tests run several beside each other.
  max_connections: '200',
  shared_buffers: `${sharedBuffersMb()}MB`,
  // The first change of a page after a checkpoint writes all of it into the log, and a fleet changes every page once a minute:
  // with PostgreSQL's five minutes, or less log, most of what is written would be whole pages.
  max_wal_size: '6GB',
  checkpoint_timeout: '15min',
  // Short statements all day: compiling them costs more than running them.
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_destination: 'stderr',
  logging_collector: 'off',
};

export interface ServerContext {
  servicesFolder: string;
  socketFolder: string;
  account: Account | undefined;
  logger: Logger;
  clock: Clock;
}

/** Makes the cluster at the first start, stops what an earlier run left alive, and returns the server, not yet started. */
export async function preparePostgres(context: ServerContext): Promise<SupervisedServer> {
  const { servicesFolder, socketFolder, account, clock } = context;
  const native = await findPostgres(account);
  const folder = join(servicesFolder, 'postgres');
  if (!(await exists(join(folder, 'PG_VERSION')))) await initialise(native, folder, context);
  await checkVersion(native, folder);
  await writeAccessRules(folder, account);
  const settings = { ...SETTINGS, unix_socket_directories: socketFolder, port: String(POSTGRES_PORT) };
  return new SupervisedServer(
    {
      name: 'PostgreSQL',
      binary: join(native, 'bin', 'postgres'),
      args: ['-D', folder, ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`])],
      folder,
      account,
      isReady: (pid) => isReady(folder, pid),
      clearStale: () => clearStale(folder, socketFolder, clock),
      ladder: LADDER,
    },
    context,
  );
}

/** In a folder beside, renamed at the end: a break in the middle leaves no half cluster. */
async function initialise(
  native: string,
  folder: string,
  { account, servicesFolder, logger }: ServerContext,
): Promise<void> {
  const draft = `${folder}.new`;
  await rm(draft, { recursive: true, force: true });
  await makeFolder(draft, account);
  logger.info({ folder }, 'making the database');
  // Bytes decide the order of names everywhere, on every machine; upper and lower case are still known beyond ASCII.
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const access = ['--auth-local=peer', '--auth-host=reject', `--username=${POSTGRES_NAME}`, '--no-instructions'];
  const run = { account, cwd: servicesFolder };
  await runTool(join(native, 'bin', 'initdb'), ['-D', draft, ...locale, ...access], run);
  const single = ['--single', '-D', draft, '-c', 'log_min_messages=warning', 'postgres'];
  await runTool(join(native, 'bin', 'postgres'), single, { ...run, input: `create database ${POSTGRES_NAME};\n` });
  await rm(folder, { recursive: true, force: true });
  await rename(draft, folder);
}

function runTool(
  binary: string,
  args: readonly string[],
  { account, cwd, input = '' }: { account: Account | undefined; cwd: string; input?: string },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const identity = account ? { uid: account.uid, gid: account.gid } : {};
    const child = spawn(binary, args, { cwd, env: serverEnvironment(), stdio: 'pipe', detached: true, ...identity });
    let said = '';
    const listen = (chunk: Buffer): void => void (said = `${said}${chunk.toString()}`.slice(-2000));
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else
        reject(new AppError('SERVICES_START', `${binary} ended with ${code ?? 'a signal'}. It said: ${said.trim()}`));
    });
  });
}

async function checkVersion(native: string, folder: string): Promise<void> {
  const cluster = (await readFile(join(folder, 'PG_VERSION'), 'utf8')).trim();
  const shipped = await readFile(join(native, 'share', 'postgresql', 'postgres.bki'), 'utf8').catch(() => '');
  const version = /^# PostgreSQL (\d+)/.exec(shipped)?.[1] ?? cluster;
  if (cluster === version) return;
  throw new AppError(
    'POSTGRES_VERSION',
    `The database in ${folder} was made by PostgreSQL ${cluster}, but this camfleet brings ${version}. ` +
      'Move it with pg_dump and psql, or start the camfleet version that made it.',
  );
}

/**
 * Peer authentication: the kernel says who is at the other end of the socket, so there is no password to keep or to lose. Only
 * the user that runs camfleet may log in, not even the servers' own account. Written at every start, because that user may change.
 */
async function writeAccessRules(folder: string, account: Account | undefined): Promise<void> {
  const user = userInfo().username.replaceAll('"', '""');
  const files = {
    'pg_hba.conf': 'local all all peer map=camfleet\n',
    'pg_ident.conf': `camfleet "${user}" ${POSTGRES_NAME}\n`,
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    await writeFile(path, text, { mode: 0o600 });
    if (account) await chown(path, account.uid, account.gid);
  }
}

/** PostgreSQL writes its state into the 8th line of its pid file; pg_ctl waits for the same word. */
async function isReady(folder: string, pid: number): Promise<boolean> {
  const lines = (await readFile(join(folder, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

/**
 * A live server of ours, left by a camfleet that was killed, is stopped and waited for. Any other pid is stale: the number may
 * meanwhile belong to somebody else, and PostgreSQL would refuse to start because of it. It also locks its socket by pid; the
 * socket folder is ours alone, so what lies there is a leftover.
 */
async function clearStale(folder: string, socketFolder: string, clock: Clock): Promise<void> {
  const pidFile = join(folder, 'postmaster.pid');
  const text = await readFile(pidFile, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return '';
    throw error;
  });
  const pid = Math.abs(Number(text.split('\n')[0]));
  if (pid > 0 && (await isServerOn(pid, folder, 'postgres'))) await stopProcess(pid, LADDER, clock);
  const socket = join(socketFolder, POSTGRES_SOCKET);
  for (const path of [pidFile, socket, `${socket}.lock`]) await rm(path, { force: true });
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
