import { readFile } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import { z } from 'zod';
import type { Part } from '../../../common/domain/dataset.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import type { DatasetLoader, ListedImage } from './loader.ts';
import { insideFolder } from './paths.ts';

const entrySchema = z.union([
  insideFolder.transform((file) => ({ file, camera: null, time: null })),
  z.strictObject({
    file: insideFolder,
    camera: z.string().nullable().default(null),
    time: z.iso.datetime({ offset: true }).nullable().default(null),
  }),
]);
const list = z.array(entrySchema).default([]);
/** A bare list of a class is test images only, e.g. a further balanced test set. */
const manifestSchema = z.record(
  z.string().min(1),
  z.union([z.array(entrySchema), z.strictObject({ train: list, reference: list, test: list })]),
);

const PART_NAMES = { train: 'training', reference: 'reference', test: 'test' } as const satisfies Record<string, Part>;

/** A folder of images and a JSON file that says which of them belong to which class and part. */
export const partsManifest: DatasetLoader = {
  form: 'a folder with --manifest FILE ({"class": {"train": [...], "reference": [...], "test": [...]}})',
  recognises: ({ manifest }) => Promise.resolve(manifest !== undefined),
  async list({ folder, manifest = '' }) {
    const path = resolve(folder, manifest);
    const classes = parsed(path, await textOf(path));
    return {
      name: basename(path, extname(path)),
      digest: null,
      classes: Object.keys(classes),
      images: Object.entries(classes).flatMap(([label, lists]) => imagesOf(label, lists)),
      cutByTime: new Set<string>(),
      refuseNearDuplicates: true,
      splitRule: `as ${basename(path)} says`,
    };
  },
};

function imagesOf(label: string, lists: z.infer<typeof manifestSchema>[string]): ListedImage[] {
  const byPart = Array.isArray(lists) ? { train: [], reference: [], test: lists } : lists;
  return (['train', 'reference', 'test'] as const).flatMap((name) =>
    byPart[name].map(({ file, camera, time }) => ({
      file,
      label,
      part: PART_NAMES[name],
      digest: null,
      group: camera,
      time: time === null ? null : Date.parse(time),
    })),
  );
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new AppError('DATASET_NOT_FOUND', `The manifest ${path} cannot be read; give its path with --manifest.`, {
      cause: error,
    });
  }
}

function parsed(path: string, text: string): z.infer<typeof manifestSchema> {
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new AppError('DATASET_INVALID', `${path} is no manifest of classes and parts. ${reason}`, { cause: error });
  }
}
