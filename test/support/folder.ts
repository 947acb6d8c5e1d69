import { chmod, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * A new folder for data folders, to be removed by the caller. The account that PostgreSQL and Redis run under when we are root
 * may pass; else they would put their files elsewhere, where no test removes them. Short, because sockets lie in it.
 */
export async function makeTestFolder(name: string): Promise<string> {
  const folder = await mkdtemp(join('/tmp', `camfleet-${name}-`));
  await chmod(folder, 0o711);
  return folder;
}
