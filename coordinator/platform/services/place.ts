import { randomBytes } from 'node:crypto';
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  realpath,
  rename,
} from 'node:fs/promises';
import { rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError, codeOf } from '../../../common/runtime/errors.ts';
import { canEnter } from './account.ts';
import type { Account } from './account.ts';

// Where the servers keep their files: DATA/services, 0700 and owned by their account.
//
// As root the account may be unable to reach DATA, because it lies below a home that only root may enter (0700), and opening up
// somebody's home is not ours to do. Then the files live in /var/lib/camfleet/<random>/services (or /var/tmp), and DATA/services
// is a symbolic link to them: a second start follows it, and `cp -aL` still copies a whole backup. Beside the files `owner.json`
// names the data folder they belong to, because a plain copy of DATA copies the link only, and two data folders must never
// start servers on the same files. A moved data folder takes its files along; a restored real folder is put in place again.

const SYSTEM_FOLDER = '/var/lib/camfleet';

/** Makes DATA/services, wherever it really lies, and returns its real path. */
export async function prepareServicesFolder(dataFolder: string, account: Account | undefined): Promise<string> {
  const link = join(dataFolder, 'services');
  const kind = await kindOf(link);
  if (kind === 'link') return followLink(dataFolder, link, account);
  if (canEnter(account, dataFolder)) {
    await mkdir(link, { recursive: true });
    await own(link, account);
    return link;
  }
  const place = await displacedFolder(dataFolder);
  const target = join(place, 'services');
  if (kind === 'folder') await moveFolder(link, target);
  else await mkdir(target);
  await own(target, account);
  await symlink(target, link);
  return target;
}

async function kindOf(path: string): Promise<'absent' | 'link' | 'folder'> {
  try {
    return (await lstat(path)).isSymbolicLink() ? 'link' : 'folder';
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'absent';
    throw error;
  }
}

async function followLink(dataFolder: string, link: string, account: Account | undefined): Promise<string> {
  const target = await readlink(link);
  if ((await kindOf(target)) === 'absent') {
    throw new AppError(
      'SERVICES_FOLDER_LOST',
      `${link} points to ${target}, where the database of this data folder should be, but nothing is there. ` +
        `Restore ${target}, or remove the link to begin with an empty database.`,
    );
  }
  const ownerFile = join(dirname(target), 'owner.json');
  const owner = await readFile(ownerFile, 'utf8').then(
    (text) => (JSON.parse(text) as { dataFolder: string }).dataFolder,
    () => undefined,
  );
  if (owner !== undefined && owner !== dataFolder && (await sameLink(join(owner, 'services'), target))) {
    throw new AppError(
      'SERVICES_FOLDER_SHARED',
      `${dataFolder} is a copy of ${owner}: both point to the database in ${target}. ` +
        'Copy a stopped data folder with `cp -aL`, which takes the database along.',
    );
  }
  if (owner !== dataFolder && (process.getuid?.() ?? 0) === 0) await writeOwner(dirname(target), dataFolder);
  await own(target, account);
  return target;
}

async function sameLink(link: string, target: string): Promise<boolean> {
  return readlink(link).then(
    (other) => other === target,
    () => false,
  );
}

async function displacedFolder(dataFolder: string): Promise<string> {
  const place = join(SYSTEM_FOLDER, randomBytes(6).toString('hex'));
  const made = await mkdir(place, { recursive: true }).then(
    () => place,
    () => mkdtemp('/var/tmp/camfleet-'),
  );
  await chmod(dirname(made), made === place ? 0o755 : 0o1777);
  await chmod(made, 0o711);
  await writeOwner(made, dataFolder);
  return made;
}

const writeOwner = (place: string, dataFolder: string): Promise<void> =>
  writeFile(join(place, 'owner.json'), `${JSON.stringify({ dataFolder })}\n`);

/** Copies to a name of its own first: a break in the middle leaves the original whole. */
async function moveFolder(from: string, to: string): Promise<void> {
  await cp(from, `${to}.partial`, { recursive: true, preserveTimestamps: true });
  await rename(`${to}.partial`, to);
  await rm(from, { recursive: true });
}

/** Gives a folder, and what root restored into it, to the account. */
async function own(folder: string, account: Account | undefined): Promise<void> {
  await chmod(folder, 0o700);
  if (!account) return;
  const top = await stat(folder);
  if (top.uid === account.uid) return;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) await chown(join(entry.parentPath, entry.name), account.uid, account.gid);
  }
  await chown(folder, account.uid, account.gid);
}

/** A folder of the account inside the services folder. */
export async function makeFolder(path: string, account: Account | undefined): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await own(path, account);
  return path;
}

/** The data folder's real path. As root its mode lets the servers' account pass, but not list: each part protects its own files. */
export async function prepareDataFolder(dataFolder: string): Promise<string> {
  const created = await mkdir(dataFolder, { recursive: true });
  if (created !== undefined) await chmod(dataFolder, process.getuid?.() === 0 ? 0o711 : 0o700);
  return realpath(dataFolder);
}
