import { open } from 'node:fs/promises';
import { Dataset, File, Group, ready } from 'h5wasm/node';
import { AppError, codeOf, messageOf } from '../../common/runtime/errors.ts';

const HDF5_SIGNATURE = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');

/** Weights of one layer: [name of the array without its scope, e.g. `kernel`] → dataset. */
export type KerasLayer = ReadonlyMap<string, Dataset>;

/**
 * Keras' own .h5 in the layout of `save_weights` and of `keras.applications`: a group a layer, `layer_names` on the root,
 * `weight_names` on each group. Also whole models (`model_weights`). Close it.
 */
export class KerasFile {
  readonly layers: ReadonlyMap<string, KerasLayer>;
  readonly #file: File;

  private constructor(file: File, layers: ReadonlyMap<string, KerasLayer>) {
    this.#file = file;
    this.layers = layers;
  }

  /** @throws AppError `WEIGHTS_NOT_FOUND`, `WEIGHTS_NOT_HDF5`, `WEIGHTS_DAMAGED`, `WEIGHTS_LAYOUT_UNKNOWN` */
  static async open(path: string): Promise<KerasFile> {
    await checkHeader(path);
    // Without it HDF5 writes its whole stack of errors to stderr and goes on.
    (await ready).activate_throwing_error_handler();
    const file = damagedIfItThrows(path, () => new File(path, 'r'));
    try {
      return new KerasFile(
        file,
        damagedIfItThrows(path, () => layersOf(rootOf(file, path))),
      );
    } catch (error) {
      file.close();
      throw error;
    }
  }

  close(): void {
    this.#file.close();
  }
}

/** What `read` gives; an error of the HDF5 library becomes one line that names the file. */
export function damagedIfItThrows<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof AppError) throw error;
    const reasons = [...messageOf(error).matchAll(/^\s*#\d+: .* in [^:]*: (.*)$/gm)];
    throw new AppError(
      'WEIGHTS_DAMAGED',
      `${path} is an HDF5 file that cannot be read (${reasons.at(-1)?.[1] ?? messageOf(error)}); get it again.`,
      { cause: error },
    );
  }
}

async function checkHeader(path: string): Promise<void> {
  const { header, bytes } = await readHeader(path);
  if (!header.subarray(0, 8).equals(HDF5_SIGNATURE)) {
    throw new AppError(
      'WEIGHTS_NOT_HDF5',
      `${path} (${bytes} bytes) is no HDF5 file: it does not begin with HDF5's signature. Expected Keras' weights, *.h5.`,
    );
  }
  // The superblock says how long the file must be: at byte 40 in versions 0 and 1, at byte 28 in versions 2 and 3.
  const version = header[8] ?? 0;
  const expected = Number(header.readBigUInt64LE(version < 2 ? (version === 0 ? 40 : 44) : 28));
  if (bytes < expected) {
    throw new AppError(
      'WEIGHTS_DAMAGED',
      `${path} has ${bytes} bytes, but its header says ${expected}: it was cut off. Get it again.`,
    );
  }
}

async function readHeader(path: string): Promise<{ header: Buffer; bytes: number }> {
  try {
    const file = await open(path, 'r');
    try {
      const header = Buffer.alloc(64);
      await file.read(header, 0, header.length, 0);
      return { header, bytes: (await file.stat()).size };
    } finally {
      await file.close();
    }
  } catch (error) {
    const reason = codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error);
    throw new AppError('WEIGHTS_NOT_FOUND', `Cannot read the weights ${path}: ${reason}.`, { cause: error });
  }
}

function rootOf(file: File, path: string): Group {
  const keys = file.keys();
  if (namesIn(file, 'layer_names').length > 0) return file;
  const inner = keys.includes('model_weights') ? file.get('model_weights') : null;
  if (inner instanceof Group) return inner;
  throw new AppError(
    'WEIGHTS_LAYOUT_UNKNOWN',
    keys.includes('layers') || keys.includes('_layer_checkpoint_dependencies')
      ? `${path} is in Keras 3's .weights.h5 layout, which counts layers and does not name them. Save the weights in the ` +
          'older layout (a name that ends in .h5 but not in .weights.h5, with model.save).'
      : `${path} is an HDF5 file without "layer_names", so it does not hold weights that Keras saved (found: ${keys.slice(0, 5).join(', ') || 'nothing'}).`,
  );
}

function layersOf(root: Group): Map<string, KerasLayer> {
  const layers = new Map<string, KerasLayer>();
  for (const name of namesIn(root, 'layer_names')) {
    const group = root.keys().includes(name) ? root.get(name) : null;
    if (!(group instanceof Group)) continue;
    const arrays = new Map<string, Dataset>();
    for (const path of namesIn(group, 'weight_names')) {
      const dataset = group.get(path);
      if (dataset instanceof Dataset) arrays.set(shortName(path), dataset);
    }
    if (arrays.size > 0) layers.set(name, arrays);
  }
  return layers;
}

/** `conv2d_1/kernel:0` → `kernel` */
const shortName = (path: string): string => (path.split('/').at(-1) ?? path).replace(/:\d+$/, '');

/** A list of names; Keras splits long ones over attributes `layer_names0`, `layer_names1`, … */
function namesIn(group: Group, attribute: string): string[] {
  const attributes = group.attrs;
  const parts = attribute in attributes ? [attribute] : [];
  for (let i = 0; `${attribute}${i}` in attributes; i++) parts.push(`${attribute}${i}`);
  return parts.flatMap((part) => {
    const value = attributes[part]?.value;
    return Array.isArray(value) ? value.map(String) : [];
  });
}
