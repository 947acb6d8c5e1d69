import type { FarmSettings } from './options.ts';
import type { FarmCamera } from './population.ts';
import type { Picture } from './pictures.ts';
import { pictureOf } from './pictures.ts';
import type { SceneRenderer } from './scenes/renderer.ts';

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
  renderer: SceneRenderer,
  { ring, clock }: FarmSettings,
): Map<string, CameraRing> {
  const { frames = 1, scenes = 1 } = ring ?? {};
  const start = clock.now();
  const shared = cameras.slice(0, scenes).map((camera) =>
    // Half a minute apart, as successive snapshots of a camera are.
    Array.from({ length: frames }, (_, i) =>
      frameOf(renderer.render(camera, start + i * 30_000, i), start + i * 30_000),
    ),
  );
  return new Map(
    cameras.map((camera, index) => [
      camera.id,
      { camera, frames: shared[index % shared.length] as RingFrame[], next: index % frames },
    ]),
  );
}

function frameOf(bytes: Buffer, since: number): RingFrame {
  const picture = pictureOf(bytes, 'image/jpeg', since);
  const etag = `"${picture.digest.slice(0, 20)}"`;
  const validators = `ETag: ${etag}\r\nLast-Modified: ${new Date(since).toUTCString()}\r\n`;
  const head = `HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: ${bytes.length}\r\n${validators}\r\n`;
  return {
    picture,
    etag,
    whole: Buffer.concat([Buffer.from(head), bytes]),
    unchanged: Buffer.from(`HTTP/1.1 304 Not Modified\r\n${validators}\r\n`),
  };
}
