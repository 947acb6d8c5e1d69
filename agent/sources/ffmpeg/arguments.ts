/** What ffmpeg reads, and the only protocols that it may use for it. */
export type Input =
  | { kind: 'pipe'; format: 'mpegts' | 'mov' | 'flv' }
  /** Our relay; ffmpeg is told nothing of the camera, neither its address nor its path. */
  | { kind: 'relay'; scheme: 'rtsp' | 'rtmp'; url: string };

export interface Task {
  input: Input;
  /** `undefined`: one picture, then ffmpeg ends. A number: a picture whenever so many ms have passed, until it is stopped. */
  everyMs?: number | undefined;
  maxPixels: number;
  /** Of ffmpeg, see `releaseOf`. */
  release?: readonly [number, number] | undefined;
}

/** In ffmpeg's own scale 2 is best; 3 is visually lossless at about 60 % of its bytes. */
const QUALITY = '3';

/**
 * What cameras send. ffmpeg has hundreds of decoders, for games and scanners, in which most of its weaknesses are found; a stream
 * names the one that it wants. Sound is not decoded, but its parameters may be.
 */
const DECODERS = [
  ...['h264', 'hevc', 'mjpeg', 'mpeg4', 'mpeg2video', 'mpeg1video', 'h263', 'flv', 'vp8', 'vp9', 'libdav1d', 'av1'],
  ...['aac', 'mp3', 'mp3float', 'pcm_alaw', 'pcm_mulaw', 'opus'],
].join(',');

/**
 * The command line for key frames as JPEGs on standard output. The decoder is given key frames only (`-skip_frame nokey`) and
 * hands each over at once (`low_delay`, one thread): with reordering or frame threads it would wait for the following ones.
 */
export function ffmpegArguments({ input, everyMs, maxPixels, release }: Task): string[] {
  return [
    '-hide_banner',
    '-nostdin',
    ...['-loglevel', 'warning'],
    ...['-protocol_whitelist', input.kind === 'pipe' ? 'pipe' : `${input.scheme},tcp`],
    ...['-codec_whitelist', DECODERS],
    ...probing(input),
    ...['-threads', '1', '-skip_frame', 'nokey', '-flags', 'low_delay', '-max_pixels', String(maxPixels)],
    ...source(input),
    ...['-map', '0:v:0'],
    ...(everyMs === undefined ? ['-frames:v', '1'] : pace(everyMs, release)),
    ...['-threads', '1', '-c:v', 'mjpeg', '-q:v', QUALITY, '-pix_fmt', 'yuvj420p'],
    ...['-flush_packets', '1', '-f', 'image2pipe', 'pipe:1'],
  ];
}

/** Just enough to know the streams: waiting for frame rates and the other streams costs seconds of every connection. */
function probing(input: Input): string[] {
  // A stream over RTMP consists of key frames alone when it leaves our relay: the first is enough.
  const bytes = input.kind === 'pipe' ? '2000000' : input.scheme === 'rtmp' ? '1024' : '500000';
  return ['-probesize', bytes, '-analyzeduration', '100000', '-fpsprobesize', '0'];
}

function source(input: Input): string[] {
  // The format is never guessed: a guess may be a playlist, which names further addresses.
  if (input.kind === 'pipe') return ['-f', input.format, '-i', 'pipe:0'];
  if (input.scheme === 'rtmp') return ['-rtmp_live', 'live', '-f', 'flv', '-i', input.url];
  return ['-rtsp_transport', 'tcp', '-allowed_media_types', 'video', '-f', 'rtsp', '-i', input.url];
}

/** Encodes no more pictures than are wanted. Time that runs backwards (a restarted camera) counts as passed. */
function pace(everyMs: number, [major, minor]: readonly [number, number] = [9, 0]): string[] {
  const seconds = (everyMs / 1_000).toFixed(3);
  const wanted = `isnan(prev_selected_t)+gte(t-prev_selected_t\\,${seconds})+lt(t\\,prev_selected_t)`;
  // The old name is gone from new releases, the new one unknown to old ones.
  const mode = major > 5 || (major === 5 && minor >= 1) ? '-fps_mode' : '-vsync';
  return ['-vf', `select=${wanted}`, mode, 'passthrough'];
}
