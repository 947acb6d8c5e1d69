import type { FarmSettings } from './options.ts';
import type { FarmCamera } from './camera.ts';
import type { Picture } from './picture.ts';
import { pictureOf } from './picture.ts';
import type { PictureMaker } from './pictures.ts';

/** A frame with its answers, ready to be written to a socket. */
export interface RingFrame {
  picture: Picture;
  etag: string;
  /** Head and body of the 200. */
  whole: Buffer;
  /** Head of the 304. */
  unchanged: Buffer;
}

/** A camera's frames and how many of them it has served. */
export interface CameraRing {
  camera: FarmCamera;
  frames: readonly RingFrame[];
  next: number;
}

/** Draws and encodes all frames beforehand. Cameras share scenes, each begins at a place of its own. */
export function createRings(
  cameras: readonly FarmCamera[],
  maker: PictureMaker,
  { ring, clock }: FarmSettings,
): Map<string, CameraRing> {
  const { frames = 1, scenes = 1 } = ring ?? {};
  const start = clock.now();
  // Half a minute apart, as successive snapshots of a camera are.
  const framesOf = (camera: FarmCamera) =>
    Array.from({ length: frames }, (_, i) => frameOf(maker.make(camera, i, start + i * 30_000), start + i * 30_000));
  const shared = cameras.slice(0, scenes).map(framesOf);
  return new Map(
    cameras.map((camera, index) => [
      camera.id,
      { camera, frames: shared[index % shared.length] as RingFrame[], next: index % frames },
    ]),
  );
}

function frameOf({ bytes, type }: { bytes: Buffer; type: string }, since: number): RingFrame {
  const picture = pictureOf(bytes, type, since);
  const etag = `"${picture.digest.slice(0, 20)}"`;
  const validators = `ETag: ${etag}\r\nLast-Modified: ${new Date(since).toUTCString()}\r\n`;
  const head = `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${bytes.length}\r\n${validators}\r\n`;
  return {
    picture,
    etag,
    whole: Buffer.concat([Buffer.from(head), bytes]),
    unchanged: Buffer.from(`HTTP/1.1 304 Not Modified\r\n${validators}\r\n`),
  };
}
