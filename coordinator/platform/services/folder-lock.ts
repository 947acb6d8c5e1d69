import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { AppError, codeOf } from '../../../common/runtime/errors.ts';
import { startOf } from './processes.ts';

/**
 * One supervisor a data folder: a second one would take the first one's servers for leftovers and stop them. The lock is a file
 * that names its holder; after kill -9 the holder is gone and the lock is taken over. Returns the release.
 */
export async function lockFolder(path: string): Promise<() => Promise<void>> {
  const mine = JSON.stringify({ pid: process.pid, start: await startOf(process.pid), id: randomUUID() });
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, mine);
  try {
    // Linking is atomic and never overwrites: of two starters one wins.
    for (let tries = 0; !(await claim(draft, path)); tries++) {
      const held = await readFile(path, 'utf8').catch(() => '');
      const holder = parseHolder(held);
      if (tries === 10 || (holder && (await startOf(holder.pid)) === holder.start)) throw inUse(path, holder?.pid);
      await removeStale(path, held);
    }
  } finally {
    await rm(draft, { force: true });
  }
  return async () => {
    if ((await readFile(path, 'utf8').catch(() => '')) === mine) await rm(path, { force: true });
  };
}

async function claim(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Another starter may have replaced the stale lock since it was read: then what we moved away is live and goes back. */
async function removeStale(path: string, stale: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await readFile(aside, 'utf8')) !== stale) await claim(aside, path);
  await rm(aside, { force: true });
}

function parseHolder(text: string): { pid: number; start: string } | undefined {
  try {
    return JSON.parse(text) as { pid: number; start: string };
  } catch {
    return undefined;
  }
}

const inUse = (path: string, pid: number | undefined): AppError =>
  new AppError(
    'DATA_FOLDER_IN_USE',
    `Another camfleet (process ${pid ?? 'unknown'}) runs on this data folder (${path}). ` +
      'Stop it first, or give this one a folder of its own with --data.',
  );
