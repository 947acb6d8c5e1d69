import { pathsOf } from '../../common/domain/brand.ts';
import type { Brand, BrandPaths } from '../../common/domain/brand.ts';
import type { Credentials } from '../../common/domain/camera.ts';
import { AppError } from '../../common/runtime/errors.ts';
import type { ParsedCamera } from './camera.ts';

/** How to reach a camera, checked, without credentials; unused fields are `null`. */
export interface Address {
  kind: 'ip' | 'non_ip' | 'stream';
  scheme: 'http' | 'https' | null;
  host: string;
  port: number | null;
  brand: string | null;
  model: string | null;
  snapshotPath: string | null;
  videoPath: string | null;
  snapshotUrl: string | null;
  streamUrl: string | null;
}

export interface Located {
  address: Address;
  credentials: Credentials | null;
}

export interface AddressRules {
  /** Folders of this machine as cameras: only where the operator allows it. */
  allowFiles: boolean;
  /** Brands whose cameras need no paths. */
  brands: readonly Brand[];
}

/** Files have no host; politeness counts them as one. */
export const FILE_HOST = 'file';

const EMPTY = {
  scheme: null,
  port: null,
  brand: null,
  model: null,
  snapshotPath: null,
  videoPath: null,
  snapshotUrl: null,
  streamUrl: null,
} as const;

/** Rejects with `CAMERA_ADDRESS_INVALID` where the fields say no way to reach the camera. */
export function locate(camera: ParsedCamera, rules: AddressRules): Located {
  const kind = camera.kind ?? kindOf(camera);
  const located = kind === 'ip' ? ownServer(camera, rules) : byUrl(kind, camera, rules);
  return { address: located.address, credentials: camera.credentials ?? located.credentials };
}

function kindOf(camera: ParsedCamera): Address['kind'] {
  if (camera.streamUrl !== undefined) return 'stream';
  if (camera.snapshotUrl !== undefined) return isStream(camera.snapshotUrl) ? 'stream' : 'non_ip';
  if (camera.host !== undefined) return 'ip';
  throw wrong('There is no address; give host, snapshotUrl or streamUrl (columns host, snapshot_url, url, m3u8_url).');
}

const isStream = (url: string): boolean => /^(rtsps?|rtmps?):/i.test(url) || /\.m3u8?(\?|#|$)/i.test(url);

function ownServer(camera: ParsedCamera, { brands }: AddressRules): Located {
  if (camera.host === undefined) throw wrong('A camera of kind "ip" needs host (or ip).');
  const paths = pathsFor(camera, brands);
  const given = /^[a-z][a-z0-9+.-]*:\/\//i.test(camera.host)
    ? camera.host
    : `${camera.scheme ?? 'http'}://${bracketed(camera.host)}`;
  const { url, credentials } = parse(given, 'host', /^https?:$/);
  const scheme = url.protocol === 'https:' ? 'https' : 'http';
  const port = camera.port ?? (url.port ? Number(url.port) : scheme === 'https' ? 443 : 80);
  return {
    credentials,
    address: {
      ...EMPTY,
      kind: 'ip',
      scheme,
      host: hostOf(url),
      port,
      brand: camera.brand ?? null,
      model: camera.model ?? null,
      snapshotPath: paths.snapshot ?? null,
      videoPath: paths.video ?? null,
    },
  };
}

/** The paths that are given, else those of the brand: a camera that names one of its own is not like the others. */
function pathsFor({ snapshotPath, videoPath, brand, model }: ParsedCamera, brands: readonly Brand[]): BrandPaths {
  if (snapshotPath !== undefined || videoPath !== undefined)
    return {
      ...(snapshotPath !== undefined && { snapshot: snapshotPath }),
      ...(videoPath !== undefined && { video: videoPath }),
    };
  const known = brand === undefined ? undefined : pathsOf(brands, brand, model);
  if (known) return known;
  const names = brands.map(({ name }) => name).join(', ');
  throw wrong(
    `A camera of kind "ip" needs snapshotPath or videoPath (columns image_path, video_path), or a brand that is known${names === '' ? '' : `: ${names}`}.`,
  );
}

const bracketed = (host: string): string =>
  /^[0-9a-f]*:[0-9a-f:.]+$/i.test(host) && host.split(':').length > 2 ? `[${host}]` : host;

function byUrl(kind: 'non_ip' | 'stream', camera: ParsedCamera, { allowFiles }: AddressRules): Located {
  const text = kind === 'stream' ? (camera.streamUrl ?? camera.snapshotUrl) : camera.snapshotUrl;
  const field = kind === 'stream' ? 'streamUrl' : 'snapshotUrl';
  if (text === undefined) throw wrong(`A camera of kind "${kind}" needs ${field}.`);
  const allowed = kind === 'stream' ? /^(https?|rtsps?|rtmps?):$/ : /^(https?|file):$/;
  const { url, credentials } = parse(text, field, allowed);
  const isFile = url.protocol === 'file:';
  if (isFile && !allowFiles)
    throw wrong(
      'Folders (file:) are not allowed as cameras here; set cameras.allowFolders, and files.roots at agents.',
    );
  if (isFile && url.host !== '') throw wrong('A file: address names no host; write file:///folder.');
  return { credentials, address: { ...EMPTY, kind, host: isFile ? FILE_HOST : hostOf(url), [field]: url.href } };
}

/** The URL without its credentials, and those apart. */
function parse(text: string, field: string, protocols: RegExp): { url: URL; credentials: Credentials | null } {
  if (!URL.canParse(text)) throw wrong(`${field} is no address.`);
  const url = new URL(text);
  if (!protocols.test(url.protocol)) throw wrong(`${field} must not begin with "${url.protocol}".`);
  if (url.protocol !== 'file:' && url.hostname === '') throw wrong(`${field} names no host.`);
  if (url.username === '' && url.password === '') return { url, credentials: null };
  const credentials = { user: decoded(url.username), password: decoded(url.password) };
  url.username = '';
  url.password = '';
  return { url, credentials };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const hostOf = (url: URL): string =>
  url.hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');

/** Messages name the field, never its value: a URL may hold a password. */
const wrong = (message: string): AppError => new AppError('CAMERA_ADDRESS_INVALID', message);

/** Where an agent fetches it. */
export function fetchUrl(address: Address): string | null {
  if (address.kind === 'non_ip') return address.snapshotUrl;
  if (address.kind === 'stream') return address.streamUrl;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  const usual = address.scheme === 'https' ? 443 : 80;
  const port = address.port === null || address.port === usual ? '' : `:${address.port}`;
  return `${address.scheme ?? 'http'}://${host}${port}${address.snapshotPath ?? address.videoPath ?? '/'}`;
}
