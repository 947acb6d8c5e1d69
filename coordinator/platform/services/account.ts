import { execFile, spawnSync } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { AppError } from '../../../common/runtime/errors.ts';

const run = promisify(execFile);

/** The unprivileged account that PostgreSQL and Redis run under when we are root. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
}

const DEDICATED = 'camfleet';

/**
 * `undefined` when we are not root: then the servers simply run as ourselves. PostgreSQL refuses to run as root, so root needs
 * another account. Files that exist already decide (a changed account could not open its own database); else an account of our
 * own, made at first use; else `nobody`.
 */
export async function chooseAccount(existingFolder: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await ownerOf(existingFolder);
  if (owner !== undefined && owner !== 0) return accountNamed(String(owner));
  return (await accountNamed(DEDICATED)) ?? (await makeAccount()) ?? (await nobody());
}

/** Whether the account may enter the folder: asked of the system itself, because modes alone do not tell (ACLs, mounts). */
export function canEnter(account: Account | undefined, folder: string): boolean {
  if (!account) return true;
  const asked = spawnSync('/bin/sh', ['-c', 'cd -- "$1"', 'sh', folder], {
    cwd: '/',
    uid: account.uid,
    gid: account.gid,
    stdio: 'ignore',
  });
  if (asked.error) {
    throw new AppError(
      'SERVICES_ACCOUNT',
      `PostgreSQL refuses to run as root, and this root may not change to the account "${account.name}". ` +
        'Run camfleet as an ordinary user, or set DATABASE_URL and REDIS_URL.',
      { cause: asked.error },
    );
  }
  return asked.status === 0;
}

async function ownerOf(folder: string): Promise<number | undefined> {
  return stat(folder).then(
    (found) => found.uid,
    () => undefined,
  );
}

/** `undefined` where the machine knows no such account. Takes a name or a numeric id. */
async function accountNamed(name: string): Promise<Account | undefined> {
  try {
    const uid = Number((await run('id', ['-u', name])).stdout);
    const gid = Number((await run('id', ['-g', name])).stdout);
    return { name: (await run('id', ['-un', name])).stdout.trim(), uid, gid };
  } catch {
    return undefined;
  }
}

async function makeAccount(): Promise<Account | undefined> {
  const options = ['--system', '--user-group', '--no-create-home', '--home-dir', '/nonexistent'];
  await run('useradd', [...options, '--shell', '/usr/sbin/nologin', DEDICATED]).catch(() => undefined);
  return accountNamed(DEDICATED);
}

async function nobody(): Promise<Account> {
  const found = await accountNamed('nobody');
  if (found) return found;
  throw new AppError(
    'SERVICES_ACCOUNT',
    'PostgreSQL refuses to run as root and there is neither an account "camfleet" nor "nobody" here. ' +
      'Run `useradd --system camfleet`, run camfleet as an ordinary user, or set DATABASE_URL and REDIS_URL.',
  );
}
