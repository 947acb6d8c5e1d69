import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import jpegTurbo from '@julusian/jpeg-turbo';
import type { DETOURS } from './table.ts';

export type Detour = keyof typeof DETOURS;

export interface Witness {
  port: number;
  /** The addresses of ours to which connections were made since the last call. */
  contacts(): Promise<string[]>;
  close(): void;
}

const WIDTH = 64;
const pixels = Buffer.from(Array.from({ length: WIDTH * WIDTH * 3 }, (_, i) => ((i * 7) ^ (i >> 4)) & 255));
const picture = jpegTurbo.compressSync(pixels, {
  format: jpegTurbo.FORMAT_RGB,
  width: WIDTH,
  height: WIDTH,
  quality: 80,
});
/** The beginning of a transport stream. */
const segment = Buffer.concat(Array.from({ length: 4 }, () => Buffer.alloc(188, 0xff).fill(0x47, 0, 1)));
const initialisation = Buffer.from('0000001066747970697336660000000000', 'hex');

/** The path on the camera that sends whoever asks on to the address, and the path that is asked for there. */
const WAYS: Record<Detour, [path: string, there: string]> = {
  'a redirected snapshot': ['/to?', '/picture.jpg'],
  'a redirected stream of pictures': ['/to?', '/stream.mjpg'],
  'a redirected playlist': ['/to?', '/list.m3u8'],
  'a redirected probe': ['/to?', '/picture.jpg'],
  'the second of two redirects': ['/twice?', '/picture.jpg'],
  'a redirect without scheme': ['/bare?', '/picture.jpg'],
  'a rendition of a playlist': ['/rendition.m3u8?', '/list.m3u8'],
  'a segment of a playlist': ['/segment.m3u8?', '/segment.ts'],
  'a redirected segment': ['/segment-to.m3u8?', '/segment.ts'],
  'the key of a segment': ['/key.m3u8?', '/key'],
  'the initialisation of a segment': ['/map.m3u8?', '/init.mp4'],
};

/** The URL of a camera that leads to `host`; both behind the witness's port. */
export function detourUrl(detour: Detour, camera: string, host: string, port: number): string {
  const [path, there] = WAYS[detour];
  return `http://${camera}:${port}${path}${encodeURIComponent(`http://${host}:${port}${there}`)}`;
}

/** The URL of a camera that sends whoever asks to any other URL. */
export const redirectUrl = (camera: string, url: string, port: number): string =>
  `http://${camera}:${port}/to?${encodeURIComponent(url)}`;

/** The same for a playlist. */
export const segmentUrl = (camera: string, url: string, port: number): string =>
  `http://${camera}:${port}/segment.m3u8?${encodeURIComponent(url)}`;

const playlist = (...lines: string[]): string => ['#EXTM3U', '#EXT-X-TARGETDURATION:2', ...lines, ''].join('\n');
const redirect = (location: string) => ({ status: 302, headers: { location } });

interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

const ANSWERS: Record<string, (url: string) => Answer> = {
  '/picture.jpg': () => ({ headers: { 'content-type': 'image/jpeg' }, body: picture }),
  '/stream.mjpg': () => ({ headers: { 'content-type': 'multipart/x-mixed-replace;boundary=b' }, body: multipart }),
  '/list.m3u8': () => ({ body: playlist('#EXTINF:2,', 'segment.ts') }),
  '/segment.ts': () => ({ body: segment }),
  '/key': () => ({ body: Buffer.alloc(16, 1) }),
  '/init.mp4': () => ({ body: initialisation }),
  '/to': redirect,
  '/twice': (url) => redirect(`/to?${encodeURIComponent(url)}`),
  '/bare': (url) => redirect(url.slice('http:'.length)),
  '/rendition.m3u8': (url) => ({ body: `#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n${url}\n` }),
  '/segment.m3u8': (url) => ({ body: playlist('#EXTINF:2,', url) }),
  '/segment-to.m3u8': (url) => ({ body: playlist('#EXTINF:2,', `/to?${encodeURIComponent(url)}`) }),
  '/key.m3u8': (url) => ({ body: playlist(`#EXT-X-KEY:METHOD=AES-128,URI="${url}"`, '#EXTINF:2,', 'segment.ts') }),
  '/map.m3u8': (url) => ({ body: playlist(`#EXT-X-MAP:URI="${url}"`, '#EXTINF:2,', 'segment.ts') }),
};
const multipart = Buffer.concat([Buffer.from('--b\r\nContent-Type: image/jpeg\r\n\r\n'), picture, Buffer.from('\r\n')]);

function answer(request: IncomingMessage, response: ServerResponse): void {
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const found = ANSWERS[path]?.(decodeURIComponent(query));
  const { status = found ? 200 : 404, headers = {}, body = '' } = found ?? {};
  // No connection is used twice: each attempt has to be let through by itself.
  response.writeHead(status, { ...headers, connection: 'close' }).end(body);
}

/** A mapped address as the IPv4 address that it is, all others in the spelling of URLs. */
function plain(address: string): string {
  const mapped = /^::ffff:([\d.]+)$/.exec(address)?.[1] ?? address;
  return mapped.includes(':') ? new URL(`http://[${mapped}]`).hostname.slice(1, -1) : mapped;
}

/** A camera at every address of this machine, and the witness of who was contacted. What is no HTTP it hangs up on. */
export async function startWitness(): Promise<Witness> {
  let seen: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer(answer);
  server.on('connection', (socket: Socket) => {
    seen.push(plain(socket.localAddress ?? ''));
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  await new Promise<void>((done) => server.listen(0, '::', done));
  return {
    port: (server.address() as AddressInfo).port,
    contacts: async () => {
      // The kernel has accepted all of them by now; the event loop hears of it in its next turns.
      for (let turn = 0; turn < 3; turn++) await new Promise((done) => setImmediate(done));
      const found = seen;
      seen = [];
      return found;
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
