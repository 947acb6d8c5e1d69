import { chmod, mkdir, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { buildBinding, isLinked } from '../../../scripts/link-tensorflow/binding.ts';
import { linkOptions } from '../../../scripts/link-tensorflow/options.ts';
import { PACKAGE, ensurePackage } from '../../../scripts/link-tensorflow/package.ts';
import { findWheel } from '../../../scripts/link-tensorflow/python.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'camfleet-link-'));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(root, { recursive: true });
});

async function file(path: string, text = ''): Promise<string> {
  const whole = join(root, path);
  await mkdir(dirname(whole), { recursive: true });
  await writeFile(whole, text);
  return whole;
}

async function program(path: string, script: string): Promise<string> {
  const whole = await file(path, `#!/bin/sh\n${script}\n`);
  await chmod(whole, 0o755);
  return whole;
}

const answering = (found: object) => program('python', `echo '${JSON.stringify(found)}'`);

/** What a wheel unpacks to, as far as it is asked for. */
async function wheelFolder(): Promise<string> {
  await file('site-packages/tensorflow/libtensorflow_cc.so.2');
  await file('site-packages/tensorflow/libtensorflow_framework.so.2');
  await file('site-packages/tensorflow/include/tensorflow/c/c_api.h');
  await file('site-packages/tensorflow/include/tensorflow/c/eager/c_api.h');
  return join(root, 'site-packages/tensorflow');
}

test('options that do not exist are refused with those that do', () => {
  expect(() => linkOptions(['--pyton', 'x'])).toThrow(/--pyton[^]*--python FILE/);
  expect(linkOptions(['--python', 'x', '--json'])).toEqual({ python: 'x', json: true, force: false, help: false });
});

describe('the wheel', () => {
  test('is taken from the interpreter that was named', async () => {
    const folder = await wheelFolder();
    const python = await answering({ folder, version: '2.21.0' });
    expect(await findWheel(python)).toEqual({ python, folder, version: '2.21.0' });
  });

  test('is looked for in the active virtual environment first', async () => {
    const folder = await wheelFolder();
    const python = await program('venv/bin/python', `echo '${JSON.stringify({ folder, version: '2.20.0' })}'`);
    vi.stubEnv('VIRTUAL_ENV', join(root, 'venv'));
    expect(await findWheel(undefined)).toMatchObject({ python, version: '2.20.0' });
  });

  test.each([
    ['no Python', 'NO_PYTHON', /No Python 3 answers as .*pip install tensorflow/],
    ['no TensorFlow', 'NO_TENSORFLOW', /not installed for .*python\. .*--python/],
    [
      'an unsuitable TensorFlow',
      'TENSORFLOW_UNSUITABLE',
      /TensorFlow 2\.1\.0 .* lacks libtensorflow_cc\.so\.2, .*2\.21\.0/,
    ],
  ])('%s is an error that says what to do', async (_, code, message) => {
    const python = {
      NO_PYTHON: async () => join(root, 'absent'),
      NO_TENSORFLOW: () => answering({ folder: null, version: null }),
      TENSORFLOW_UNSUITABLE: () => answering({ folder: root, version: '2.1.0' }),
    }[code] as () => Promise<string>;
    await expect(findWheel(await python())).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });
});

