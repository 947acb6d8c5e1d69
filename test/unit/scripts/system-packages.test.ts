import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';

const PACKAGES = resolve(import.meta.dirname, '../../../scripts/set-up/packages.mjs');
const ADVICE = 'redis-server is missing; run: sudo apt-get install -y redis-server (or set REDIS_URL).';

/** Notes how it was called, and "installs" by making a file of each package's name, unless it knows the package not. */
const APT = `#!/bin/sh
echo "apt-get $* [$DEBIAN_FRONTEND]" >> "$FAKE_LOG"
[ "$1" = install ] || exit 0
for name in "$@"; do case "$name" in $FAKE_UNKNOWN) echo "Unable to locate package $name"; exit 100;; esac; done
for name in "$@"; do case "$name" in install|-*) ;; *) : > "$FAKE_INSTALLED/$name";; esac; done
`;
/** Asks for a password, or drops the environment as sudo does. */
const SUDO = `#!/bin/sh
[ "$1" = -n ] && [ -z "$FAKE_PASSWORD" ] || exit 1
shift
echo "sudo $1" >> "$FAKE_LOG"
exec env -u DEBIAN_FRONTEND "$@"
`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'camfleet-packages-'));
  for (const name of ['bin', 'installed']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'bin/apt-get'), APT, { mode: 0o755 });
  writeFileSync(join(folder, 'bin/sudo'), SUDO, { mode: 0o755 });
  writeFileSync(join(folder, 'log'), '');
});
afterEach(() => rmSync(folder, { recursive: true }));

const log = (): string[] => readFileSync(join(folder, 'log'), 'utf8').split('\n').filter(Boolean);

interface Run {
  command?: 'quickstart' | 'test';
  yes?: boolean;
  uid?: number;
  unknown?: string;
  password?: boolean;
  terminal?: boolean;
}

function start({
  command = 'quickstart',
  yes = false,
  uid = 0,
  unknown = '',
  password = false,
  terminal = false,
}: Run) {
  const program = join(folder, 'program.mjs');
  writeFileSync(
    program,
    `import { existsSync } from 'node:fs';
     process.getuid = () => ${uid};
     const { installSystemPackages } = await import(${JSON.stringify(PACKAGES)});
     const isPresent = (name) => existsSync(${JSON.stringify(join(folder, 'installed'))} + '/' + name);
     const left = await installSystemPackages('${command}', { yes: ${yes}, isPresent }).catch((error) => {
       console.log(error.message);
       process.exit(error.exitCode);
     });
     console.log('LEFT ' + left.join('|'));`,
  );
  const env = {
    ...process.env,
    ...{ PATH: `${join(folder, 'bin')}:${process.env['PATH']}`, FAKE_LOG: join(folder, 'log') },
    ...{
      FAKE_INSTALLED: join(folder, 'installed'),
      FAKE_UNKNOWN: unknown || 'none',
      FAKE_PASSWORD: password ? '1' : '',
    },
  };
  // script(1) is in Debian's essential packages: its child has a real terminal.
  const child: ChildProcess = terminal
    ? spawn('script', ['-qec', `"${process.execPath}" "${program}"`, '/dev/null'], { env })
    : spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const code = new Promise<number | null>((done) => child.once('close', done));
  return { child, code, said: () => said };
}

test('without a terminal it says what it installs and goes on, as root by apt-get itself', async () => {
  const { code, said } = start({});
  expect(await code, said()).toBe(0);
  expect(said()).toContain('Installing Debian packages: redis-server (the job queue)');
  expect(log()).toEqual(['apt-get install -y --no-install-recommends redis-server [noninteractive]']);
});

test('where sudo asks for no password it is used, and apt-get asks nothing either', async () => {
  const { code, said } = start({ uid: 1_000 });
  expect(await code, said()).toBe(0);
  expect(log()).toEqual([
    ...['sudo true', 'sudo env'],
    'apt-get install -y --no-install-recommends redis-server [noninteractive]',
  ]);
});

test('where sudo wants a password, one line says which command does it', async () => {
  const { code, said } = start({ uid: 1_000, password: true });
  expect(await code).toBe(2);
  expect(said().trim()).toBe(ADVICE);
  expect(log()).toEqual([]);
});

test('a package that apt does not know is looked for again with fresh lists, then the same line is said', async () => {
  const { code, said } = start({ unknown: 'redis-server' });
  expect(await code).toBe(2);
  expect(log().map((line) => line.split(' ')[1])).toEqual(['install', 'update', 'install']);
  expect(said().trim().split('\n').at(-1)).toBe(ADVICE);
});

test('a package that is only wanted costs neither what is needed nor the run', async () => {
  const { code, said } = start({ command: 'test', unknown: 'chromium' });
  expect(await code, said()).toBe(0);
  expect(log().at(-1)).toBe('apt-get install -y --no-install-recommends redis-server [noninteractive]');
  expect(said()).toContain(
    'Skipped: tests of the page in a browser. chromium is missing; run: sudo apt-get install -y',
  );
});

describe('on a terminal', () => {
  test('it lists the packages and asks first; no means that one line says what to run', async () => {
    const { child, code, said } = start({ terminal: true });
    await eventually(() => said().includes('Go on? [Y/n]'));
    expect(said()).toContain('Debian packages to install: redis-server (the job queue).');
    expect(log()).toEqual([]);
    child.stdin?.write('n\n');
    expect(await code).toBe(2);
    expect(said()).toContain(ADVICE);
    expect(log()).toEqual([]);
  });

  test('a mere Enter means yes', async () => {
    const { child, code, said } = start({ terminal: true });
    await eventually(() => said().includes('Go on? [Y/n]'));
    child.stdin?.write('\n');
    expect(await code, said()).toBe(0);
    expect(log()).toHaveLength(1);
  });

  test('--yes asks nothing', async () => {
    const { code, said } = start({ terminal: true, yes: true });
    expect(await code, said()).toBe(0);
    expect(said()).not.toContain('Go on?');
    expect(log()).toHaveLength(1);
  });
});
