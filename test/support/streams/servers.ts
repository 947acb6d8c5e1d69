import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { startProcess } from '../processes.ts';
import type { TestProcess } from '../processes.ts';

const RTMP_MODULE = '/usr/lib/nginx/modules/ngx_rtmp_module.so';
// Debian's own: its bindings for GStreamer are of no use to another Python.
const PYTHON = '/usr/bin/python3';

/** Why streams cannot be served here; `undefined` where they can. */
export function missingForStreams(): string | undefined {
  const runs = (command: string, ...args: string[]): boolean =>
    spawnSync(command, args, { stdio: 'ignore' }).status === 0;
  if (!runs('ffmpeg', '-version')) return 'ffmpeg is not installed';
  if (!existsSync(RTMP_MODULE) || !runs('/usr/sbin/nginx', '-v'))
    return 'nginx with libnginx-mod-rtmp is not installed';
  const bindings =
    "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst; Gst.init(None); assert Gst.ElementFactory.find('x264enc') and Gst.ElementFactory.find('rtph264pay')";
  if (!runs(PYTHON, '-c', bindings))
    return 'gir1.2-gst-rtsp-server-1.0 or gstreamer1.0-plugins-good or -ugly is not installed';
  return undefined;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

export interface RtspOptions {
  auth?: 'none' | 'basic' | 'digest';
  keyFrameEvery?: number;
  betweenFrames?: number;
  size?: readonly [number, number];
}

/** GStreamer's RTSP server; whoever starts it ends it. */
export async function startRtspServer(options: RtspOptions = {}): Promise<{ port: number; process: TestProcess }> {
  const { auth = 'none', keyFrameEvery = 10, betweenFrames = 0, size = [320, 240] } = options;
  const script = resolve(import.meta.dirname, 'rtsp-server.py');
  const args = [script, auth, String(keyFrameEvery), String(betweenFrames), ...size.map(String)];
  const process = startProcess(PYTHON, { args, endAfterTest: false });
  const said = await process.says(/port (\d+)/);
  return { port: Number((said as RegExpExecArray)[1]), process };
}

export interface NginxServer {
  rtmpPort: number;
  httpPort: number;
  folder: string;
  process: TestProcess;
}

/** nginx: RTMP applications `live` (which also writes HLS) and `closed` (refuses everybody), HTTP below the folder. */
export async function startNginx(folder: string): Promise<NginxServer> {
  const [rtmpPort, httpPort] = [await freePort(), await freePort()];
  await mkdir(join(folder, 'hls'), { recursive: true });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (each) => `${each}_temp_path ${folder}/tmp;`,
  );
  await mkdir(join(folder, 'tmp'), { recursive: true });
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  await writeFile(
    join(folder, 'nginx.conf'),
    `load_module ${RTMP_MODULE}; ${user} daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr notice;
     events { worker_connections 128; }
     rtmp { access_log off; server { listen 127.0.0.1:${rtmpPort};
       application live { live on; idle_streams off; wait_key on; hls on; hls_path ${folder}/hls; hls_fragment 1s; hls_playlist_length 6s; }
       application closed { live on; deny play all; } } }
     http { ${temporary.join(' ')} access_log ${folder}/access.log; types { application/vnd.apple.mpegurl m3u8; video/mp2t ts; }
       server { listen 127.0.0.1:${httpPort}; root ${folder}; } }`,
  );
  const server = startProcess('/usr/sbin/nginx', {
    args: ['-p', folder, '-c', join(folder, 'nginx.conf')],
    endAfterTest: false,
  });
  await server.says(/start worker|using the "epoll"|nginx\/\d/);
  return { rtmpPort, httpPort, folder, process: server };
}

/** ffmpeg as a camera that publishes without end; whoever starts it ends it. */
export function publish(url: string, { keyFrameEvery = 10, size = '320x240', bFrames = 0 } = {}): TestProcess {
  const video = ['-re', '-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=10`];
  const sound = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=44100'];
  const h264 = [
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    '-g',
    String(keyFrameEvery),
    '-bf',
    String(bFrames),
    '-threads',
    '1',
  ];
  const rest = ['-pix_fmt', 'yuv420p', '-c:a', 'aac', '-f', 'flv', url];
  return startProcess('ffmpeg', {
    args: ['-nostdin', '-loglevel', 'error', ...video, ...sound, ...h264, ...rest],
    endAfterTest: false,
  });
}
