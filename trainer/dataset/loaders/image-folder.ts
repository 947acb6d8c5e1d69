import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AppError } from '../../../common/runtime/errors.ts';
import type { DatasetLoader, ListedImage } from './loader.ts';
import { parseCsv } from './csv.ts';
import { fileExists } from './paths.ts';

const IMAGE_NAME = /\.(jpe?g|png|webp|gif|tiff?|avif)$/i;

/** By bytes of UTF-8: the same on every machine and in every language. */
export const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** One folder a class. Cameras and times, where known, come from metadata.csv beside them (columns file, camera, time). */
export const imageFolder: DatasetLoader = {
  form: 'an ImageFolder (one folder of images a class)',
  recognises: async ({ folder }) => (await classFolders(folder)).length > 0,
  async list({ folder }) {
    const classes = await classFolders(folder);
    const metadata = await readMetadata(join(folder, 'metadata.csv'));
    const images: ListedImage[] = [];
    for (const label of classes) {
      const names = await readdir(join(folder, label), { recursive: true });
      for (const name of names.filter((entry) => IMAGE_NAME.test(entry)).sort(byBytes)) {
        const file = `${label}/${name.replaceAll('\\', '/')}`;
        const known = metadata.get(file);
        images.push({ file, label, part: null, digest: null, group: known?.camera ?? null, time: known?.time ?? null });
      }
    }
    return {
      name: basename(folder),
      digest: null,
      classes,
      images,
      cutByTime: new Set<string>(),
      refuseNearDuplicates: true,
      splitRule: null,
    };
  },
};

async function classFolders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort(byBytes);
}

async function readMetadata(path: string): Promise<Map<string, { camera: string | null; time: number | null }>> {
  const known = new Map<string, { camera: string | null; time: number | null }>();
  if (!(await fileExists(path))) return known;
  const [header = [], ...rows] = parseCsv(await readFile(path, 'utf8'));
  const column = (name: string) => header.indexOf(name);
  if (column('file') < 0) {
    throw new AppError('DATASET_INVALID', `${path} has no column "file"; expected file, and camera or time or both.`);
  }
  rows.forEach((row, line) => {
    const time = row[column('time')] ?? '';
    const at = time === '' ? null : Date.parse(time);
    // Without an offset a time means something else on every machine.
    if (at !== null && (Number.isNaN(at) || !/(Z|[+-]\d{2}:?\d{2})$/i.test(time))) {
      throw new AppError('DATASET_INVALID', `${path} line ${line + 2}: "${time}" is no ISO time with an offset or Z.`);
    }
    known.set(row[column('file')] ?? '', { camera: row[column('camera')] || null, time: at });
  });
  return known;
}
