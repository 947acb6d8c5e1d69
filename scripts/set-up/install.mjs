import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { runQuietly, say, SetUpError } from './progress.mjs';

const OLDEST_NODE = [20, 19];

export function checkNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  throw new SetUpError(`camfleet needs Node ${OLDEST_NODE.join('.')} or newer; this is ${version}.`, 2);
}

/**
 * Whether node_modules holds what the lock file asks for. npm writes node_modules/.package-lock.json at the very end, so an
 * installation that was broken off is not taken for a whole one. Optional packages may be absent: another platform's are.
 */
export function isInstalled(root) {
  const installed = readLock(join(root, 'node_modules', '.package-lock.json'));
  const wanted = readLock(join(root, 'package-lock.json'));
  if (!installed || !wanted) return false;
  return Object.entries(wanted).every(([path, { version, optional, peer }]) => {
    if (path === '') return true;
    const found = installed[path];
    return found ? found.version === version : optional === true || peer === true;
  });
}

function readLock(path) {
  if (!existsSync(path)) return undefined;
  return JSON.parse(readFileSync(path, 'utf8')).packages;
}

/** `npm ci` where it is due. Install scripts stay off: nothing that we need has one, and some would download gigabytes. */
export async function installPackages(root) {
  if (isInstalled(root)) return;
  const [command, ...first] = npmCommand();
  const flags = ['--ignore-scripts', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
  // npm 10 does not know `allowScripts` of package.json; this keeps onnxruntime-node from fetching CUDA in any case.
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' };
  await runQuietly('Installing packages from the npm registry', command, [...first, 'ci', ...flags], {
    cwd: root,
    env,
  });
}

/** The npm that called us, else the one on the PATH. */
function npmCommand() {
  const calledBy = process.env.npm_execpath;
  if (calledBy && basename(calledBy) === 'npm-cli.js') return [process.execPath, calledBy];
  return ['npm'];
}

/** ffmpeg-static downloads from GitHub, which many machines cannot reach: only where it is asked for, and never fatal. */
export async function fetchFfmpeg(root) {
  const installer = join(root, 'node_modules', 'ffmpeg-static', 'install.js');
  if (process.env.CAMFLEET_FETCH_FFMPEG !== '1' || !existsSync(installer)) return;
  if (existsSync(join(root, 'node_modules', 'ffmpeg-static', 'ffmpeg'))) return;
  await runQuietly('Fetching ffmpeg', process.execPath, [installer], { cwd: root }).catch((error) => {
    say(`${error.message} Going on without; Debian's package ffmpeg does as well.`);
  });
}
