import type { Socket } from 'node:net';
import type { RingOptions } from './options.ts';
import type { RequestLog, RequestRecord } from './request-log.ts';
import { wasHandedOver } from './snapshot.ts';
import type { CameraRing, RingFrame } from './ring.ts';

const END_OF_HEAD = '\r\n\r\n';
// A request of ours has some 200 bytes; whoever sends more without an end is cut off.
const MAX_HEAD = 16_384;
const NOT_FOUND = Buffer.from('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');

/**
 * The least HTTP/1.1 that a benchmark's client needs: GET without a body, keep-alive, pipelining. It writes one prepared
 * buffer per request, so that the farm's core is not what a benchmark measures.
 */
export function ringResponder(
  rings: ReadonlyMap<string, CameraRing>,
  { mode }: RingOptions,
  log: RequestLog,
  now: () => number,
): (socket: Socket) => void {
  const answer = (socket: Socket, head: string) => {
    const ring = rings.get(cameraIn(head));
    if (!ring) return void socket.write(NOT_FOUND);
    const frame = ring.frames[mode === 'changed' ? ring.next++ % ring.frames.length : 0] as RingFrame;
    const same = mode === 'not-modified' && head.includes(frame.etag);
    const bytes = same ? frame.unchanged : frame.whole;
    if (!log.keeps) return void socket.write(bytes);
    const record = recordOf(ring, frame, head, same, now());
    socket.write(bytes, (error) => log.add({ ...record, complete: wasHandedOver(error, socket) }));
  };
  return (socket) => {
    let rest = '';
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      let text = rest + chunk.toString('latin1');
      for (let end = text.indexOf(END_OF_HEAD); end >= 0; end = text.indexOf(END_OF_HEAD)) {
        answer(socket, text.slice(0, end));
        text = text.slice(end + END_OF_HEAD.length);
      }
      rest = text;
      if (rest.length > MAX_HEAD) socket.destroy();
    });
  };
}

/** The id in `GET /cam/<id>/snapshot.jpg HTTP/1.1`, or nothing that a camera is called. */
function cameraIn(head: string): string {
  return head.startsWith('GET /cam/') ? head.slice(9, head.indexOf('/', 9)) : '';
}

function recordOf(
  { camera }: CameraRing,
  { picture }: RingFrame,
  head: string,
  same: boolean,
  at: number,
): RequestRecord {
  return {
    at,
    camera: camera.id,
    attempt: /\r\nx-camfleet-attempt: *([^\r]*)/i.exec(head)?.[1] ?? null,
    status: same ? 304 : 200,
    bytes: same ? 0 : picture.bytes.length,
    complete: false,
    kind: same ? 'not-modified' : 'frame',
    fault: null,
    digest: picture.digest,
  };
}
