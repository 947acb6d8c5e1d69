import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findFfmpeg } from '../../../agent/sources/ffmpeg/find.ts';

export interface HlsFarm {
  urlOf(camera: number): { url: string; host: string };
  close(): void;
}

const SEGMENTS = 12;
const SECONDS = 2;
const LISTED = 3;
const PICTURE = { width: 176, height: 144, perSecond: 5 };

/**
 * Live HLS: segments that ffmpeg makes once, offered without end by a playlist that moves on with the clock. Each camera is a host
 * of its own, and begins at another segment. `undefined` where there is no ffmpeg.
 */
export async function openHlsFarm(): Promise<HlsFarm | undefined> {
  const ffmpeg = await findFfmpeg();
  if (!ffmpeg) return undefined;
  const segments = await makeSegments(ffmpeg.path);
  const server = createServer((request, response) => {
    const [, camera = '', file = ''] = (request.url ?? '').split('/');
    const sequence = /^(\d+)\.ts$/.exec(file)?.[1];
    if (sequence !== undefined) {
      response.setHeader('content-type', 'video/mp2t');
      return void response.end(segments[(Number(sequence) + Number(camera)) % segments.length]);
    }
    response.setHeader('content-type', 'application/vnd.apple.mpegurl');
    response.end(playlist());
  });
  await new Promise<void>((done) => server.listen(0, '0.0.0.0', done));
  const { port } = server.address() as AddressInfo;
  return {
    urlOf: (camera) => {
      const host = `127.80.${camera >> 8}.${(camera & 255) + 1}`;
      return { url: `http://${host}:${port}/${camera}/live.m3u8`, host };
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function playlist(): string {
  const newest = Math.floor(Date.now() / 1_000 / SECONDS);
  const first = newest - LISTED + 1;
  const entries = Array.from({ length: LISTED }, (_, index) => `#EXTINF:${SECONDS},\n${first + index}.ts\n`);
  return `#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:${SECONDS}\n#EXT-X-MEDIA-SEQUENCE:${first}\n${entries.join('')}`;
}

/** A key frame at the beginning of each. */
async function makeSegments(ffmpeg: string): Promise<Buffer[]> {
  const folder = mkdtempSync(join(tmpdir(), 'camfleet-hostile-hls-'));
  const { width, height, perSecond } = PICTURE;
  const source = `testsrc2=size=${width}x${height}:rate=${perSecond}:duration=${SEGMENTS * SECONDS}`;
  const encode = ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-preset', 'ultrafast', '-g', String(SECONDS * perSecond)];
  const cut = ['-f', 'segment', '-segment_time', String(SECONDS), '-segment_format', 'mpegts', join(folder, '%03d.ts')];
  try {
    await promisify(execFile)(ffmpeg, ['-v', 'error', '-f', 'lavfi', '-i', source, ...encode, ...cut]);
    return readdirSync(folder)
      .sort()
      .map((name) => readFileSync(join(folder, name)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
