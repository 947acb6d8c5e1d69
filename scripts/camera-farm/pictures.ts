import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Clock } from '../../common/runtime/clock.ts';
import { AppError } from '../../common/runtime/errors.ts';
import type { FarmCamera } from './camera.ts';
import type { Picture } from './picture.ts';
import { pictureOf } from './picture.ts';
import type { SceneRenderer } from './scenes/renderer.ts';

/** What a camera sees at a moment. `version` grows whenever the scene changes. */
export interface PictureMaker {
  make(camera: FarmCamera, version: number, since: number): { bytes: Buffer; type: string; scene?: string };
}

/**
 * Keeps each camera's picture until its scene changes, and draws the next one only when somebody asks. With an interval of 0
 * every request is a change.
 */
export class ChangingPictures {
  readonly #maker: PictureMaker;
  readonly #everyMs: number;
  readonly #clock: Clock;
  readonly #current = new Map<string, Picture>();

  constructor(maker: PictureMaker, changeEverySeconds: number, clock: Clock) {
    this.#maker = maker;
    this.#everyMs = changeEverySeconds * 1000;
    this.#clock = clock;
  }

  current(camera: FarmCamera): Picture {
    const shown = this.#current.get(camera.id);
    const now = this.#clock.now();
    // Cameras change at moments of their own, or all of a farm would be drawn in the same instant.
    const offset = (camera.index * 7919) % Math.max(1, this.#everyMs);
    const version = this.#everyMs > 0 ? Math.floor((now + offset) / this.#everyMs) : (shown?.version ?? -1) + 1;
    if (shown?.version === version) return shown;
    const since = this.#everyMs > 0 ? version * this.#everyMs - offset : now;
    const { bytes, type, scene } = this.#maker.make(camera, version, since);
    const picture = { ...pictureOf(bytes, type, since, version), ...(scene !== undefined && { scene }) };
    this.#current.set(camera.id, picture);
    return picture;
  }
}

/** Draws the cameras' scenes. */
export function scenePictures(renderer: SceneRenderer): PictureMaker {
  return {
    make: (camera, version, since) => ({
      bytes: renderer.render(camera, since, version),
      type: 'image/jpeg',
      scene: camera.concept,
    }),
  };
}

const TYPES: Record<string, string> = {
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.gif': 'image/gif',
};

/**
 * Pictures of a folder, byte by byte as they are, broken ones included. Where it has subfolders with pictures each camera gets
 * one of them, else all share the folder and begin at different pictures.
 */
export function folderPictures(folder: string): PictureMaker {
  const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const sets = [folder, ...below.map((entry) => join(folder, entry.name)).sort()].map(picturesIn);
  const filled = sets.filter((files) => files.length > 0);
  if (filled.length === 0)
    throw new AppError(
      'FARM_PICTURES',
      `"${folder}" holds no pictures; expected ${Object.keys(TYPES).join(', ')} files.`,
    );
  return {
    make: (camera, version) => {
      const files = filled[camera.index % filled.length] as string[];
      const file = files[(version + Math.floor(camera.index / filled.length) * 13) % files.length] as string;
      return { bytes: readFileSync(file), type: TYPES[extname(file).toLowerCase()] as string };
    },
  };
}

function picturesIn(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => extname(name).toLowerCase() in TYPES);
  return names.sort().map((name) => join(folder, name));
}
