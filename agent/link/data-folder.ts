import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, codeOf } from '../../common/runtime/errors.ts';

/**
 * One process a data folder: two would send different batches under one identity. The lock is a file that names its holder by
 * pid and start time; a dead holder's lock is taken over. Returns the release; throws `DATA_FOLDER_IN_USE`.
 */
export async function lockDataFolder(folder: string): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'agent.lock');
  const mine = JSON.stringify({ pid: process.pid, started: await startOf(process.pid), id: randomUUID() });
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, mine);
  try {
    // A link never overwrites, so of two starters one wins.
    for (let tries = 0; !(await linked(draft, path)); tries++) {
      const held = await readFile(path, 'utf8').catch(() => '');
      const holder = parse(held);
      if (tries === 10 || (holder && (await isAlive(holder)))) throw inUse(folder, holder?.pid);
      await moveStaleAway(path, held);
    }
  } finally {
    await rm(draft, { force: true });
  }
  return async () => {
    if ((await readFile(path, 'utf8').catch(() => '')) === mine) await rm(path, { force: true });
  };
}

interface Holder {
  pid: number;
  /** Clock ticks since boot at which the process started; `null` where the system does not tell. */
  started: string | null;
}

/** A pid may have been given to another process since: the start time tells them apart. */
async function isAlive({ pid, started }: Holder): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false;
  }
  return (await startOf(pid)) === started;
}

async function startOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // The second field is the command in parentheses and may hold spaces; the start is the 22nd.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Another starter may have replaced the stale lock since it was read: what turns out to be a live one goes back. */
async function moveStaleAway(path: string, stale: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await readFile(aside, 'utf8')) !== stale) await linked(aside, path);
  await rm(aside, { force: true });
}

function parse(text: string): Holder | undefined {
  try {
    const { pid, started } = JSON.parse(text) as Holder;
    return Number.isInteger(pid) ? { pid, started } : undefined;
  } catch {
    return undefined;
  }
}

const inUse = (folder: string, pid: number | undefined): AppError =>
  new AppError(
    'DATA_FOLDER_IN_USE',
    `Another agent (process ${pid ?? 'unknown'}) runs on the data folder ${folder}. Stop it first, or give this one a folder of its own with --data.`,
  );
