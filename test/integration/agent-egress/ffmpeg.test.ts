import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { access, readFile, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ffmpegArguments } from '../../../agent/sources/ffmpeg/arguments.ts';
import type { Input } from '../../../agent/sources/ffmpeg/arguments.ts';
import { FfmpegChild } from '../../../agent/sources/ffmpeg/child.ts';
import { findFfmpeg } from '../../../agent/sources/ffmpeg/find.ts';
import { writeAmf } from '../../../agent/sources/rtmp-amf.ts';
import type { Amf } from '../../../agent/sources/rtmp-amf.ts';
import { COMMAND, writeChunks } from '../../../agent/sources/rtmp-chunks.ts';
import { eventually } from '../../support/eventually.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { missingForStreams, publish, startNginx, startRtspServer } from '../../support/streams/servers.ts';
import { networkSocketsOf } from '../../support/streams/sockets.ts';
import { streamWorld } from '../../support/streams/sources.ts';

const missing = missingForStreams();
let folder = '';

async function listening<T extends Server>(server: T): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return (server.address() as AddressInfo).port;
}

/** A server for each connection, ended with the test. */
async function tcpServer(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return listening(server);
}

/** Something inside that nobody must contact, over TCP or UDP; by its own name it is a web server. */
async function startInside(): Promise<{ port: number; contacts: () => number }> {
  let contacts = 0;
  const server = createHttpServer((_request, response) => void response.end());
  server.on('connection', () => contacts++);
  const port = await listening(server);
  const datagrams = createSocket('udp4', () => contacts++);
  await new Promise<void>((done) => datagrams.bind(port, '127.0.0.1', done));
  onTestFinished(() => (server.closeAllConnections(), server.close(), void datagrams.close()));
  return { port, contacts: () => contacts };
}

function world(options: Parameters<typeof streamWorld>[0] = {}) {
  const made = streamWorld(options);
  onTestFinished(() => made.close());
  return made;
}

/** Texts that name further addresses, for readers of each kind. */
const POINTING: Record<string, (url: string) => string> = {
  'a playlist': (url) => `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n${url}\n#EXT-X-ENDLIST\n`,
  'a master playlist': (url) => `#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n${url}\n`,
  'a key': (url) => `#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="${url}"\n#EXTINF:2,\n${url}\n#EXT-X-ENDLIST\n`,
  'a list of files': (url) => `ffconcat version 1.0\nfile ${url}\n`,
  'a session description': (url) =>
    `v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video ${new URL(url).port} RTP/AVP 96\na=rtpmap:96 H264/90000\n`,
  'a manifest': (url) =>
    `<?xml version="1.0"?><MPD type="static"><Period><AdaptationSet><Representation id="1" mimeType="video/mp4"><BaseURL>${url}</BaseURL></Representation></AdaptationSet></Period></MPD>`,
};

async function run(words: readonly string[], input: string): Promise<FfmpegChild> {
  const ffmpeg = await findFfmpeg();
  const child = new FfmpegChild({ command: [ffmpeg!.path, ...words], piped: true, onOutput: () => {} });
  onTestFinished(() => void child.stop());
  child.input!.end(input);
  const late = setTimeout(() => void child.stop(), 10_000);
  await child.ended;
  clearTimeout(late);
  return child;
}

