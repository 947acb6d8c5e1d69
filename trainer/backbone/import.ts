import { open } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { AppError, codeOf, messageOf } from '../../common/runtime/errors.ts';
import { loadBackbone } from './backbone.ts';
import type { Backbone } from './backbone.ts';
import type { ImportOptions } from './import-options.ts';
import { importInception } from './import-inception.ts';
import { importOnnx } from './import-onnx.ts';

/** How a file is recognised and what makes a backbone of it; a new kind is one line. */
const KINDS: readonly {
  name: string;
  is(file: string, head: Buffer): boolean;
  takes: readonly (keyof ImportOptions)[];
  import(file: string, options: ImportOptions): Promise<string>;
}[] = [
  {
    name: "Keras' InceptionV3 weights (.h5)",
    is: (file, head) => head.subarray(1, 4).toString('latin1') === 'HDF' || /\.(h5|hdf5)$/i.test(file),
    takes: ['cut'],
    import: importInception,
  },
  {
    name: 'an ONNX network (.onnx)',
    is: (file) => extname(file).toLowerCase() === '.onnx',
    takes: ['output', 'scaling'],
    import: importOnnx,
  },
];

/**
 * Makes a content-addressed trunk of a file of weights and opens it. The same file with the same options gives the same digest.
 *
 * @throws AppError `WEIGHTS_…`, `ONNX_…`, `BACKBONE_…`, `USAGE` where an option does not fit the kind of file
 */
export async function importBackbone(file: string, options: ImportOptions): Promise<Backbone> {
  const head = await headOf(file);
  const kind = KINDS.find(({ is }) => is(file, head));
  if (!kind) {
    throw new AppError(
      'BACKBONE_KIND_UNKNOWN',
      `${basename(file)} is none of the files that a backbone can be made of: ${KINDS.map(({ name }) => name).join(', ')}.`,
    );
  }
  for (const option of ['cut', 'output', 'scaling'] as const) {
    if (options[option] === undefined || kind.takes.includes(option)) continue;
    throw new AppError('USAGE', `--${option} does not apply to ${kind.name}.`);
  }
  return loadBackbone(await kind.import(file, options));
}

async function headOf(path: string): Promise<Buffer> {
  try {
    const file = await open(path, 'r');
    try {
      const head = Buffer.alloc(8);
      await file.read(head, 0, head.length, 0);
      return head;
    } finally {
      await file.close();
    }
  } catch (error) {
    const reason = codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error);
    throw new AppError('WEIGHTS_NOT_FOUND', `Cannot read ${path}: ${reason}.`, { cause: error });
  }
}
