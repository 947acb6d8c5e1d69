import type { Clock } from '../../common/runtime/clock.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { AppError } from '../../common/runtime/errors.ts';
import type { FaultName } from './faults.ts';
import { FAULT_NAMES, isFault } from './faults.ts';
import { CONCEPT_NAMES } from './scenes/index.ts';

const RING_MODES = ['changed', 'unchanged', 'not-modified'] as const;

export interface RingOptions {
  /** `changed`: every request gets the next frame; `unchanged`: 200 with equal bytes; `not-modified`: 304 to a request with the ETag. */
  mode: (typeof RING_MODES)[number];
  /** Frames encoded beforehand per scene. */
  frames: number;
  /** Distinct scenes; cameras share them, so that memory does not grow with the number of cameras. */
  scenes: number;
}

export interface FarmOptions {
  /** How many cameras. */
  cameras: number;
  /** Equal seeds give equal cameras, places, scenes and faults. */
  seed?: string;
  /** Cameras that share an address, 1 to 10: politeness is per host. */
  camerasPerHost?: number;
  /** So many of the cameras stand together on one further address (a big provider); 0 for none. */
  bigHost?: number;
  /** Share of cameras that stream MJPEG instead of answering snapshots. */
  mjpegShare?: number;
  /** Share of the snapshot cameras that are listed by URL (`non_ip`). */
  nonIpShare?: number;
  /** Share of the snapshot cameras that answer conditional requests. */
  conditionalShare?: number;
  /** Share of all cameras that starts with a fault, by name, e.g. `{ hang: 0.02 }`. */
  faultShares?: Partial<Record<FaultName, number>>;
  /** Share of the answers of cameras without a fault of their own that a fault spoils, by name. */
  requestShares?: Partial<Record<FaultName, number>>;
  /** Faults of single cameras, by camera id; they win over shares. */
  faultOf?: Readonly<Record<string, FaultName>>;
  /** Pictures of this folder instead of scenes. Its subfolders, if any, are dealt out to the cameras one by one. */
  picturesFrom?: string;
  width?: number;
  height?: number;
  /** JPEG quality, 1 to 100. */
  quality?: number;
  /** Seconds until a scene changes; 0: every request sees a new picture. */
  changeEverySeconds?: number;
  /** Frames per second of an MJPEG stream. */
  partsPerSecond?: number;
  /** Capture interval that the camera list asks for. */
  intervalSeconds?: number;
  /** Concepts to show, most frequent first. */
  concepts?: readonly string[];
  /** The k-th concept has weight k^-skew; 0 gives every concept the same share. */
  skew?: number;
  /** Serve frames encoded beforehand, as benchmarks need: no rendering, least CPU per request. Snapshot cameras without faults. */
  ring?: RingOptions;
  /** `memory`: `farm.requests`; `none`; or a JSON-lines file. Default: memory, with a ring none. */
  log?: 'memory' | 'none' | { file: string };
  /** First of the loopback addresses; needs 127.0.0.0/8 (Linux routes all of it). */
  addressBase?: string;
  /** The port on all addresses; 0 takes a free one. */
  port?: number;
  clock?: Clock;
}

export type FarmSettings = Required<Omit<FarmOptions, 'picturesFrom' | 'ring'>> & {
  picturesFrom: string | undefined;
  ring: RingOptions | undefined;
};

/** Fills in the defaults and refuses what cannot be. Throws `FARM_OPTION` naming the option and what is allowed. */
export function settingsFrom(options: FarmOptions): FarmSettings {
  const ring = options.ring;
  const settings: FarmSettings = {
    cameras: options.cameras,
    seed: options.seed ?? 'farm',
    camerasPerHost: options.camerasPerHost ?? 10,
    bigHost: options.bigHost ?? 0,
    mjpegShare: ring ? 0 : (options.mjpegShare ?? 0.2),
    nonIpShare: options.nonIpShare ?? 0.1,
    conditionalShare: options.conditionalShare ?? 0.5,
    faultShares: options.faultShares ?? {},
    requestShares: options.requestShares ?? {},
    faultOf: options.faultOf ?? {},
    picturesFrom: options.picturesFrom,
    width: options.width ?? 352,
    height: options.height ?? 288,
    quality: options.quality ?? 82,
    changeEverySeconds: options.changeEverySeconds ?? 10,
    partsPerSecond: options.partsPerSecond ?? 1,
    intervalSeconds: options.intervalSeconds ?? 60,
    concepts: options.concepts ?? CONCEPT_NAMES,
    skew: options.skew ?? 0.8,
    ring,
    log: options.log ?? (ring ? 'none' : 'memory'),
    addressBase: options.addressBase ?? '127.10.0.0',
    port: options.port ?? 0,
    clock: options.clock ?? systemClock,
  };
  check(settings);
  return settings;
}

function check(settings: FarmSettings): void {
  within('cameras', settings.cameras, 1, 100_000);
  within('camerasPerHost', settings.camerasPerHost, 1, 10);
  within('bigHost', settings.bigHost, 0, settings.cameras);
  within('mjpegShare', settings.mjpegShare, 0, 1);
  within('nonIpShare', settings.nonIpShare, 0, 1);
  within('conditionalShare', settings.conditionalShare, 0, 1);
  within('width', settings.width, 64, 4096);
  within('height', settings.height, 64, 4096);
  within('quality', settings.quality, 1, 100);
  within('changeEverySeconds', settings.changeEverySeconds, 0, 86_400);
  within('partsPerSecond', settings.partsPerSecond, 0.01, 60);
  if (settings.ring) {
    within('ring.frames', settings.ring.frames, 1, 1000);
    within('ring.scenes', settings.ring.scenes, 1, 1000);
    if (!RING_MODES.includes(settings.ring.mode))
      refuse('ring.mode', settings.ring.mode, `one of ${RING_MODES.join(', ')}`);
    if (Object.keys({ ...settings.faultShares, ...settings.requestShares, ...settings.faultOf }).length > 0)
      refuse('ring', settings.ring.mode, 'no faults beside it: a ring serves healthy frames only');
  }
  if (!/^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(settings.addressBase))
    refuse('addressBase', settings.addressBase, 'an address in 127.0.0.0/8: the farm serves this machine only');
  for (const concept of settings.concepts)
    if (!CONCEPT_NAMES.includes(concept)) refuse('concepts', concept, `one of ${CONCEPT_NAMES.join(', ')}`);
  const shares = [settings.faultShares, settings.requestShares];
  for (const fault of [...shares.flatMap(Object.keys), ...Object.values(settings.faultOf)])
    if (!isFault(fault)) refuse('faults', fault, `one of ${FAULT_NAMES.join(', ')}`);
  for (const share of shares.flatMap(Object.values)) within('faults', share as number, 0, 1);
}

function within(option: string, value: number, low: number, high: number): void {
  if (!(value >= low && value <= high)) refuse(option, value, `a number from ${low} to ${high}`);
}

function refuse(option: string, value: unknown, allowed: string): never {
  throw new AppError('FARM_OPTION', `Farm option "${option}" cannot be ${JSON.stringify(value)}; give ${allowed}.`);
}
