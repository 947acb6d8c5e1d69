import { execFile } from 'node:child_process';
import { readFile, readlink, realpath } from 'node:fs/promises';
import { promisify } from 'node:util';
import { AppError } from '../../../common/runtime/errors.ts';
import type { Clock } from '../../../common/runtime/clock.ts';

const run = promisify(execFile);

/** What to send, and how long to wait for the end before the next step. */
export interface StopStep {
  signal: NodeJS.Signals;
  graceMs: number;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * When the process began, in the kernel's own words: a pid alone may have been given to somebody else since. `undefined` when
 * it is gone (a zombie is).
 */
export async function startOf(pid: number): Promise<string | undefined> {
  if (!isAlive(pid)) return undefined;
  if (process.platform !== 'linux') {
    return run('ps', ['-o', 'lstart=', '-p', String(pid)]).then(
      ({ stdout }) => stdout.trim(),
      () => undefined,
    );
  }
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The name in brackets may hold anything, so count fields from the last bracket: state is the 3rd of the file, start the 22nd.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields === undefined || fields[0] === 'Z' ? undefined : fields[19];
}

/** The working folder of a process; both servers change into their data folder, whatever happened to their binary since. */
async function workingFolderOf(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') return readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  const found = await run('lsof', ['-a', '-p', String(pid), '-d', 'cwd', '-Fn']).catch(() => undefined);
  return found?.stdout
    .split('\n')
    .find((line) => line.startsWith('n'))
    ?.slice(1);
}

/** Whether the live process `pid` is the server of this name on this folder. */
export async function isServerOn(pid: number, folder: string, name: string): Promise<boolean> {
  if ((await startOf(pid)) === undefined) return false;
  const command = await run('ps', ['-o', 'comm=', '-p', String(pid)]).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  );
  return command.includes(name) && (await workingFolderOf(pid)) === (await realpath(folder));
}

/** Walks down the ladder until the process is gone. */
export async function stopProcess(pid: number, ladder: readonly StopStep[], clock: Clock): Promise<void> {
  const start = await startOf(pid);
  const isGone = async (): Promise<boolean> => start === undefined || (await startOf(pid)) !== start;
  for (const { signal, graceMs } of ladder) {
    if (await isGone()) return;
    process.kill(pid, signal);
    const deadline = clock.monotonic() + graceMs;
    while (clock.monotonic() < deadline) {
      if (await isGone()) return;
      await clock.sleep(20);
    }
  }
  if (await isGone()) return;
  throw new AppError('SERVICES_STUCK', `Process ${pid} did not end, not even after SIGKILL; end it and start again.`);
}
