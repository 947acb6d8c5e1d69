import { constants } from 'node:fs';
import { access } from 'node:fs/promises';

/** What stands in front of ffmpeg's own command line, so that the kernel ends it where nobody else can. */
export interface Launcher {
  /** `setpriv`: the child is killed in the moment in which the thread that started it is gone, kill -9 included. */
  setpriv: string | undefined;
  /** `prlimit`: caps of address space and processor time. */
  prlimit: string | undefined;
}

// Debian's ffmpeg maps about 0.5 GB of libraries; a picture of 50 megapixels takes 0.3 GB more.
const ADDRESS_SPACE_BYTES = 4 * 2 ** 30;

/** Both programs belong to util-linux, which every Linux distribution has; elsewhere closing the pipes has to do. */
export async function findLauncher(folders = ['/usr/bin', '/bin', '/usr/local/bin']): Promise<Launcher> {
  const find = async (name: string): Promise<string | undefined> => {
    for (const folder of folders) {
      const path = `${folder}/${name}`;
      if (process.platform === 'linux' && (await isExecutable(path))) return path;
    }
    return undefined;
  };
  return { setpriv: await find('setpriv'), prlimit: await find('prlimit') };
}

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

/**
 * The command with its guards. Each of them replaces itself by the next (exec), so there is one process, with one id.
 *
 * @param cpuSeconds processor time after which the kernel kills it; none for a child that stays
 */
export function guarded(
  command: readonly string[],
  { setpriv, prlimit }: Launcher,
  cpuSeconds: number | undefined,
): [string, ...string[]] {
  const words: string[] = [];
  if (setpriv) words.push(setpriv, '--pdeathsig', 'KILL');
  if (prlimit) {
    words.push(prlimit, `--as=${ADDRESS_SPACE_BYTES}`, '--core=0');
    if (cpuSeconds !== undefined) words.push(`--cpu=${cpuSeconds}`);
  }
  return [...words, ...command] as [string, ...string[]];
}
