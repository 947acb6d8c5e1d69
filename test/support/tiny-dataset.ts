import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { seededRandom } from '../../common/domain/random.ts';

/** Three classes that a small network tells apart at once: by colour. */
const COLOURS: Record<string, [number, number, number]> = {
  grass: [60, 160, 70],
  road: [110, 110, 115],
  water: [50, 90, 190],
};

export interface TinyDatasetOptions {
  /** Cameras of each class in each part. */
  cameras?: { train: number; reference: number; test: number };
  /** Leaves these out: `grass/reference`, or a whole class: `road`. */
  without?: readonly string[];
}

type Entry = { file: string; camera: string };

/** Writes small JPEG pictures and a manifest of parts, `parts.json`. @returns files by class and part */
export async function writeTinyDataset(
  folder: string,
  { cameras = { train: 12, reference: 3, test: 4 }, without = [] }: TinyDatasetOptions = {},
): Promise<Record<string, Record<string, Entry[]>>> {
  const manifest: Record<string, Record<string, Entry[]>> = {};
  for (const [label, colour] of Object.entries(COLOURS)) {
    if (without.includes(label)) continue;
    for (const [part, count] of Object.entries(cameras)) {
      const wanted = without.includes(`${label}/${part}`) ? 0 : count;
      const entries = Array.from({ length: wanted }, (_, i) => entryOf(label, part, i));
      for (const { file } of entries) await writePicture(join(folder, file), colour);
      (manifest[label] ??= {})[part] = entries;
    }
  }
  await writeFile(join(folder, 'parts.json'), JSON.stringify(manifest));
  return manifest;
}

const entryOf = (label: string, part: string, i: number): Entry => ({
  file: `${label}/${part}-${i}.jpg`,
  camera: `${label} ${part} ${i}`,
});

/** A colour with coarse noise of its own, so that no two pictures are near-duplicates. */
async function writePicture(path: string, colour: readonly number[]): Promise<void> {
  const random = seededRandom(path.split('/').slice(-2).join('/'));
  const data = Buffer.alloc(8 * 8 * 3);
  for (let i = 0; i < data.length; i++) {
    data[i] = Math.max(0, Math.min(255, (colour[i % 3] as number) + (random() - 0.5) * 110));
  }
  await mkdir(dirname(path), { recursive: true });
  const image = sharp(data, { raw: { width: 8, height: 8, channels: 3 } }).resize(72, 64, {
    kernel: 'cubic',
    fit: 'fill',
  });
  await writeFile(path, await image.jpeg({ quality: 85 }).toBuffer());
}
