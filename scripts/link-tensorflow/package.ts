import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { run, runOrThrow } from './run.ts';
import { AppError } from '../../common/runtime/errors.ts';

export const PACKAGE = '@tensorflow/tfjs-node-gpu';

export interface NodePackage {
  folder: string;
  version: string;
  /** It had to be fetched. */
  isNew: boolean;
}

/**
 * The package in node_modules, fetched where npm took it out (it does when an optional package's own script fails). Neither
 * package.json nor the lock file changes. Throws `FETCH_FAILED`.
 */
export async function ensurePackage(root: string): Promise<NodePackage> {
  const folder = join(root, 'node_modules', PACKAGE);
  const wanted = versionWanted(root);
  if (versionIn(folder) === wanted && areDependenciesThere(folder)) return { folder, version: wanted, isNew: false };
  const [command, ...first] = await npmCommand();
  const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', `${PACKAGE}@${wanted}`];
  await runOrThrow(command, [...first, ...args], {
    progress: `Fetching ${PACKAGE} ${wanted} and what it needs`,
    cwd: root,
    // Whatever else npm installs on this occasion must not download CUDA.
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
    code: 'FETCH_FAILED',
    advice: 'Is the npm registry reachable?',
  });
  if (versionIn(folder) === wanted) return { folder, version: wanted, isNew: true };
  throw new AppError('FETCH_FAILED', `npm reported success, but ${folder} does not hold version ${wanted}.`);
}

function versionWanted(root: string): string {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    optionalDependencies?: Record<string, string>;
  };
  const version = manifest.optionalDependencies?.[PACKAGE];
  if (version !== undefined) return version;
  throw new AppError('FETCH_FAILED', `package.json names no version of ${PACKAGE} among its optional dependencies.`);
}

function versionIn(folder: string): string | undefined {
  const file = join(folder, 'package.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version : undefined;
}

function areDependenciesThere(folder: string): boolean {
  const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const places = createRequire(join(folder, 'package.json')).resolve.paths('x') ?? [];
  return Object.keys(dependencies).every((name) => places.some((place) => existsSync(join(place, name))));
}

/** The npm that called us, else the one on the PATH. */
async function npmCommand(): Promise<[string, ...string[]]> {
  const cli = await npmCli();
  return cli === undefined ? ['npm'] : [process.execPath, cli];
}

async function npmCli(): Promise<string | undefined> {
  const calledBy = process.env['npm_execpath'];
  if (calledBy?.endsWith('npm-cli.js') === true && existsSync(calledBy)) return calledBy;
  const { code, stdout } = await run('npm', ['root', '--global']);
  const beside = code === 0 ? join(stdout.trim(), 'npm/bin/npm-cli.js') : '';
  return existsSync(beside) ? beside : undefined;
}

/** The node-gyp that comes with npm, as a command; one on the PATH where npm is packaged without. Throws `NO_NODE_GYP`. */
export async function nodeGypCommand(): Promise<[string, ...string[]]> {
  const cli = await npmCli();
  if (cli !== undefined) {
    const places = createRequire(cli).resolve.paths('node-gyp') ?? [];
    const files = [dirname(dirname(cli)), ...places].map((place) => join(place, 'node-gyp/bin/node-gyp.js'));
    const found = files.find((file) => existsSync(file));
    if (found !== undefined) return [process.execPath, found];
  }
  if ((await run('node-gyp', ['--version'])).code === 0) return ['node-gyp'];
  throw new AppError('NO_NODE_GYP', 'npm has no node-gyp beside it; install one with `npm install --global node-gyp`.');
}
