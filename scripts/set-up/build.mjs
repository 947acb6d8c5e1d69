import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import { runQuietly } from './progress.mjs';

/** What goes into dist: compiled, or copied as it stands. */
const PRODUCT = ['common', 'config', 'coordinator', 'agent', 'trainer', 'scripts'];
const DASHBOARD = join('coordinator', 'dashboard');
const NOT_COPIED = new Set(['.ts', '.tsx', '.md', '.mjs', '.cjs', '.map', '.tsbuildinfo']);

/** Compiles what changed since the last build; takes milliseconds when nothing did. */
export async function build(root) {
  await buildPrograms(root);
  await buildDashboard(root);
}

async function buildPrograms(root) {
  const files = PRODUCT.flatMap((folder) => filesBelow(root, folder)).filter((path) => !path.startsWith(DASHBOARD));
  const settings = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
  const stamp = join(root, 'dist', '.built');
  const state = digestOf(root, [...files, ...settings]);
  if (isFresh(stamp, state)) return;
  rmSync(stamp, { force: true });
  removeOrphans(root);
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  await runQuietly('Compiling', process.execPath, [compiler, '-p', 'tsconfig.build.json'], { cwd: root });
  copyAssets(root, files);
  writeFileSync(stamp, state);
}

async function buildDashboard(root) {
  if (!existsSync(join(root, DASHBOARD, 'index.html'))) return;
  const sources = filesBelow(root, DASHBOARD).filter((path) => !path.startsWith(join(DASHBOARD, 'build')));
  const shared = ['domain', 'protocol'].flatMap((room) => filesBelow(root, join('common', room)));
  const stamp = join(root, DASHBOARD, 'build', '.built');
  const state = digestOf(root, [...sources, ...shared, 'package-lock.json']);
  if (isFresh(stamp, state)) return;
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  const config = join(DASHBOARD, 'vite.config.ts');
  await runQuietly('Building the page', process.execPath, [vite, 'build', '--config', config], { cwd: root });
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, state);
}

/** Paths relative to root, sorted. */
function filesBelow(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

/** Names, sizes and times: reading every file would cost more than it tells. */
export function digestOf(root, paths) {
  const hash = createHash('sha256').update(process.version);
  for (const path of paths) {
    const found = existsSync(join(root, path)) ? statSync(join(root, path)) : undefined;
    hash.update(`${path}\0${found?.size}\0${found?.mtimeMs}\n`);
  }
  return hash.digest('hex');
}

const isFresh = (stamp, state) => existsSync(stamp) && readFileSync(stamp, 'utf8') === state;

/** SQL, schemas, pictures: whatever the product reads beside its code. */
function copyAssets(root, files) {
  for (const path of files) {
    if (NOT_COPIED.has(extname(path))) continue;
    mkdirSync(dirname(join(root, 'dist', path)), { recursive: true });
    copyFileSync(join(root, path), join(root, 'dist', path));
  }
}

/** What was built from a file that is gone would still be found, a migration above all. */
function removeOrphans(root) {
  for (const path of filesBelow(root, 'dist')) {
    const source = relative('dist', path).replace(/\.js(\.map)?$/, '.ts');
    const isOurs = PRODUCT.some((folder) => source.startsWith(`${folder}/`));
    if (isOurs && !existsSync(join(root, source)) && !existsSync(join(root, `${source}x`))) rmSync(join(root, path));
  }
}