describe('the npm package', () => {
  const manifest = (text: object) => file('package.json', JSON.stringify(text));

  test('that is there in the wanted version is not fetched', async () => {
    await manifest({ optionalDependencies: { [PACKAGE]: '4.22.0' } });
    const own = { version: '4.22.0', dependencies: { tar: '^6' } };
    await file(`node_modules/${PACKAGE}/package.json`, JSON.stringify(own));
    await file('node_modules/tar/package.json', '{}');
    const folder = join(root, 'node_modules', PACKAGE);
    expect(await ensurePackage(root)).toEqual({ folder, version: '4.22.0', isNew: false });
  });

  test('that is gone, or whose dependencies are, is fetched without scripts and without a trace in package.json', async () => {
    await manifest({ optionalDependencies: { [PACKAGE]: '4.22.0' } });
    const own = JSON.stringify({ version: '4.22.0', dependencies: { tar: '^6' } });
    const npm = await file(
      'npm-cli.js',
      `const fs = require('node:fs');
       fs.mkdirSync('node_modules/${PACKAGE}', { recursive: true });
       fs.writeFileSync('node_modules/${PACKAGE}/package.json', ${JSON.stringify(own)});
       fs.appendFileSync('calls', process.argv.slice(2).join(' ') + '\\n');`,
    );
    vi.stubEnv('npm_execpath', npm);
    expect(await ensurePackage(root)).toMatchObject({ isNew: true });
    expect(await ensurePackage(root)).toMatchObject({ isNew: true });
    const calls = (await readFile(join(root, 'calls'), 'utf8')).trim().split('\n');
    const call = `install --no-save --ignore-scripts --no-audit --no-fund ${PACKAGE}@4.22.0`;
    expect(calls).toEqual([call, call]);
  });

  test('that cannot be fetched is an error with what npm said', async () => {
    await manifest({ optionalDependencies: { [PACKAGE]: '4.22.0' } });
    vi.stubEnv('npm_execpath', await file('npm-cli.js', 'console.error("ENOTFOUND registry"); process.exit(1);'));
    await expect(ensurePackage(root)).rejects.toMatchObject({
      code: 'FETCH_FAILED',
      message: expect.stringMatching(/registry reachable\?[^]*ENOTFOUND registry/) as string,
    });
  });
});

describe('the build', () => {
  const target = () => ({ folder: join(root, 'package'), version: '4.22.0', isNew: false });
  const wheel = async () => ({ python: 'python3', folder: await wheelFolder(), version: '2.21.0' });

  test('without a compiler says how to get one', async () => {
    vi.stubEnv('CXX', join(root, 'absent'));
    await expect(buildBinding(await wheel(), target())).rejects.toMatchObject({
      code: 'NO_COMPILER',
      message: expect.stringMatching(/absent.*build-essential/) as string,
    });
  });

  /** Everything that the build calls, replaced: this node-gyp ends with `code`, after it wrote a binding. */
  async function replaceTools(code: number): Promise<void> {
    vi.stubEnv('CXX', await program('bin/compiler', 'exit 0'));
    await program('bin/make', 'exit 0');
    vi.stubEnv('PATH', `${join(root, 'bin')}:${process.env['PATH']}`);
    vi.stubEnv('npm_execpath', await file('npm/bin/npm-cli.js'));
    await file('package/package.json', '{}');
    await file(
      'npm/node_modules/node-gyp/bin/node-gyp.js',
      `const { mkdirSync, writeFileSync } = require('node:fs');
       const folder = process.argv.find((a) => a.startsWith('--module_path=')).slice(14);
       mkdirSync(folder, { recursive: true });
       writeFileSync(folder + '/tfjs_binding.node', '');
       console.error('said by the compiler');
       process.exit(${code});`,
    );
  }

  test('points the package at the wheel, replaces a TensorFlow that was unpacked there, and is done once', async () => {
    await replaceTools(0);
    const from = await wheel();
    await file('package/deps/include/old.h');
    await file('package/deps/lib/libtensorflow.so', 'old');
    expect(isLinked(from, target())).toBe(false);
    const binding = await buildBinding(from, target());
    expect(binding).toBe(join(root, 'package/lib/napi-v8/tfjs_binding.node'));
    const linked = (name: string) => readlink(join(root, 'package/deps', name));
    expect(await linked('include')).toBe(join(from.folder, 'include'));
    expect(await linked('lib/libtensorflow.so')).toBe(join(from.folder, 'libtensorflow_cc.so.2'));
    expect(await linked('lib/libtensorflow_framework.so.2')).toBe(join(from.folder, 'libtensorflow_framework.so.2'));
    expect(isLinked(from, target())).toBe(true);
    expect(isLinked({ ...from, version: '2.22.0' }, target())).toBe(false);
    expect(isLinked(from, { ...target(), version: '4.23.0' })).toBe(false);
    await buildBinding(from, target());
    expect(await linked('include')).toBe(join(from.folder, 'include'));
  });

  test('that fails shows what the compiler said and does not count as linked', async () => {
    await replaceTools(0);
    const from = await wheel();
    await buildBinding(from, target());
    await replaceTools(1);
    await expect(buildBinding(from, target())).rejects.toMatchObject({
      code: 'BUILD_FAILED',
      message: expect.stringContaining('said by the compiler') as string,
    });
    expect(isLinked(from, target())).toBe(false);
  });
});
