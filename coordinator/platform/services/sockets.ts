import { createHash } from 'node:crypto';
import { chmod, chown, lstat, mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Account } from './account.ts';
import { makeFolder } from './place.ts';

/** Bytes that a Unix socket's path may have: 107 and a closing zero on Linux, 103 on macOS. */
const LONGEST_PATH = process.platform === 'darwin' ? 103 : 107;
/** PostgreSQL derives this name from its port; it is the longest that we make. */
export const POSTGRES_SOCKET = '.s.PGSQL.5432';
export const REDIS_SOCKET = 'redis.sock';

export interface SocketFolder {
  path: string;
  /** Inside the services folder, or a short folder below /tmp because that path would be too long. */
  short: boolean;
}

/** A folder that only the servers' account (and root) may enter: entering it is what lets a client in. */
export async function prepareSocketFolder(servicesFolder: string, account: Account | undefined): Promise<SocketFolder> {
  const inside = join(servicesFolder, 'run');
  if (Buffer.byteLength(join(inside, POSTGRES_SOCKET)) <= LONGEST_PATH) {
    return { path: await makeFolder(inside, account), short: false };
  }
  return { path: await shortFolder(servicesFolder, account), short: true };
}

/** The same name at every start, so that kill -9 does not litter /tmp; another name where somebody else sits on it. */
async function shortFolder(servicesFolder: string, account: Account | undefined): Promise<string> {
  const id = createHash('sha256').update(servicesFolder).digest('hex').slice(0, 12);
  const temporary = Buffer.byteLength(tmpdir()) <= 60 ? tmpdir() : '/tmp';
  const uid = account?.uid ?? process.getuid?.() ?? 0;
  const path = join(temporary, `camfleet-${id}`);
  try {
    await mkdir(path, { mode: 0o700 });
  } catch {
    const found = await lstat(path);
    if (found.isDirectory() && found.uid === uid && (found.mode & 0o777) === 0o700) return path;
    return give(await mkdtemp(join(temporary, 'camfleet-')), account);
  }
  return give(path, account);
}

async function give(path: string, account: Account | undefined): Promise<string> {
  await chmod(path, 0o700);
  if (account) await chown(path, account.uid, account.gid);
  return path;
}
