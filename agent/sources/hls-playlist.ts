import { sourceError } from './errors.ts';

/** One rendition in a master playlist. */
export interface Variant {
  url: string;
  /** Bits per second. */
  bandwidth: number;
  /** px; `undefined` where the playlist does not say. */
  width: number | undefined;
}

export interface ByteRange {
  offset: number;
  length: number;
}

export interface SegmentKey {
  method: 'AES-128';
  url: string;
  iv: Buffer | undefined;
}

export interface Segment {
  url: string;
  sequence: number;
  durationMs: number;
  range: ByteRange | undefined;
  /** Initialisation section (fragmented MP4) in force here. */
  map: { url: string; range: ByteRange | undefined } | undefined;
  key: SegmentKey | undefined;
  /** The stream's own time of its first picture, ms since the epoch. */
  at: number | undefined;
}

export type Playlist =
  { kind: 'master'; variants: Variant[] } | { kind: 'media'; targetMs: number; ended: boolean; segments: Segment[] };

type Attributes = ReadonlyMap<string, string>;

/**
 * Reads a playlist of HTTP Live Streaming (RFC 8216). All URLs come out absolute and are http or https: a playlist cannot point at
 * files or other protocols. Throws `SOURCE_PROTOCOL` for what is none, and for encryption that only licensed players undo.
 *
 * @param base the address that the playlist really came from
 */
export function parsePlaylist(text: string, base: string): Playlist {
  const lines = text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .map((line) => line.trim());
  if (!lines[0]?.startsWith('#EXTM3U')) throw malformed('it does not begin with #EXTM3U');
  const isMaster = lines.some((line) => line.startsWith('#EXT-X-STREAM-INF'));
  return isMaster ? { kind: 'master', variants: variantsIn(lines, base) } : mediaIn(lines, base);
}

function variantsIn(lines: readonly string[], base: string): Variant[] {
  const variants: Variant[] = [];
  let described: Attributes | undefined;
  for (const line of lines) {
    if (line.startsWith('#EXT-X-STREAM-INF:')) described = attributesIn(line);
    if (line === '' || line.startsWith('#')) continue;
    if (described && !isAudioOnly(described)) {
      const width = /^(\d{1,5})x\d{1,5}$/i.exec(described.get('RESOLUTION') ?? '')?.[1];
      variants.push({
        url: resolve(line, base),
        bandwidth: Number(described.get('BANDWIDTH') ?? 0) || 0,
        width: width === undefined ? undefined : Number(width),
      });
    }
    described = undefined;
  }
  if (variants.length === 0) throw malformed('it offers nothing with pictures');
  return variants;
}

const isAudioOnly = (attributes: Attributes): boolean =>
  !attributes.has('RESOLUTION') && /^(mp4a|ac-3|ec-3|opus|flac)[^,]*$/i.test(attributes.get('CODECS') ?? '');

// 720p: a classifier looks at a few hundred pixels, people at a page; four times the bytes would show neither of them more.
const ENOUGH_WIDTH = 1_280;

/** The best rendition up to 1280 px; the smallest where all are larger. */
export function chooseVariant(variants: readonly Variant[]): Variant {
  const ordered = [...variants].sort((a, b) => (a.width ?? 0) - (b.width ?? 0) || a.bandwidth - b.bandwidth);
  return ordered.filter(({ width }) => width === undefined || width <= ENOUGH_WIDTH).at(-1) ?? ordered[0]!;
}

/** What tags in front of a segment said about it and those behind it. */
interface State {
  next: Omit<Segment, 'url'>;
  /** Where the last byte range ended, by URL. */
  ends: Map<string, number>;
  range: string | undefined;
  isGap: boolean;
}

function mediaIn(lines: readonly string[], base: string): Playlist {
  const segments: Segment[] = [];
  let targetMs = 0;
  const next = { sequence: 0, durationMs: 0, range: undefined, map: undefined, key: undefined, at: undefined };
  const state: State = { next, ends: new Map(), range: undefined, isGap: false };
  for (const line of lines) {
    if (line.startsWith('#EXT-X-TARGETDURATION:')) targetMs = Number(valueOf(line)) * 1_000 || 0;
    else if (line.startsWith('#')) readTag(line, state, base);
    else if (line !== '') takeSegment(line, state, base, segments);
  }
  return { kind: 'media', targetMs, ended: lines.includes('#EXT-X-ENDLIST'), segments };
}

