import { fstatSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { AppError, EXIT, messageOf } from '../../common/runtime/errors.ts';
import type { Farm } from './farm.ts';
import { startFarm } from './farm.ts';
import type { FaultName } from './faults.ts';
import { faultList } from './faults.ts';
import type { FarmOptions, RingOptions } from './options.ts';

interface Flags {
  cameras: number;
  seed?: string;
  perHost?: number;
  bigHost?: number;
  mjpeg?: number;
  conditional?: number;
  faults?: Partial<Record<FaultName, number>>;
  requestFaults?: Partial<Record<FaultName, number>>;
  pictures?: string;
  size?: [number, number];
  changeEvery?: number;
  fps?: number;
  interval?: number;
  ring?: RingOptions['mode'];
  ringFrames: number;
  ringScenes: number;
  base?: string;
  port?: number;
  log?: string;
  out?: string;
  json?: boolean;
}

const number = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value)) throw new InvalidArgumentError('a number is expected.');
  return value;
};
const size = (text: string): [number, number] => {
  const [, width, height] = /^(\d+)x(\d+)$/.exec(text) ?? [];
  if (!width || !height) throw new InvalidArgumentError('a size like 352x288 is expected.');
  return [Number(width), Number(height)];
};
const shares = (text: string): Partial<Record<FaultName, number>> =>
  Object.fromEntries(text.split(',').map((pair) => [pair.split('=')[0], number(pair.split('=')[1] ?? '')]));

const program = new Command('camera-farm')
  .description('Simulated cameras over real HTTP on many loopback addresses.')
  .option('--cameras <n>', 'how many cameras', number, 40)
  .option('--seed <text>', 'equal seeds give equal cameras')
  .option('--per-host <n>', 'cameras that share an address, at most 10', number)
  .option('--big-host <n>', 'so many of the cameras stand on one further address', number)
  .option('--mjpeg <share>', 'share of MJPEG cameras', number)
  .option('--conditional <share>', 'share of snapshot cameras that answer 304', number)
  .option('--faults <list>', 'shares of cameras that have a fault, e.g. hang=0.02,404=0.02', shares)
  .option('--request-faults <list>', 'shares of the answers of all other cameras that a fault spoils', shares)
  .option('--pictures <folder>', 'pictures of a folder instead of scenes')
  .option('--size <WxH>', 'size of the pictures (352x288)', size)
  .option('--change-every <s>', 'seconds until a scene changes; 0: with every request', number)
  .option('--fps <n>', 'parts per second of an MJPEG stream', number)
  .option('--interval <s>', 'capture interval in the camera list', number)
  .option('--ring <mode>', 'serve frames encoded beforehand: changed, unchanged or not-modified')
  .option('--ring-frames <n>', 'frames per scene', number, 16)
  .option('--ring-scenes <n>', 'distinct scenes', number, 16)
  .option('--base <address>', 'first loopback address (127.10.0.0)')
  .option('--port <n>', 'port on all addresses (a free one)', number)
  .option('--log <file>', 'write what every request was given, as JSON lines')
  .option('--out <file>', 'where the camera list goes and stays; CSV, or JSON Lines by its ending .jsonl')
  .option('--json', 'print one JSON line when the cameras answer')
  .addHelpText('after', `\nFaults, and the verdict that an agent should reach:\n${faultList()}\n`)
  .addHelpText(
    'after',
    'While it runs: POST /control {"camera": "cam0001", "fault": "hang", "share": 0.5}; null mends it.',
  );

function optionsFrom(flags: Flags): FarmOptions {
  const given: FarmOptions = { cameras: flags.cameras, log: flags.log ? { file: resolve(flags.log) } : 'none' };
  const set = <K extends keyof FarmOptions>(key: K, value: FarmOptions[K] | undefined) => {
    if (value !== undefined) given[key] = value as FarmOptions[K];
  };
  set('seed', flags.seed);
  set('camerasPerHost', flags.perHost);
  set('bigHost', flags.bigHost);
  set('mjpegShare', flags.mjpeg);
  set('conditionalShare', flags.conditional);
  set('faultShares', flags.faults);
  set('requestShares', flags.requestFaults);
  set('picturesFrom', flags.pictures);
  set('width', flags.size?.[0]);
  set('height', flags.size?.[1]);
  set('changeEverySeconds', flags.changeEvery);
  set('partsPerSecond', flags.fps);
  set('intervalSeconds', flags.interval);
  set('addressBase', flags.base);
  set('port', flags.port);
  if (flags.ring) given.ring = { mode: flags.ring, frames: flags.ringFrames, scenes: flags.ringScenes };
  return given;
}

function writeCameras(farm: Farm, out: string | undefined): string {
  const folder = join(tmpdir(), `camera-farm-${process.pid}`);
  if (!out) {
    mkdirSync(folder, { recursive: true });
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  }
  const file = out ? resolve(out) : join(folder, 'cameras.csv');
  writeFileSync(file, farm.camerasAs(file.endsWith('.jsonl') ? 'jsonl' : 'csv'));
  return file;
}

/** Resolves when the farm is to stop: a signal, or the end of the process that started it. */
function untilToldToStop(driven: boolean): Promise<void> {
  return new Promise((resolveStop) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => resolveStop());
    process.once('disconnect', () => resolveStop());
    const parent = process.ppid;
    setInterval(() => process.ppid !== parent && resolveStop(), 500).unref();
    // A killed parent's pipe ends at once, also where runners like npx stand in between. /dev/null and terminals are no pipes.
    const stdin = fstatSync(0);
    if (driven && (stdin.isFIFO() || stdin.isSocket())) process.stdin.once('end', () => resolveStop()).resume();
  });
}

async function main(): Promise<void> {
  const flags = program.parse().opts<Flags>();
  const farm = await startFarm(optionsFrom(flags));
  const stopped = untilToldToStop(flags.json === true);
  const cameras = writeCameras(farm, flags.out);
  if (flags.json) console.log(JSON.stringify({ ready: true, port: farm.port, url: farm.url, cameras }));
  else console.log(`${flags.cameras} cameras answer on port ${farm.port}; list: ${cameras}; control: ${farm.url}`);
  await stopped;
  await farm.stop();
  process.exit(EXIT.done);
}

main().catch((error: unknown) => {
  console.error(messageOf(error));
  process.exit(error instanceof AppError && error.code === 'FARM_OPTION' ? EXIT.usage : EXIT.failed);
});
