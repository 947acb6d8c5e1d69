import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';

export interface Ffmpeg {
  path: string;
  /** As the program says it, e.g. `5.1.9-0+deb12u1` or `n7.1-12-g0fc1d17`. */
  version: string;
  /** Where it was found. */
  origin: 'configured' | 'ffmpeg-static' | 'PATH';
}

export interface FindOptions {
  /** The operator's choice; then nothing else is tried. */
  configured?: string | undefined;
  /** Folders to look into, as in the environment variable. */
  path?: string | undefined;
  /** File of the package ffmpeg-static; by default where Node finds it. */
  packaged?: string | undefined;
}

// Starting a program takes milliseconds; one that does not tell its version in so long is not ffmpeg.
const VERSION_TIMEOUT_MS = 10_000;

/** The first ffmpeg that runs: the configured one, the one that ffmpeg-static downloaded, one on the PATH. */
export async function findFfmpeg(options: FindOptions = {}): Promise<Ffmpeg | undefined> {
  if (options.configured) return probe(options.configured, 'configured');
  const packaged = options.packaged ?? packagedFile();
  const found = packaged === undefined ? undefined : await probe(packaged, 'ffmpeg-static');
  if (found) return found;
  for (const folder of (options.path ?? process.env['PATH'] ?? '').split(delimiter)) {
    const onPath = folder && (await probe(join(folder, 'ffmpeg'), 'PATH'));
    if (onPath) return onPath;
  }
  return undefined;
}

/** Where the package keeps its program. Not `import`: its main file reads the environment, and it may not be installed. */
function packagedFile(): string | undefined {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('ffmpeg-static/package.json')), 'ffmpeg');
  } catch {
    return undefined;
  }
}

async function probe(path: string, origin: Ffmpeg['origin']): Promise<Ffmpeg | undefined> {
  try {
    await access(path, constants.X_OK);
    const version = await versionOf(path);
    return version === undefined ? undefined : { path, version, origin };
  } catch {
    return undefined;
  }
}

function versionOf(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(path, ['-hide_banner', '-version'], { timeout: VERSION_TIMEOUT_MS, env: {} }, (error, stdout) =>
      resolve(error ? undefined : /^ffmpeg version (\S+)/.exec(stdout)?.[1]),
    );
  });
}

/** Major and minor of a release; `undefined` for builds that are named by a commit (those are newer than any we tell apart). */
export function releaseOf(version: string): readonly [number, number] | undefined {
  const parts = /^n?(\d+)\.(\d+)/.exec(version);
  return parts ? [Number(parts[1]), Number(parts[2])] : undefined;
}
