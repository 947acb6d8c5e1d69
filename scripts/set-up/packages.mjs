import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { runQuietly, say, SetUpError } from './progress.mjs';

/** Debian's packages by name: how to see that one is not needed, and what else would do. */
const PACKAGES = {
  'redis-server': {
    isPresent: () => Boolean(process.env.REDIS_URL) || Boolean(findProgram('redis-server')),
    purpose: 'the job queue',
    otherwise: 'or set REDIS_URL',
  },
  chromium: {
    isPresent: () => ['chromium', 'chromium-browser', 'google-chrome'].some(findProgram),
    purpose: 'tests of the page in a browser',
    otherwise: 'or put another Chromium on the PATH',
  },
};

/** What each command cannot do without, and what it would like. */
const NEEDS = {
  quickstart: { needed: ['redis-server'], wanted: [] },
  test: { needed: ['redis-server'], wanted: ['chromium'] },
};

export function findProgram(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/bin', '/usr/bin', '/usr/sbin'];
  return folders
    .filter(Boolean)
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function missingFor(command, isPresent = (name) => PACKAGES[name].isPresent()) {
  const { needed = [], wanted = [] } = NEEDS[command] ?? {};
  return { needed: needed.filter((name) => !isPresent(name)), wanted: wanted.filter((name) => !isPresent(name)) };
}

/** `apt-get`, as root or through a sudo that asks for no password; `undefined` where neither is allowed. */
export function aptCommand() {
  const apt = findProgram('apt-get');
  if (!apt) return undefined;
  if (process.getuid?.() === 0) return [apt];
  const sudo = findProgram('sudo');
  return sudo && spawnSync(sudo, ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? [sudo, '-n', apt] : undefined;
}

/**
 * Installs what the command needs, where that is allowed. On a terminal it asks first, unless `yes`.
 * @returns {Promise<string[]>} one sentence for each wanted package that stays away
 */
export async function installSystemPackages(command, { yes }) {
  const missing = missingFor(command);
  const all = [...missing.needed, ...missing.wanted];
  if (all.length === 0) return [];
  const apt = aptCommand();
  if (apt && (await isAgreed(all, yes))) await aptInstall(apt, all);
  const left = missingFor(command);
  if (left.needed.length > 0) throw new SetUpError(adviceFor(left.needed), 2);
  return left.wanted.map((name) => `Skipped: ${PACKAGES[name].purpose}. ${adviceFor([name])}`);
}

function adviceFor(names) {
  const others = names.map((name) => PACKAGES[name].otherwise).join(', ');
  return `${names.join(', ')} is missing; run: sudo apt-get install -y ${names.join(' ')} (${others}).`;
}

async function isAgreed(names, yes) {
  const list = names.map((name) => `${name} (${PACKAGES[name].purpose})`).join(', ');
  if (yes || !process.stdin.isTTY || !process.stderr.isTTY) {
    say(`Installing Debian packages: ${list}`);
    return true;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`Debian packages to install: ${list}. Go on? [Y/n] `);
  terminal.close();
  return /^(y|yes|)$/i.test(answer.trim());
}

async function aptInstall([command, ...first], names) {
  // sudo drops the environment, so the setting travels as an argument.
  const wrapped =
    first.length > 0 ? [...first.slice(0, -1), 'env', 'DEBIAN_FRONTEND=noninteractive', first.at(-1)] : first;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = [...wrapped, 'install', '-y', '--no-install-recommends', ...names];
  try {
    await runQuietly(`Installing ${names.join(', ')} with apt`, command, install, { env }).catch(async () => {
      // The usual reason: the lists are old or were never fetched.
      await runQuietly("Fetching Debian's package lists", command, [...wrapped, 'update'], { env });
      await runQuietly(`Installing ${names.join(', ')} with apt`, command, install, { env });
    });
  } catch (error) {
    say(error.message);
  }
}