function readTag(line: string, state: State, base: string): void {
  const { next } = state;
  const [name = ''] = line.split(':', 1);
  switch (name) {
    case '#EXT-X-MEDIA-SEQUENCE':
      next.sequence = Number(valueOf(line)) || 0;
      return;
    case '#EXTINF':
      next.durationMs = (parseFloat(valueOf(line)) || 0) * 1_000;
      return;
    case '#EXT-X-BYTERANGE':
      state.range = valueOf(line);
      return;
    case '#EXT-X-GAP':
      state.isGap = true;
      return;
    case '#EXT-X-DISCONTINUITY':
      // Behind it, time goes on from somewhere else.
      next.at = undefined;
      return;
    case '#EXT-X-PROGRAM-DATE-TIME': {
      const at = Date.parse(valueOf(line));
      next.at = Number.isFinite(at) ? at : undefined;
      return;
    }
    case '#EXT-X-MAP':
      next.map = mapIn(attributesIn(line), base);
      return;
    case '#EXT-X-KEY':
      next.key = keyIn(attributesIn(line), base);
      return;
    default:
      return; // comments, and tags that say nothing about where pictures are
  }
}

function takeSegment(line: string, state: State, base: string, segments: Segment[]): void {
  const { next } = state;
  const url = resolve(line, base);
  const range = state.range === undefined ? undefined : rangeIn(state.range, state.ends.get(url) ?? 0);
  if (range) state.ends.set(url, range.offset + range.length);
  if (!state.isGap) segments.push({ ...next, url, range });
  next.sequence++;
  if (next.at !== undefined) next.at += next.durationMs;
  state.range = undefined;
  state.isGap = false;
}

function mapIn(attributes: Attributes, base: string): Segment['map'] {
  const uri = attributes.get('URI');
  if (uri === undefined) throw malformed('its EXT-X-MAP names no address');
  const range = attributes.get('BYTERANGE');
  return { url: resolve(uri, base), range: range === undefined ? undefined : rangeIn(range, 0) };
}

function keyIn(attributes: Attributes, base: string): SegmentKey | undefined {
  const method = attributes.get('METHOD') ?? 'NONE';
  if (method === 'NONE') return undefined;
  const format = attributes.get('KEYFORMAT') ?? 'identity';
  const uri = attributes.get('URI');
  if (method !== 'AES-128' || format !== 'identity' || uri === undefined)
    throw sourceError(
      'SOURCE_PROTOCOL',
      `The stream is encrypted (${method}, ${format}) for licensed players; its frames cannot be taken.`,
      {
        encryption: method.slice(0, 40),
      },
    );
  const iv = /^0x([0-9a-f]{1,32})$/i.exec(attributes.get('IV') ?? '')?.[1];
  return {
    method,
    url: resolve(uri, base),
    iv: iv === undefined ? undefined : Buffer.from(iv.padStart(32, '0'), 'hex'),
  };
}

/** `length` or `length@offset`; without offset it follows the one before. */
function rangeIn(text: string, follows: number): ByteRange {
  const [, length, offset] = /^(\d{1,15})(?:@(\d{1,15}))?$/.exec(text.trim()) ?? [];
  if (length === undefined) throw malformed('it has a byte range that is none');
  return { length: Number(length), offset: offset === undefined ? follows : Number(offset) };
}

const valueOf = (line: string): string => line.slice(line.indexOf(':') + 1).trim();

function attributesIn(line: string): Attributes {
  const attributes = new Map<string, string>();
  for (const [, name, quoted, plain] of valueOf(line).matchAll(/([A-Z0-9-]+)=(?:"([^"]*)"|([^,]*))/g))
    attributes.set(name!, quoted ?? plain?.trim() ?? '');
  return attributes;
}

function resolve(uri: string, base: string): string {
  const url = URL.canParse(uri, base) ? new URL(uri, base) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw malformed('it points at something that is no http(s) URL');
  return url.href;
}

const malformed = (what: string): Error =>
  sourceError('SOURCE_PROTOCOL', `The playlist cannot be used: ${what}.`, { playlist: what });
