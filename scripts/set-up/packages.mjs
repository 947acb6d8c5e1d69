import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
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
  ffmpeg: {
    isPresent: () => Boolean(findProgram('ffmpeg')),
    purpose: 'tests of streams',
    otherwise: 'or put another ffmpeg on the PATH',
  },
  'libnginx-mod-rtmp': {
    isPresent: () => existsSync('/usr/lib/nginx/modules/ngx_rtmp_module.so'),
    purpose: 'tests of streams against nginx',
    otherwise: 'there is no other way',
  },
  ...gstreamer({
    'gir1.2-gst-rtsp-server-1.0': 'girepository-1.0/GstRtspServer-1.0.typelib',
    'python3-gi': 'python3/dist-packages/gi/__init__.py',
    'gstreamer1.0-plugins-base': 'gstreamer-1.0/libgstvideotestsrc.so',
    'gstreamer1.0-plugins-good': 'gstreamer-1.0/libgstrtp.so',
    'gstreamer1.0-plugins-ugly': 'gstreamer-1.0/libgstx264.so',
  }),
};

/** The parts of GStreamer's RTSP server, each with a file by which to see it, below /usr/lib or its folder for this machine. */
function gstreamer(parts) {
  return Object.fromEntries(
    Object.entries(parts).map(([name, file]) => [
      name,
      {
        isPresent: () => isInLib(file),
        purpose: 'tests of streams against GStreamer',
        otherwise: 'there is no other way',
      },
    ]),
  );
}

function isInLib(file) {
  const folders = existsSync('/usr/lib') ? readdirSync('/usr/lib').filter((name) => name.endsWith('-linux-gnu')) : [];
  return ['.', ...folders].some((folder) => existsSync(join('/usr/lib', folder, file)));
}

const STREAM_SERVERS = Object.keys(PACKAGES).filter((name) => PACKAGES[name].purpose.startsWith('tests of streams'));

/** What each command cannot do without, and what it would like. */
const NEEDS = {
  quickstart: { needed: ['redis-server'], wanted: [] },
  test: { needed: ['redis-server'], wanted: ['chromium', ...STREAM_SERVERS] },
};

function findProgram(name) {
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

const isOnThisMachine = (name) => PACKAGES[name].isPresent();

export function missingFor(command, isPresent = isOnThisMachine) {
  const { needed = [], wanted = [] } = NEEDS[command] ?? {};
  return { needed: needed.filter((name) => !isPresent(name)), wanted: wanted.filter((name) => !isPresent(name)) };
}

/** `apt-get`, as root or through a sudo that asks for no password; `undefined` where neither is allowed. */
function aptCommand() {
  const apt = findProgram('apt-get');
  if (!apt) return undefined;
  if (process.getuid?.() === 0) return [apt];
  const sudo = findProgram('sudo');
  return sudo && spawnSync(sudo, ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? [sudo, '-n', apt] : undefined;
}

/**
 * Installs what the command needs, where that is allowed. On a terminal it asks first, unless `yes`.
 * @param {{ yes: boolean, isPresent?: (name: string) => boolean }} options how to see a package, if not by this machine's files
 * @returns {Promise<string[]>} one sentence for each purpose that wanted packages stay away from
 */
export async function installSystemPackages(command, { yes, isPresent = isOnThisMachine }) {
  const missing = missingFor(command, isPresent);
  const all = [...missing.needed, ...missing.wanted];
  if (all.length === 0) return [];
  const apt = aptCommand();
  if (apt && (await isAgreed(all, yes))) {
    await aptInstall(apt, all);
    // One that cannot be had keeps apt from installing any: what is only wanted must not cost what is needed.
    const { needed } = missingFor(command, isPresent);
    if (needed.length > 0 && missing.wanted.length > 0) await aptInstall(apt, needed);
  }
  const left = missingFor(command, isPresent);
  if (left.needed.length > 0) throw new SetUpError(adviceFor(left.needed), 2);
  const purposes = new Set(left.wanted.map((name) => PACKAGES[name].purpose));
  return [...purposes].map((purpose) => {
    const names = left.wanted.filter((name) => PACKAGES[name].purpose === purpose);
    return `Skipped: ${purpose}. ${adviceFor(names)}`;
  });
}

function adviceFor(names) {
  const others = [...new Set(names.map((name) => PACKAGES[name].otherwise))].join(', ');
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
