import { chmod, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FfmpegChild } from '../../../agent/sources/ffmpeg/child.ts';
import { findFfmpeg, releaseOf } from '../../../agent/sources/ffmpeg/find.ts';
import { findLauncher, guarded } from '../../../agent/sources/ffmpeg/launcher.ts';
import { eventually } from '../../support/eventually.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { startProcess } from '../../support/processes.ts';
import { missingForStreams, startRtspServer } from '../../support/streams/servers.ts';
import { streamWorld } from '../../support/streams/sources.ts';

const missing = missingForStreams();
const HOLDER = resolve(import.meta.dirname, '../../support/streams/holder.ts');

/** Runs no more: gone, or dead and waiting for the system's first process to collect it. */
async function isGone(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat === '' || /\) [ZX] /.test(stat);
}

const commandOf = async (pid: number): Promise<string> =>
  (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');

async function program(text: string): Promise<string> {
  const folder = await makeTestFolder('ffmpeg');
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'ffmpeg');
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
  return path;
}

test.skipIf(missing !== undefined).each([
  ['runs', 'SIGCONT'],
  ['hangs', 'SIGSTOP'],
] as const)(
  `after kill -9 of the agent no ffmpeg is left that %s (${missing ?? 'all installed'})`,
  async (_, signal) => {
    const server = await startRtspServer({ keyFrameEvery: 5 });
    onTestFinished(() => server.process.end());
    const url = `rtsp://127.0.0.1:${server.port}/camera`;
    const holder = startProcess(process.execPath, { args: ['--import', 'tsx', HOLDER, 'rtsp', url] });
    const said = (await holder.says(/pids (\d+);/)) as RegExpExecArray;
    const pid = Number(said[1]);
    expect(await isGone(pid)).toBe(false);
    process.kill(pid, signal);
    await holder.kill();
    await eventually(() => isGone(pid), { withinMs: 5_000, what: 'ffmpeg to be gone' });
  },
);

test.skipIf(missing !== undefined)(
  'the process list tells nothing of a camera, and ffmpeg may use one protocol only',
  async () => {
    const server = await startRtspServer({ auth: 'digest', keyFrameEvery: 5 });
    const world = streamWorld();
    onTestFinished(async () => (await world.close(), await server.process.end()));
    const url = `rtsp://camera:secret@127.0.0.1:${server.port}/camera?token=hidden`;
    for await (const frame of world
      .source({ transport: 'rtsp', url, minIntervalMs: 100 })
      .frames(new AbortController().signal)) {
      expect(frame.bytes!.length).toBeGreaterThan(100);
      const command = await commandOf(world.decoders.pids[0]!);
      expect(command).not.toMatch(/secret|hidden|\/camera/);
      expect(command).not.toContain(String(server.port));
      expect(command).toContain('-protocol_whitelist rtsp,tcp');
      break;
    }
  },
);

test('one that ignores SIGTERM is killed, with its children, and leaves no zombie', async () => {
  const path = await program('trap "" TERM\nsleep 60 &\necho started\nwait; sleep 60');
  let output = '';
  const onOutput = (chunk: Buffer): void => void (output += chunk.toString());
  const child = new FfmpegChild({ command: [path], piped: false, onOutput, graceMs: 200 });
  await eventually(() => output.includes('started'));
  const group = child.pid!;
  expect(await child.stop()).toEqual({ code: null, signal: 'SIGKILL' });
  expect(child.hasEnded).toBe(true);
  const members = async (): Promise<string[]> => {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
    return stats.filter((stat) => stat.replace(/^.*\) /s, '').split(' ')[2] === String(group) && !/\) Z /.test(stat));
  };
  await eventually(async () => (await members()).length === 0, { what: 'its process group to be empty' });
  await expect(readFile(`/proc/${group}/stat`)).rejects.toThrow();
});

test('of what it said the end is kept, without credentials', async () => {
  const path = await program(
    'for i in $(seq 2000); do echo "line $i" >&2; done\necho "rtsp://me:pass@host/x?token=abc failed" >&2; exit 3',
  );
  const child = new FfmpegChild({ command: [path], piped: false, onOutput: () => {} });
  expect(await child.ended).toEqual({ code: 3, signal: null });
  expect(child.tail.length).toBeLessThan(5_000);
  expect(child.tail).toMatch(/rtsp:\/\/\*\*\*@host\/x\?token=\*\*\* failed$/);
});

test('one that cannot be started ends, and says why', async () => {
  const child = new FfmpegChild({ command: ['/nowhere/ffmpeg'], piped: true, onOutput: () => {} });
  expect(await child.ended).toEqual({ code: null, signal: null });
  expect(child.tail).toContain('ENOENT');
  expect(await child.stop()).toEqual({ code: null, signal: null });
});

test('the environment of the agent is none of its business', async () => {
  const path = await program('env');
  let output = '';
  const child = new FfmpegChild({
    command: [path],
    piped: false,
    onOutput: (chunk) => void (output += chunk.toString()),
  });
  await child.ended;
  expect(output.match(/^[A-Z_]+(?==)/gm)?.sort()).toEqual(['AV_LOG_FORCE_NOCOLOR', 'LC_ALL', 'PWD']);
});

test('ffmpeg is the configured one, else that of the package, else one on the PATH', async () => {
  const path = await program('echo "ffmpeg version 7.1.2-test Copyright"');
  const broken = await program('exit 1');
  expect(await findFfmpeg({ configured: path })).toEqual({ path, version: '7.1.2-test', origin: 'configured' });
  expect(await findFfmpeg({ configured: broken, path: resolve(path, '..') })).toBeUndefined();
  expect(await findFfmpeg({ packaged: path, path: '' })).toMatchObject({ origin: 'ffmpeg-static' });
  expect(await findFfmpeg({ packaged: broken, path: `/nowhere:${resolve(path, '..')}` })).toMatchObject({
    path,
    origin: 'PATH',
  });
  expect(releaseOf('n7.1-12-g0fc1d17')).toEqual([7, 1]);
  expect(releaseOf('N-113007-g8d24a28d06')).toBeUndefined();
});

test('guards stand in front of the command as plain arguments', async () => {
  const words = guarded(['ffmpeg', '-i', 'x'], { setpriv: '/usr/bin/setpriv', prlimit: '/usr/bin/prlimit' }, 20);
  expect(words).toEqual([
    '/usr/bin/setpriv',
    '--pdeathsig',
    'KILL',
    '/usr/bin/prlimit',
    expect.stringMatching(/^--as=/),
    '--core=0',
    '--cpu=20',
    'ffmpeg',
    '-i',
    'x',
  ]);
  expect(guarded(['ffmpeg'], await findLauncher([]), undefined)).toEqual(['ffmpeg']);
});

test('without ffmpeg a camera fails with the advice to install it', async () => {
  const world = streamWorld({ configured: '/nowhere/ffmpeg' });
  const server: Server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(async () => (await world.close(), void server.close()));
  const { port } = server.address() as AddressInfo;
  await expect(
    world.source({ transport: 'rtsp', url: `rtsp://127.0.0.1:${port}/` }).fetchOnce({}),
  ).rejects.toMatchObject({
    code: 'SOURCE_FFMPEG_MISSING',
    message: expect.stringContaining('streams.ffmpeg'),
  });
});
