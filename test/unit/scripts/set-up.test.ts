import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';

// Plain JavaScript without types, because it runs before anything is installed: the types are stated here.
interface Install {
  checkNode(version: string): void;
  isInstalled(root: string): boolean;
}
interface Packages {
  missingFor(command: string, isPresent: (name: string) => boolean): { needed: string[]; wanted: string[] };
}
interface Build {
  digestOf(root: string, paths: string[]): string;
}

const SET_UP = resolve(import.meta.dirname, '../../../scripts/set-up');
const load = async <T>(name: string): Promise<T> => (await import(pathToFileURL(join(SET_UP, name)).href)) as T;

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'camfleet-set-up-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

test('a Node that is too old is refused with both versions', async () => {
  const { checkNode } = await load<Install>('install.mjs');
  expect(() => checkNode('20.18.9')).toThrow('camfleet needs Node 20.19 or newer; this is 20.18.9.');
  expect(() => checkNode('18.20.0')).toThrow('20.19');
  expect(checkNode('20.19.0')).toBeUndefined();
  expect(checkNode('24.1.0')).toBeUndefined();
});

describe('node_modules counts as installed', () => {
  const lock = (packages: Record<string, object>): string => JSON.stringify({ packages });
  const wanted = {
    '': {},
    'node_modules/a': { version: '1.0.0' },
    'node_modules/b': { version: '2.0.0', optional: true },
  };

  const isInstalled = async (installed: Record<string, object> | undefined): Promise<boolean> => {
    const root = mkdtempSync(join(folder, 'root-'));
    mkdirSync(join(root, 'node_modules'));
    writeFileSync(join(root, 'package-lock.json'), lock(wanted));
    if (installed) writeFileSync(join(root, 'node_modules/.package-lock.json'), lock(installed));
    return (await load<Install>('install.mjs')).isInstalled(root);
  };

  test('when every package has the version of the lock file, optional ones may be absent', async () => {
    expect(await isInstalled({ 'node_modules/a': { version: '1.0.0' } })).toBe(true);
    expect(await isInstalled({ 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '2.0.0' } })).toBe(
      true,
    );
  });

  test('not when one is missing or of another version, nor when an installation was broken off', async () => {
    expect(await isInstalled({ 'node_modules/a': { version: '1.0.1' } })).toBe(false);
    expect(await isInstalled({ 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '1.9.0' } })).toBe(
      false,
    );
    expect(await isInstalled({})).toBe(false);
    expect(await isInstalled(undefined)).toBe(false);
  });
});

test('each command knows what it cannot do without', async () => {
  const { missingFor } = await load<Packages>('packages.mjs');
  const nothing = (): boolean => false;
  expect(missingFor('quickstart', nothing)).toEqual({ needed: ['redis-server'], wanted: [] });
  expect(missingFor('test', nothing)).toEqual({
    needed: ['redis-server'],
    wanted: expect.arrayContaining(['chromium', 'ffmpeg', 'libnginx-mod-rtmp', 'gir1.2-gst-rtsp-server-1.0']),
  });
  expect(missingFor('build', nothing)).toEqual({ needed: [], wanted: [] });
  expect(missingFor('test', () => true)).toEqual({ needed: [], wanted: [] });
});

test('a build is due when a source was changed, added or removed', async () => {
  const { digestOf } = await load<Build>('build.mjs');
  writeFileSync(join(folder, 'a.ts'), 'one');
  const before = digestOf(folder, ['a.ts']);
  expect(digestOf(folder, ['a.ts'])).toBe(before);
  expect(digestOf(folder, ['a.ts', 'b.ts'])).not.toBe(before);
  writeFileSync(join(folder, 'a.ts'), 'longer');
  expect(digestOf(folder, ['a.ts'])).not.toBe(before);
});

describe('a command in the foreground', () => {
  /** Counts the signals that it gets and ends with 7 a while after the first. */
  const CHILD = `
    let got = 0;
    process.on('SIGINT', () => { if (++got === 1) setTimeout(() => { console.log('got ' + got); process.exit(7); }, 150); });
    console.log('up'); setInterval(() => {}, 1000);`;

  const start = (child: string) => {
    const program = `
      import { runInForeground } from ${JSON.stringify(join(SET_UP, 'foreground.mjs'))};
      process.exitCode = await runInForeground(process.execPath, ['-e', ${JSON.stringify(child)}]);`;
    const started = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void started.kill('SIGTERM'));
    let said = '';
    started.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise<number | null>((done) => started.once('close', (code) => done(code)));
    return { started, ended, said: () => said };
  };

  test('gets Ctrl-C once, though terminal and npm each send it, and gives its exit code', async () => {
    const { started, ended, said } = start(CHILD);
    await eventually(() => said().includes('up'));
    started.kill('SIGINT');
    started.kill('SIGINT');
    expect(await ended).toBe(7);
    expect(said()).toContain('got 1');
  });

  test('that a signal ends gives 128 and its number', async () => {
    const { ended } = start(`process.kill(process.pid, 'SIGKILL')`);
    expect(await ended).toBe(137);
  });
});
