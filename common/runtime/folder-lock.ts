import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError, codeOf } from './errors.ts';

const TRIES = 12;

/**
 * One process of a kind a data folder. Each claims with a file of its own and looks only then who else is there, so of two at
 * least one sees the other; no file is ever taken over, and a dead process's is removed. Returns the release; throws
 * `DATA_FOLDER_IN_USE`.
 *
 * @param who names the kind, also in the error, e.g. "agent"
 */
export async function lockFolder(folder: string, who: string): Promise<() => Promise<void>> {
  const locks = join(folder, `${who}.lock`);
  await mkdir(locks, { recursive: true });
  const holder: Holder = { pid: process.pid, started: await startOf(process.pid) };
  for (let tries = 1; ; tries++) {
    const mine = `${randomUUID()}.json`;
    await writeFile(join(locks, `${mine}.draft`), JSON.stringify(holder));
    await rename(join(locks, `${mine}.draft`), join(locks, mine));
    const other = await otherHolder(locks, mine);
    const release = () => rm(join(locks, mine), { force: true });
    if (!other) return release;
    await release();
    if (tries === TRIES) throw inUse(folder, who, other.pid);
    // Two that start at once both step back; different pauses let one of them in.
    await delay(5 + Math.random() * 50);
  }
}

interface Holder {
  pid: number;
  /** Clock ticks since boot at which the process started; `null` where the system does not tell. */
  started: string | null;
}

async function otherHolder(locks: string, mine: string): Promise<Holder | undefined> {
  for (const name of await readdir(locks)) {
    if (name === mine || !name.endsWith('.json')) continue;
    const holder = parse(await readFile(join(locks, name), 'utf8').catch(() => ''));
    if (holder && (await isAlive(holder))) return holder;
    await rm(join(locks, name), { force: true });
  }
  return undefined;
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

function parse(text: string): Holder | undefined {
  try {
    const { pid, started } = JSON.parse(text) as Holder;
    return Number.isInteger(pid) ? { pid, started } : undefined;
  } catch {
    return undefined;
  }
}

const inUse = (folder: string, who: string, pid: number): AppError =>
  new AppError(
    'DATA_FOLDER_IN_USE',
    `Another ${who} (process ${pid}) runs on the data folder ${folder}. Stop it first, or give this one a folder of its own with --data.`,
  );
