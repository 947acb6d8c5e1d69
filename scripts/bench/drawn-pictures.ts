import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { settingsFrom } from '../camera-farm/options.ts';
import { scenePictures } from '../camera-farm/pictures.ts';
import { populate } from '../camera-farm/population.ts';
import { SceneRenderer } from '../camera-farm/scenes/renderer.ts';

export interface DrawnPictures {
  scenes: number;
  /** Of each scene, half a minute apart. */
  frames: number;
  width: number;
  height: number;
}

/** Pictures drawn beforehand, a folder for each scene: drawing takes time that the cameras' answers would wait for. */
export function drawPictures(folder: string, { scenes, frames, width, height }: DrawnPictures): void {
  const settings = settingsFrom({ cameras: scenes, width, height });
  const maker = scenePictures(new SceneRenderer(settings));
  for (const camera of populate(settings)) {
    mkdirSync(join(folder, camera.id));
    for (let i = 0; i < frames; i++) {
      const since = Date.UTC(2026, 5, 21, 12) + i * 30_000;
      writeFileSync(join(folder, camera.id, `${String(i).padStart(2, '0')}.jpg`), maker.make(camera, i, since).bytes);
    }
  }
}
