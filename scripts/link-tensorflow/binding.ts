import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError } from '../../common/runtime/errors.ts';
import { nodeGypCommand } from './package.ts';
import type { NodePackage } from './package.ts';
import { FRAMEWORK, LIBRARY } from './python.ts';
import type { Wheel } from './python.ts';
import { run, runOrThrow } from './run.ts';

/** The newest that the package's sources know; every Node since 18.12 has it. */
const NAPI = 8;
const bindingOf = (folder: string): string => join(folder, `lib/napi-v${NAPI}/tfjs_binding.node`);
/** What the binding was built from; it is written last, so a build that was broken off is not taken for a whole one. */
const stampOf = (folder: string): string => join(folder, 'lib/linked.json');

/** Throws `LINK_PLATFORM`: elsewhere the wheel's libraries have other names and forms. */
export function checkPlatform(): void {
  if (process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch)) return;
  throw new AppError(
    'LINK_PLATFORM',
    `TensorFlow's wheel can be linked on Linux (x64, arm64), not on ${process.platform} ${process.arch}; ` +
      'train with the onnxruntime engine here, which needs nothing.',
  );
}

const stampFor = (wheel: Wheel, { version }: NodePackage): string =>
  JSON.stringify({ tensorflow: wheel.version, folder: wheel.folder, package: version, node: process.versions.modules });

export function isLinked(wheel: Wheel, target: NodePackage): boolean {
  const stamp = stampOf(target.folder);
  if (!existsSync(bindingOf(target.folder)) || !existsSync(stamp)) return false;
  return readFileSync(stamp, 'utf8') === stampFor(wheel, target);
}

/**
 * Points the package's `deps` at the wheel and compiles its binding.
 * Throws `NO_COMPILER`, `NO_NODE_GYP`, `BUILD_FAILED`.
 * @returns the binding's file
 */
export async function buildBinding(wheel: Wheel, target: NodePackage): Promise<string> {
  await checkCompiler();
  const [command, ...first] = await nodeGypCommand();
  rmSync(stampOf(target.folder), { force: true });
  linkLibrary(wheel, target.folder);
  const headers = headerFlags();
  const built = dirname(bindingOf(target.folder));
  const names = ['--module_name=tfjs_binding', `--module_path=${built}`, `--napi_build_version=${NAPI}`];
  await runOrThrow(command, [...first, 'rebuild', ...headers, `--python=${wheel.python}`, ...names], {
    progress: `Compiling the binding against TensorFlow ${wheel.version}`,
    cwd: target.folder,
    code: 'BUILD_FAILED',
    advice:
      headers.length > 0
        ? 'The compiler said:'
        : `Node's headers are not beside ${process.execPath}, so node-gyp had to download them; an installation of Node from ` +
          'nodejs.org has them, Debian has the package libnode-dev.',
  });
  writeFileSync(stampOf(target.folder), stampFor(wheel, target));
  return bindingOf(target.folder);
}

async function checkCompiler(): Promise<void> {
  const compiler = process.env['CXX'] ?? 'g++';
  const missing: string[] = [];
  for (const tool of [compiler, 'make']) if ((await run(tool, ['--version'])).code !== 0) missing.push(tool);
  if (missing.length === 0) return;
  throw new AppError(
    'NO_COMPILER',
    `The binding is compiled here, and ${missing.join(' and ')} cannot be run; on Debian: sudo apt-get install -y build-essential.`,
  );
}

/** The headers that came with this Node, where they did: nothing is downloaded then, and they fit. */
function headerFlags(): string[] {
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  return existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : [];
}

/**
 * The binding is linked with `-ltensorflow -ltensorflow_framework` and finds both at run time in `deps/lib` by the names that
 * they call themselves. They in turn look for NVIDIA's libraries in `../nvidia`, seen from there: wheels beside `tensorflow`.
 */
function linkLibrary(wheel: Wheel, folder: string): void {
  const deps = join(folder, 'deps');
  const library = join(wheel.folder, LIBRARY);
  const framework = join(wheel.folder, FRAMEWORK);
  const links: Record<string, string> = {
    include: join(wheel.folder, 'include'),
    nvidia: join(dirname(wheel.folder), 'nvidia'),
    'lib/libtensorflow.so': library,
    [`lib/${LIBRARY}`]: library,
    'lib/libtensorflow_framework.so': framework,
    [`lib/${FRAMEWORK}`]: framework,
  };
  mkdirSync(join(deps, 'lib'), { recursive: true });
  for (const [name, to] of Object.entries(links)) {
    removeLink(join(deps, name));
    symlinkSync(to, join(deps, name));
  }
}

/** What the package's own script unpacked there goes too: two TensorFlows in one folder would be mixed. */
function removeLink(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) rmSync(path, { recursive: true });
}