describe.skipIf(missing !== undefined)(`ffmpeg opens no connection (${missing ?? 'all installed'})`, () => {
  beforeAll(async () => {
    folder = await makeTestFolder('egress');
    const source = ['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=10:duration=3'];
    const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '30', '-f', 'mpegts', 'a.ts'];
    await promisify(execFile)('ffmpeg', ['-nostdin', '-loglevel', 'error', ...source, ...h264], { cwd: folder });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const formats = ['mpegts', 'mov', 'flv'] as const satisfies Extract<Input, { kind: 'pipe' }>['format'][];

  test.each(Object.entries(POINTING))('to where %s on its standard input points', async (_, text) => {
    const inside = await startInside();
    for (const format of formats) {
      const words = ffmpegArguments({ input: { kind: 'pipe', format }, maxPixels: 1e6 });
      await run(words, text(`http://127.0.0.1:${inside.port}/a.ts`));
    }
    expect(inside.contacts()).toBe(0);
  });

  test('not even were it to read playlists: it knows no protocol but its pipe', async () => {
    const inside = await startInside();
    const words = ffmpegArguments({ input: { kind: 'pipe', format: 'mpegts' }, maxPixels: 1e6 });
    const asPlaylist = words.map((word) => (word === 'mpegts' ? 'hls' : word));
    const text = POINTING['a playlist']!(`http://127.0.0.1:${inside.port}/a.ts`);
    const child = await run(asPlaylist, text);
    expect(child.tail).toMatch(/not on whitelist 'pipe'/i);
    expect(inside.contacts()).toBe(0);
    // The trap is one: with the protocol allowed it falls into it.
    await run(
      asPlaylist.map((word) => (word === 'pipe' ? 'pipe,http,tcp' : word)),
      text,
    );
    expect(inside.contacts()).toBeGreaterThan(0);
  });

  test('nor does it use decoders that no camera needs', async () => {
    const png = ['-f', 'lavfi', '-i', 'testsrc2=size=64x48:rate=1:duration=1', '-c:v', 'png', '-f', 'mov', 'x.mov'];
    await promisify(execFile)('ffmpeg', ['-nostdin', '-loglevel', 'error', ...png], { cwd: folder });
    const words = ffmpegArguments({ input: { kind: 'pipe', format: 'mov' }, maxPixels: 1e6 });
    const child = await run(
      words.map((word) => (word === 'pipe' ? 'pipe,file' : word === 'pipe:0' ? join(folder, 'x.mov') : word)),
      '',
    );
    expect(child.tail).toMatch(/not on whitelist/);
  });

  test('while it decodes a segment of HLS', async () => {
    const segment = await readFile(join(folder, 'a.ts'));
    let go = (): void => {};
    const enough = new Promise<void>((done) => (go = done));
    const server = createHttpServer((request, response) => {
      if (request.url === '/x.m3u8') return void response.end('#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\na.ts\n');
      response.write(segment.subarray(0, 2_000));
      void enough.then(() => response.end(segment.subarray(2_000)));
    });
    const port = await listening(server);
    onTestFinished(() => (server.closeAllConnections(), void server.close()));
    const { source, decoders } = world();
    const fetching = source({ transport: 'hls', url: `http://127.0.0.1:${port}/x.m3u8` }).fetchOnce({});
    await eventually(() => decoders.pids.length === 1);
    const pid = decoders.pids[0]!;
    for (let look = 0; look < 10; look++) {
      expect(await networkSocketsOf(pid)).toEqual([]);
      await sleep(20);
    }
    go();
    expect((await fetching).bytes!.length).toBeGreaterThan(1_000);
  });

  test.each(['rtsp', 'rtmp'] as const)('but the one to our relay, while it reads %s', async (transport) => {
    const url = transport === 'rtsp' ? await rtspCamera() : await rtmpCamera();
    const { source, decoders } = world();
    for await (const frame of source({ transport, url, minIntervalMs: 100 }).frames(new AbortController().signal)) {
      expect(frame.bytes!.length).toBeGreaterThan(100);
      const pid = decoders.pids[0]!;
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8');
      const relay = new RegExp(`${transport}://(127\\.0\\.0\\.1:\\d+)/`).exec(command)![1];
      expect(await networkSocketsOf(pid)).toEqual([`tcp ${relay}`]);
      expect(url).not.toContain(relay);
      break;
    }
  });

  async function rtspCamera(): Promise<string> {
    const server = await startRtspServer({ keyFrameEvery: 5 });
    onTestFinished(() => server.process.end());
    return `rtsp://127.0.0.1:${server.port}/camera`;
  }

  async function rtmpCamera(): Promise<string> {
    const nginx = await startNginx(await makeTestFolder('rtmp'));
    const url = `rtmp://127.0.0.1:${nginx.rtmpPort}/live/camera`;
    const publisher = publish(url);
    onTestFinished(async () => {
      await publisher.end();
      await nginx.process.end();
      await rm(nginx.folder, { recursive: true, force: true });
    });
    // It writes the stream to disk as well: then there is one.
    await eventually(() => access(join(nginx.folder, 'hls/camera.m3u8')).then(() => true), { withinMs: 20_000 });
    return url;
  }

  test('to where an RTSP server sends it in the description, the tracks or the transport', async () => {
    const inside = await startInside();
    const elsewhere = `rtsp://127.0.0.1:${inside.port}/inside/`;
    const description = [
      ...['v=0', `o=- 0 0 IN IP4 127.0.0.1`, 's=x', 'c=IN IP4 127.0.0.1', 't=0 0', `a=control:${elsewhere}`],
      ...[`m=video ${inside.port} RTP/AVP 96`, 'a=rtpmap:96 H264/90000', `a=control:${elsewhere}track1`, ''],
    ].join('\r\n');
    const asked: string[] = [];
    const port = await tcpServer((socket) =>
      socket.on('data', (data) => {
        const [method = ''] = data.toString('latin1').split(' ');
        asked.push(method);
        const number = /CSeq: (\d+)/i.exec(data.toString('latin1'))?.[1] ?? '1';
        const transport = `RTP/AVP/UDP;unicast;client_port=5000-5001;server_port=${inside.port}-${inside.port + 1};source=127.0.0.1;destination=127.0.0.1`;
        const head = `RTSP/1.0 200 OK\r\nCSeq: ${number}\r\nSession: 1\r\nContent-Base: ${elsewhere}\r\nLocation: ${elsewhere}\r\nTransport: ${transport}\r\n`;
        const body = method === 'DESCRIBE' ? description : '';
        const type = body && `Content-Type: application/sdp\r\nContent-Length: ${body.length}\r\n`;
        socket.write(`${head}${type}\r\n${body}`);
      }),
    );
    const { source } = world({ stallMs: 3_000 });
    const failure = await source({ transport: 'rtsp', url: `rtsp://127.0.0.1:${port}/x` })
      .fetchOnce({})
      .then(() => 'a picture', (error: { code: string }) => error.code); // prettier-ignore
    expect(failure).toMatch(/^SOURCE_(PROTOCOL|ENDED|TIMEOUT)$/);
    expect(asked).toContain('SETUP');
    expect(inside.contacts()).toBe(0);
  });

  test('to where an RTMP server redirects it', async () => {
    const inside = await startInside();
    const text = (value: string): Amf => ({ type: 'string', value });
    const redirect = text(`rtmp://127.0.0.1:${inside.port}/inside`);
    const body = writeAmf([
      text('_error'),
      { type: 'number', value: 1 },
      { type: 'null' },
      {
        type: 'object',
        entries: [
          ['level', text('error')],
          ['code', text('NetConnection.Connect.Rejected')],
          ['description', text('moved')],
          ['ex', { type: 'object', entries: [['code', { type: 'number', value: 302 }], ['redirect', redirect]] }], // prettier-ignore
        ],
      },
    ]);
    const refusal = writeChunks({
      chunkStream: 3,
      timestamp: 0,
      type: COMMAND,
      messageStream: 0,
      body,
      chunkSize: 128,
    });
    const port = await tcpServer((socket) => {
      let received = 0;
      socket.on('data', (data) => {
        const before = received;
        received += data.length;
        // Version and first block are answered by ours and an echo; what follows the second block is the wish to connect.
        if (before < 1_537 && received >= 1_537)
          socket.write(Buffer.concat([Buffer.from([3]), Buffer.alloc(1_536), data.subarray(1, 1_537)]));
        if (received > 3_073) socket.write(refusal);
      });
    });
    const attempt = world().source({ transport: 'rtmp', url: `rtmp://127.0.0.1:${port}/live/x` }).fetchOnce({}); // prettier-ignore
    await expect(attempt).rejects.toMatchObject({ code: 'SOURCE_REDIRECTS' });
    expect(inside.contacts()).toBe(0);
  });
});
